"""A network as a drawing: maps as stacks of squares, vectors as columns of units, between them the layers."""

from typing import assert_never

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from tenfold.networks import (
    INPUT,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    MaxPool,
    Network,
    Norm,
    Relu,
    Residual,
    Shape,
    summarise,
)
from tenfold.report.figures import style
from tenfold.report.figures.style import headline

SHEETS, UNITS = 5, 11  # drawn of more maps, and of more units
TALL = 2.2  # the side of a 28×28 map, and the height of a column of units
APART, BEHIND = TALL / UNITS, 0.09  # of two units, and of two maps
GAP = 1.25  # between two stages


def draw(network: Network, title: str) -> Figure:
    """Draw a network from the picture on the left to its logits on the right.

    Each stage is what the network holds between layers that change the shape: maps, whose side grows with their height
    in pixels, or a vector. At most five maps and eleven units of a stage are drawn; its shape is written below.
    """
    stages = _stages(network)
    lines = max(len(layers) for layers, _ in stages)
    figure, axes = style.new(1.75 + 0.14 * lines)
    axis = axes[0, 0]
    right, before = 0.0, np.zeros((0, 2))
    for at, (layers, shape) in enumerate(stages):
        left = right + GAP * bool(at)
        right = left + (_side(shape) + BEHIND * (min(shape[0], SHEETS) - 1) if len(shape) == 3 else APART)
        places = _places(shape, (left + right) / 2)
        if len(shape) == 3:
            _maps(axis, places, _side(shape))
        else:
            _vector(axis, places, shape[0])
        axis.text((left + right) / 2, -0.5 * TALL - 0.3, "×".join(map(str, shape)), ha="center", va="top", fontsize=8)
        axis.text(left - GAP / 2, 0.5 * TALL + 0.25, "\n".join(layers), ha="center", va="bottom", fontsize=7)
        if len(shape) == 1 and len(stages[at - 1][1]) == 1:
            joined = [(start, end) for start in before for end in places]
            axis.add_collection(LineCollection(joined, colors=style.MUTED, linewidths=0.25, zorder=0))
        elif at:
            ends = (left - 0.15 * GAP, 0), (left - 0.85 * GAP, 0)
            axis.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": style.INK})
        before = places
    axis.set(xlim=(-0.2, right + 0.3), ylim=(-0.5 * TALL - 0.7, 0.5 * TALL + 0.3 + 0.3 * lines), aspect="equal")
    axis.set_axis_off()
    headline(figure, title)
    return figure


def _stages(network: Network) -> list[tuple[list[str], Shape]]:
    """Return each shape in turn with the layers that lead to it; those that keep a shape belong to it."""
    stages: list[tuple[list[str], Shape]] = [([], INPUT)]
    for layer in summarise(network):
        if layer.output_shape == layer.input_shape and len(stages) > 1:
            stages[-1][0].extend(_texts(layer.layer))
        else:
            stages.append((_texts(layer.layer), layer.output_shape))
    return stages


def _texts(layer: Layer) -> list[str]:
    """Return the lines that name a layer."""
    match layer:
        case Conv(_, kernel, stride, padding):
            texts = [f"conv {kernel}×{kernel}"]
            texts += [f"stride {stride}"] if stride > 1 else []
            return texts + ([f"padding {padding}"] if padding else [])
        case Norm():
            return ["norm"]
        case Relu():
            return ["ReLU"]
        case MaxPool(size):
            return [f"max pool {size}×{size}"]
        case GlobalPool():
            return ["global pool"]
        case Flatten():
            return ["flatten"]
        case Dropout(rate):
            return [f"dropout {rate:g}"]
        case Dense():
            return ["dense"]
        case Residual():
            return ["residual"]
        case _:
            assert_never(layer)


def _side(shape: Shape) -> float:
    """Return the side of the squares that stand for maps of this shape."""
    return max(TALL * shape[1] / INPUT[1], 0.12)


def _places(shape: Shape, middle: float) -> np.ndarray:
    """Return the centres of the maps or units that are drawn around (`middle`, 0), float64 `[N, 2]`."""
    count = min(shape[0], SHEETS if len(shape) == 3 else UNITS)
    steps = np.arange(count) - (count - 1) / 2
    towards = [BEHIND, BEHIND] if len(shape) == 3 else [0, APART]
    places: np.ndarray = np.array([middle, 0]) + steps[:, None] * towards
    return places


def _maps(axis: Axes, places: np.ndarray, side: float) -> None:
    """Draw a square at each place, the first in front."""
    for x, y in places[::-1]:
        corner = (x - side / 2, y - side / 2)
        axis.add_patch(Rectangle(corner, side, side, facecolor="#cfe6f5", edgecolor=style.COLOURS[0], linewidth=0.7))


def _vector(axis: Axes, places: np.ndarray, count: int) -> None:
    """Draw a circle at each place; if units are left out, three dots replace the one in the middle."""
    for at, (x, y) in enumerate(places):
        if count > len(places) and at == len(places) // 2:
            for shift in (-0.3, 0, 0.3):
                axis.add_patch(Circle((x, y + shift * APART), 0.08 * APART, facecolor=style.INK, zorder=3))
        else:
            axis.add_patch(Circle((x, y), 0.36 * APART, facecolor="#ffe3ab", edgecolor=style.COLOURS[1], linewidth=0.7))
