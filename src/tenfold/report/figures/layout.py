"""Where searches put their trials, in two parameters: a grid tries few values of each, chance a new one each time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.report.figures import style
from tenfold.report.figures.scales import Ruler, accuracy_axis
from tenfold.report.figures.search import counted, look
from tenfold.report.figures.texts import headline, panel, shown
from tenfold.report.figures.tuning import Trial, accuracies, brief, dots, empty, lowest_shown, scored


def layout(
    searches: Mapping[str, Sequence[Trial]], important: str, unimportant: str, logarithmic: Collection[str] = ()
) -> Figure:
    """Draw where searches put their trials in two parameters, and what accuracy was at each value of either.

    After Bergstra and Bengio, Random search for hyper-parameter optimization, JMLR 13 (2012), figure 1.
    """
    names = important, unimportant
    placed = {name: [trial for trial in trials if set(names) <= set(trial.values)] for name, trials in searches.items()}
    together = [trial for trials in placed.values() for trial in trials]
    if not together:
        figure, ((axis,),) = style.new(2)
        empty(axis, "no trial has both parameters")
        headline(figure, f"No trial has both {brief(important, 32)} and {brief(unimportant, 32)}")
        return figure
    rulers = [Ruler([trial.values[name] for trial in together], name in logarithmic) for name in names]
    ratios = {"width_ratios": [3.2, 1] * len(placed), "height_ratios": [1, 2.6]}
    figure, axes = style.new(4.1, 2, 2 * len(placed), sharex="col", sharey="row", gridspec_kw=ratios)
    reached = accuracies(scored(together, "complete") + scored(together, "pruned"))
    lowest, highest = lowest_shown(reached), float(reached.max(initial=0.5))
    for column, (name, trials) in enumerate(placed.items()):
        above, corner, middle, beside = axes[:, 2 * column : 2 * column + 2].flat
        corner.set_axis_off()
        colour, marker = look(column)["color"], look(column)["marker"]
        x, y = (_places(trials, parameter, ruler) for parameter, ruler in zip(names, rulers, strict=True))
        middle.plot(x, y, marker, color=colour, alpha=0.7, markersize=5)
        _projections(middle, x, y)
        for axis, parameter, ruler in zip((above, beside), names, rulers, strict=True):
            for state, kind in (("complete", marker), ("pruned", "x")):
                some = scored(trials, state)
                at, sideways = _places(some, parameter, ruler), axis is beside
                dots(
                    axis,
                    at,
                    accuracies(some),
                    lowest,
                    sideways=sideways,
                    color=colour,
                    marker=kind,
                    markersize=3.5,
                    alpha=0.6,
                )
        accuracy_axis(above, lowest, highest, most=4)
        accuracy_axis(beside, lowest, highest, horizontal=True, most=2 if len(placed) < 3 else 1)
        beside.tick_params(axis="x", labelsize=6.5)
        beside.set_xlabel("accuracy", fontsize=7.5)
        for line, ruler in zip((middle.xaxis, middle.yaxis), rulers, strict=True):
            ticks = ruler.ticks(most=5 if len(placed) < 3 else 3)
            line.set_ticks(list(ticks), labels=list(ticks.values()), fontsize=7.5)
        for axis in (above, middle, beside):
            axis.grid(visible=True)
            axis.set_axisbelow(True)
        middle.set_xlabel(brief(important, 24))
        panel(above, f"{shown(name, 24)}: {counted(len(trials))}")
    axes[0, 0].set_ylabel("accuracy", fontsize=7.5)
    axes[1, 0].set_ylabel(brief(unimportant, 24))
    headline(figure, _distinct(placed, important))
    return figure


def _projections(axis: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Draw what is left on either axis of points in the unit square, as strokes."""
    stroke: Any = {"linestyle": "", "color": style.INK, "markersize": 14, "markeredgewidth": 0.8}
    axis.plot(x, np.zeros(len(x)), marker="|", transform=axis.get_xaxis_transform(), **stroke)
    axis.plot(np.zeros(len(y)), y, marker="_", transform=axis.get_yaxis_transform(), **stroke)
    axis.set(xlim=(-0.08, 1.08), ylim=(-0.08, 1.08))


def _places(trials: Sequence[Trial], name: str, ruler: Ruler) -> np.ndarray:
    return np.array([ruler.place(trial.values[name]) for trial in trials])


def _distinct(placed: Mapping[str, Sequence[Trial]], parameter: str) -> str:
    """Say how many values of a parameter each search tried."""
    tried = {name: len({trial.values[parameter] for trial in trials}) for name, trials in placed.items()}
    alike = len(placed) > 1 and len({len(trials) for trials in placed.values()}) == 1
    parts: list[str] = []
    for name, count in tried.items():
        number = f" {count}" if parts else f" tried {count} value{'s' * (count != 1)} of {brief(parameter, 32)}"
        parts.append(shown(name) + number + ("" if alike else f" in {counted(len(placed[name]))}"))
    if alike:
        parts.append(f"in {counted(len(placed[name]))} each")
    return ", ".join(parts)
