"""Accuracy of classical models and networks against their cost, and the weights of the simplest models."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tenfold.baselines import BASELINES
from tenfold.report.figures import style
from tenfold.report.figures.style import accuracy_axis, headline, height, shown
from tenfold.scores import Score

SIZE = (6.4, 4.0)  # inches: of the axes, about; decides which labels are in each other's way
ROOM = 0.08  # of the axis: above the best model, for its name
SOONEST = 0.01  # seconds: shorter fits are drawn here
Box = tuple[float, float, float, float]  # left, right, bottom, top
KINDS = (("classical model", "o", style.COLOURS[0]), ("network", "s", style.COLOURS[4]))


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


def accuracy_against_seconds(models: Sequence[tuple[str, float, Score]]) -> Figure:
    """Draw the accuracy of models with its interval against the seconds of fitting, both axes logarithmic.

    A model is its name, its seconds and its score. Those that are not in `baselines.BASELINES` are networks.
    """
    series = [
        Series(f"{kind}, 95% interval", marker, colour, [_point(*model) for model in members])
        for kind, marker, colour in KINDS
        if (members := [model for model in models if (model[0] in BASELINES) == (kind != "network")])
    ]
    latest = max(point.cost for one in series for point in one.points)
    label = f"seconds to fit, logarithmic ({SOONEST} also stands for less)"
    figure = accuracy_against(series, (SOONEST / 1.6, latest * 2), label, "{:g}".format)
    headline(figure, _finding(models))
    return figure


def _point(name: str, seconds: float, score: Score) -> Point:
    return Point(_title(name), max(seconds, SOONEST), score.accuracy, score.interval)


def _title(name: str) -> str:
    return BASELINES[name].title if name in BASELINES else shown(name)


def _finding(models: Sequence[tuple[str, float, Score]]) -> str:
    name, seconds, best = max(models, key=lambda model: model[2].accuracy)
    low, high = best.interval
    text = f"Best is {_title(name)}: {best.accuracy:.2%} ({low:.2%} to {high:.2%}), fitted in {seconds:.1f} s"
    close = [model for model in models if model[2].interval[1] >= low]
    fast_name, fewest, fast = min(close, key=lambda model: model[1])
    if fewest < seconds:
        text += f";\nof those whose interval meets its own, {_title(fast_name)} is fastest"
        text += f": {fast.accuracy:.2%} in {fewest:.1f} s"
    return text


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
    for one in series:
        x, y = np.array([(point.cost, point.accuracy) for point in one.points]).T
        ends = np.array([point.interval or (np.nan, np.nan) for point in one.points])
        reach = np.clip([y - ends[:, 0], ends[:, 1] - y], 0, None)
        axis.errorbar(x, y, reach, fmt=one.marker, color=one.colour, capsize=2, label=one.label)
        if one.joined:
            axis.plot(*np.transpose([(point.cost, point.accuracy) for point in front(one.points)]), color=one.colour)
    axis.set(xscale="log", xlim=limits, xlabel=label, ylabel="accuracy, logarithmic in the errors")
    points = [point for one in series for point in one.points]
    reached = [end for point in points for end in (point.accuracy, *(point.interval or ()))]
    accuracy_axis(axis, max(min(reached), 0.0), min(max(reached), 1.0))
    bottom, top = axis.get_ylim()
    room = style.accuracy_at(height(np.array(top)) + ROOM * np.ptp(height(np.array([bottom, top]))))
    axis.set_ylim(top=max(min(float(room), 1.0), top))
    if ticks is not None:
        axis.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: tick(cost)))
    axis.grid(visible=True)
    low, high = (np.array([np.log10(x), height(y)]) for x, y in zip(axis.get_xlim(), axis.get_ylim(), strict=True))
    places = np.array([(np.log10(point.cost), height(np.array(point.accuracy))) for point in points])
    inches = (places - low) / (high - low) * SIZE
    drawn = [box for one in series for box in _lines(one, low, high)]
    for point, (offset, side) in zip(points, _label_places([p.name for p in points], inches, drawn), strict=True):
        lead = {"arrowstyle": "-", "color": style.MUTED, "linewidth": 0.5} if offset[1] else None
        text: Any = {"ha": side, "va": "center", "fontsize": 8, "arrowprops": lead}
        axis.annotate(point.name, (point.cost, point.accuracy), offset, textcoords="offset points", **text)
    axis.legend(loc=legend)
    return figure


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points that are better than all that cost as much or less, the cheapest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.accuracy)):
        if not kept or point.accuracy > kept[-1].accuracy:
            kept.append(point)
    return kept


def _lines(one: Series, low: np.ndarray, high: np.ndarray) -> list[Box]:
    """Return what the intervals and the line of a series cover, in inches of axes from `low` to `high`."""

    def place(cost: float, accuracy: float) -> np.ndarray:
        inches: np.ndarray = (np.array([np.log10(cost), height(np.array(accuracy))]) - low) / (high - low) * SIZE
        return inches

    strokes = [
        (place(point.cost, point.interval[0]), place(point.cost, point.interval[1]))
        for point in one.points
        if point.interval
    ]
    if one.joined:
        strokes += itertools.pairwise(place(point.cost, point.accuracy) for point in front(one.points))
    dots = [start + share * (end - start) for start, end in strokes for share in np.linspace(0, 1, 100)]
    return [(x - 0.03, x + 0.03, y - 0.03, y + 0.03) for x, y in dots]


def _label_places(
    names: Sequence[str], points: np.ndarray, drawn: Sequence[Box]
) -> list[tuple[tuple[float, float], str]]:
    """Return the place of each name, away from what is drawn: an offset in points and the side it is aligned on.

    `points` are in inches, `[N, 2]`. Greedy: each name takes the first place that is free, or the last one.
    """
    taken = [*drawn]
    taken += [(x - 0.06, x + 0.06, y - 0.1, y + 0.1) for x, y in points]
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


def learnt(logistic: np.ndarray, centroids: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw coefficients of logistic regression and nearest centroids as pictures; both `[classes, 784]`."""
    side = math.isqrt(logistic.shape[1])
    reach = float(np.abs(logistic).max())
    figure = style.picture_of_each_class(
        classes,
        [
            ("nearest\ncentroid", "mean", centroids.reshape(-1, side, side), "gray_r", 0, centroids.max()),
            ("logistic\nregression", "weight", logistic.reshape(-1, side, side), style.DIVERGING, -reach, reach),
        ],
    )
    correlation = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(logistic, centroids, strict=True)])
    headline(
        figure,
        "Logistic regression weighs what tells classes apart, not what they look like:\n"
        f"the correlation of its weights with the mean pictures is {correlation:.2f}"
        if correlation < 0.5
        else f"The weights of logistic regression look like the mean pictures: correlation {correlation:.2f}",
    )
    return figure
