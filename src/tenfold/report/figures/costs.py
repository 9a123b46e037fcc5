"""Accuracy against cost: seconds of training, or parameters."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tenfold.report.figures import style
from tenfold.report.figures.scales import accuracy_axis, height

SIZE = (6.4, 4.0)  # inches: of the axes, about; decides which labels are in each other's way


@dataclass(frozen=True)
class Point:
    """A model: its name, its cost (above 0), its accuracy, and the interval of that where there is one."""

    name: str
    cost: float
    accuracy: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Series:
    """Models of one kind, at least one; with `joined`, a line goes through those on the `front`."""

    label: str
    marker: str
    colour: str
    points: Sequence[Point]
    joined: bool = False


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points that are better than all that cost as much or less, the cheapest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.accuracy)):
        if not kept or point.accuracy > kept[-1].accuracy:
            kept.append(point)
    return kept


def accuracy_against(
    series: Sequence[Series],
    limits: tuple[float, float],
    label: str,
    tick: Callable[[float], str],
    ticks: Sequence[float] | None = None,
    legend: str = "lower right",
) -> Figure:
    """Draw accuracies with their intervals against costs from `limits[0]` to `limits[1]`, both axes logarithmic.

    `tick` returns a cost as text; `ticks` are the costs that are marked, by default the powers of ten.
    """
    figure, ((axis,),) = style.new(4.6)
    everyone = [point for one in series for point in one.points]
    for one in series:
        x, y = np.array([(point.cost, point.accuracy) for point in one.points]).T
        ends = np.array([point.interval or (np.nan, np.nan) for point in one.points])
        reach = np.clip([y - ends[:, 0], ends[:, 1] - y], 0, None)
        axis.errorbar(x, y, reach, fmt=one.marker, color=one.colour, capsize=2, label=one.label)
        if one.joined:
            best = front(one.points)
            axis.plot([point.cost for point in best], [point.accuracy for point in best], color=one.colour)
    axis.set_xscale("log")
    axis.set_xlim(*limits)
    reached = [end for point in everyone for end in (point.accuracy, *(point.interval or ()))]
    accuracy_axis(axis, max(min(reached), 0.0), min(max(reached), 1.0))
    if ticks is not None:
        axis.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: tick(cost)))
    axis.grid(visible=True)
    axis.set_axisbelow(True)
    axis.set_xlabel(label)
    axis.set_ylabel("accuracy, logarithmic in the errors")
    corners = np.array([axis.get_xlim(), axis.get_ylim()]).T
    low, high = (np.array([np.log10(x), height(y)]) for x, y in corners)
    places = np.array([(np.log10(point.cost), height(np.array(point.accuracy))) for point in everyone])
    inches = (places - low) / (high - low) * SIZE
    names = [point.name for point in everyone]
    for point, (offset, side) in zip(everyone, _places(names, inches), strict=True):
        lead = {"arrowstyle": "-", "color": style.MUTED, "linewidth": 0.5} if offset[1] else None
        text: Any = {"ha": side, "va": "center", "fontsize": 8, "arrowprops": lead}
        axis.annotate(point.name, (point.cost, point.accuracy), offset, textcoords="offset points", **text)
    axis.legend(loc=legend)
    return figure


def _places(names: Sequence[str], points: np.ndarray) -> list[tuple[tuple[float, float], str]]:
    """Return the place of each name, away from the others: an offset in points and the side it is aligned on.

    `points` are in inches, `[N, 2]`. Greedy: each name takes the first place that is free, or the last one.
    """
    taken = [(x - 0.06, x + 0.06, y - 0.1, y + 0.1) for x, y in points]
    places = []
    for name, (x, y) in zip(names, points, strict=True):
        width = 0.065 * len(name)
        for up, right in itertools.product(sorted(np.arange(-15, 16) * 0.17, key=abs), (1, -1)):
            left = x + 0.1 if right > 0 else x - 0.1 - width
            box = (left, left + width, y + up - 0.07, y + up + 0.07)
            inside = box[0] > 0 and box[1] < SIZE[0] and box[2] > 0 and box[3] < SIZE[1]
            if inside and not any(box[0] < b and a < box[1] and box[2] < d and c < box[3] for a, b, c, d in taken):
                break
        taken.append(box)
        places.append(((right * 7.2, up * 72), "left" if right > 0 else "right"))
    return places
