"""An axis of accuracies that is logarithmic in the errors: 98% and 99% are as far apart as 80% and 90%."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

ACCURACY = "validation accuracy\n(logarithmic in the errors)"
SUREST = 0.9999  # up to this accuracy the scale is logarithmic
TICKS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1)
NEAREST = 0.07  # of an axis: the least distance between two ticks, so that their labels do not overlap


def height(accuracy: np.ndarray) -> np.ndarray:
    """Return the heights at which accuracies in 0 to 1 are drawn: -log10 of the error.

    Above `SUREST` the scale is a straight line of the same slope, since the logarithm would put 1 infinitely far up.
    """
    past = np.maximum(accuracy - SUREST, 0) / ((1 - SUREST) * np.log(10))
    heights: np.ndarray = past - np.log10(1 - np.minimum(accuracy, SUREST))
    return heights


def accuracy_at(heights: np.ndarray) -> np.ndarray:
    """Return the accuracies that are drawn at these heights: the inverse of `height`."""
    top = -np.log10(1 - SUREST)
    past = np.maximum(heights - top, 0) * ((1 - SUREST) * np.log(10))
    accuracies: np.ndarray = past + 1 - 10.0 ** -np.minimum(heights, top)
    return accuracies


def percent(accuracy: float) -> str:
    """Return the label of a tick."""
    return f"{100 * accuracy:.5g}%"


def accuracy_ticks(lowest: float, highest: float, most: int = len(TICKS)) -> list[float]:
    """Return at most `most` accuracies from `lowest` to `highest` as ticks whose labels do not overlap."""
    ticks = [float(tick) for tick in TICKS if lowest <= tick <= highest]
    if len(ticks) < 3:
        even = MaxNLocator(min(most, 5), steps=(1, 2, 5, 10)).tick_values(lowest, highest)
        ticks = [float(tick) for tick in even if lowest <= tick <= min(highest, 1)]
    ticks = ticks[:: max(-(-len(ticks) // most), 1)]
    bottom, top, *levels = height(np.array([lowest, highest, *ticks]))
    kept: list[int] = []
    for at, level in enumerate(levels):
        if not kept or level - levels[kept[-1]] >= NEAREST * (top - bottom):
            kept.append(at)
    return [ticks[at] for at in kept]


def accuracy_axis(axis: Axes, lowest: float, highest: float, horizontal: bool = False, most: int = len(TICKS)) -> None:
    """Make the y axis, or the horizontal one, an axis of accuracies in 0 to 1 with at most `most` ticks.

    It reaches from a little below `lowest` to a little above `highest`.
    """
    bottom, top = height(np.array([lowest, highest]))
    margin = 0.06 * max(top - bottom, 0.3)
    low, high = accuracy_at(np.array([bottom - margin, top + margin]))
    scale, limits, line = (
        (axis.set_xscale, axis.set_xlim, axis.xaxis) if horizontal else (axis.set_yscale, axis.set_ylim, axis.yaxis)
    )
    scale("function", functions=(height, accuracy_at))
    limits(low, high)
    line.set_major_locator(FixedLocator(accuracy_ticks(low, high, most)))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda accuracy, _: percent(accuracy)))


def lowest_shown(accuracies: np.ndarray) -> float:
    """Return where an axis of accuracies begins: at three times the errors of the median, or at the lowest of them.

    A few accuracies far below would compress all others.
    """
    return float(max(accuracies.min(), 1 - 3 * (1 - np.median(accuracies))))


def logarithmic_ticks(line: Axis) -> None:
    """Mark round numbers on a logarithmic axis, the more the shorter it is, and write them in full."""
    low, high = line.get_view_interval()
    steps = (1, 2, 5) if high < 30 * low else (1, 3) if high < 1_000 * low else (1,)
    line.set_major_locator(LogLocator(subs=steps))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
