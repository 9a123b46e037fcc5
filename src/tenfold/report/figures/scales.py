"""The axis that accuracies are drawn on: errors count, so from 98% to 99% is as far as from 80% to 90%."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

SUREST = 0.9999  # accuracy: 1 would be infinitely far up
TICKS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)


def height(accuracy: np.ndarray) -> np.ndarray:
    """Return how far up accuracies in 0 to 1 are drawn: the decades that their errors are below 1."""
    heights: np.ndarray = -np.log10(1 - np.minimum(accuracy, SUREST))
    return heights


def accuracy_axis(axis: Axes, lowest: float, highest: float) -> None:
    """Make the y axis one of accuracies, in 0 to 1, from a bit below `lowest` to a bit above `highest`."""
    axis.set_yscale("function", functions=(height, lambda heights: 1 - 10.0**-heights))
    bottom, top = height(np.array([lowest, highest]))
    room = 0.06 * max(top - bottom, 0.3)
    axis.set_ylim(*1 - 10.0 ** -np.array([bottom - room, top + room]))
    inside = [tick for tick in TICKS if axis.get_ylim()[0] <= tick <= axis.get_ylim()[1]]
    axis.yaxis.set_major_locator(FixedLocator(inside) if len(inside) > 2 else MaxNLocator(4))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda accuracy, _: f"{100 * accuracy:.4g}%"))
