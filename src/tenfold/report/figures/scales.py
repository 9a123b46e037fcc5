"""Scales that figures share: accuracies by their errors, as far from 98% to 99% as from 80% to 90%; hyperparameters."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from tenfold.report.figures.texts import shown

SUREST = 0.9999  # accuracy: up to it the scale is logarithmic
TICKS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1)
NEAREST = 0.07  # of an axis: ticks of accuracies that are nearer would be one upon the other
ROOM = 0.78  # of an axis is what its ticks are spread over at least

Value = float | int | str


def height(accuracy: np.ndarray) -> np.ndarray:
    """Return how far up accuracies in 0 to 1 are drawn: the decades that their errors are below 1.

    Past `SUREST` heights go on as steeply in a straight line: logarithms would put 1 infinitely far up.
    """
    past = np.maximum(accuracy - SUREST, 0) / ((1 - SUREST) * np.log(10))
    heights: np.ndarray = past - np.log10(1 - np.minimum(accuracy, SUREST))
    return heights


def accuracy_at(heights: np.ndarray) -> np.ndarray:
    """Return the accuracies that are drawn at these heights."""
    top = -np.log10(1 - SUREST)
    past = np.maximum(heights - top, 0) * ((1 - SUREST) * np.log(10))
    accuracies: np.ndarray = past + 1 - 10.0 ** -np.minimum(heights, top)
    return accuracies


def percent(accuracy: float) -> str:
    """Return the accuracy, in 0 to 1, as the text of a tick."""
    return f"{100 * accuracy:.5g}%"


def accuracy_ticks(lowest: float, highest: float, most: int = len(TICKS)) -> list[float]:
    """Return at most `most` accuracies from `lowest` to `highest` for ticks of an axis, none upon another."""
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


def ends(lowest: float, highest: float) -> tuple[float, float]:
    """Return the heights of an axis from a bit below the accuracy `lowest` to a bit above `highest`."""
    bottom, top = height(np.array([lowest, highest]))
    room = 0.06 * max(top - bottom, 0.3)
    return float(bottom - room), float(top + room)


def accuracy_axis(axis: Axes, lowest: float, highest: float, horizontal: bool = False, most: int = len(TICKS)) -> None:
    """Make the y axis, or the horizontal one, one of accuracies in 0 to 1, with `most` ticks at most.

    It reaches from a bit below `lowest` to a bit above `highest`.
    """
    low, high = accuracy_at(np.array(ends(lowest, highest)))
    scale, limits, line = (
        (axis.set_xscale, axis.set_xlim, axis.xaxis) if horizontal else (axis.set_yscale, axis.set_ylim, axis.yaxis)
    )
    scale("function", functions=(height, accuracy_at))
    limits(low, high)
    line.set_major_locator(FixedLocator(accuracy_ticks(low, high, most)))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda accuracy, _: percent(accuracy)))


class Ruler:
    """A hyperparameter's values on an axis from 0 to 1: numbers by size or logarithm, choices at equal steps.

    `tried` are the values it had, at least one; where one is not a number, all are choices. Logarithms are
    left out where a number is not positive.
    """

    def __init__(self, tried: Iterable[Value], logarithmic: bool) -> None:
        distinct = set(tried)
        self.choices = any(isinstance(value, bool) or not isinstance(value, int | float) for value in distinct)
        self.values: list[Value] = sorted(distinct, key=str if self.choices else float)
        self.logarithmic = logarithmic and not self.choices and float(self.values[0]) > 0

    def place(self, value: Value) -> float:
        """Return where the value is, in 0 to 1; 0.5 if it is the only one."""
        first, last, here = (self._measure(one) for one in (self.values[0], self.values[-1], value))
        return (here - first) / (last - first) if last > first else 0.5

    def ticks(self, most: int = 5) -> dict[float, str]:
        """Return texts of ticks by their places: all choices, all numbers if there is room, else `most` round ones."""
        marks = self.values
        gaps = np.diff([self.place(value) for value in marks])
        if not self.choices and (len(marks) > most or np.any(gaps < ROOM / most)):
            low, high = float(marks[0]), float(marks[-1])
            marks = [tick for tick in self._round(low, high, most) if low <= tick <= high]
            marks = marks if len(marks) > 1 else [low, high]
        return {self.place(value): text(value) for value in marks}

    def _measure(self, value: Value) -> float:
        if self.choices:
            return self.values.index(value)
        return float(np.log10(float(value))) if self.logarithmic else float(value)

    def _round(self, low: float, high: float, most: int) -> list[float]:
        if self.logarithmic:
            decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
            for step, factors in ((1, (1, 2, 5)), (1, (1, 3)), *((step, (1,)) for step in (1, 2, 3, 5, 10))):
                marks = [factor * 10.0**decade for decade in decades[::step] for factor in factors]
                inside = [mark for mark in marks if low <= mark <= high]
                near = np.any(np.diff([self.place(mark) for mark in inside]) < ROOM / most)
                if 2 <= len(inside) <= most and not near:
                    return inside
        whole = all(float(value).is_integer() for value in self.values)
        return [float(tick) for tick in MaxNLocator(most - 1, integer=whole).tick_values(low, high)]


def text(value: Value, longest: int = 14) -> str:
    """Return a hyperparameter's value in short: numbers in three figures, others in `longest` characters."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(str(value), longest)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.001:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{value:.3g}"
