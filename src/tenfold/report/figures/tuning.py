"""What tuning found: the trials, which are best and whether that is more than luck, and what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from tenfold.report.figures import style
from tenfold.report.figures.scales import Value, accuracy_axis, text
from tenfold.report.figures.texts import headline, shown

LOWER = "lower than the axis"
TABLE, GAP = 4.4, 0.13  # inches: the most that the values beside a leaderboard take, and between columns
SLANTED = 0.26  # inches: the least between heads
CHARACTER = 0.059  # inches, at their size


@dataclass(frozen=True)
class Trial:
    """One try of a search."""

    number: int  # its name in the search
    values: dict[str, Value]  # what was drawn, by parameter; conditional ones may be missing
    accuracy: float | None  # on validation, in 0 to 1, when it ended or was pruned; None: failed
    state: str  # "complete", "pruned", "failed"
    seconds: float  # of training since the search began, when the trial ended


def scored(trials: Sequence[Trial], state: str) -> list[Trial]:
    """Return the trials in this state that have an accuracy."""
    return [trial for trial in trials if trial.state == state and trial.accuracy is not None]


def accuracies(trials: Sequence[Trial]) -> np.ndarray:
    """Return the accuracies of trials that have one, float64 `[N]`."""
    return np.array([trial.accuracy for trial in trials], np.float64)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Return the complete trials, the best first and of equal ones the earlier."""
    complete = scored(trials, "complete")
    return [complete[at] for at in np.argsort(-accuracies(complete), kind="stable")]


def census(trials: Sequence[Trial]) -> str:
    """Say how many trials are complete, and how many are not."""
    complete, pruned = (sum(trial.state == state for trial in trials) for state in ("complete", "pruned"))
    failed = len(trials) - complete - pruned
    others = [f"{count} {word}" for count, word in ((pruned, "pruned"), (failed, "failed")) if count]
    if not complete:
        return f"No trial is complete ({', '.join(others)})" if others else "No trial was made"
    return ", ".join([f"{complete} complete trial{'s' * (complete > 1)}", *others])


def lowest_shown(accuracies: np.ndarray) -> float:
    """Return where an axis of accuracies begins: at three times the errors of the median, if any trial is so low.

    The few that went astray would press all others together.
    """
    return float(max(accuracies.min(), 1 - 3 * (1 - np.median(accuracies)))) if len(accuracies) else 0.0


def dots(axis: Axes, x: np.ndarray, y: np.ndarray, lowest: float, *, sideways: bool = False, **look: Any) -> None:
    """Draw accuracies `y`, and as triangles at its edge those lower than the axis; `sideways`: they go to the right."""
    for some, change in ((y >= lowest, {}), (y < lowest, {"marker": "<" if sideways else "v", "label": LOWER})):
        if some.any():
            pair = x[some], y[some].clip(lowest)
            axis.plot(*(pair[::-1] if sideways else pair), **{"linestyle": "", **look, **change})


def empty(axis: Axes, message: str) -> None:
    """Say on an axis why nothing is drawn."""
    axis.text(0.5, 0.5, message, ha="center", va="center", transform=axis.transAxes, color=style.MUTED)
    axis.set(xticks=[], yticks=[], xlabel="")


def brief(name: str, longest: int) -> str:
    """Return a parameter's name in at most `longest` characters; of one with dots the last parts tell most."""
    while len(name) > longest and "." in name.strip("."):
        name = name.strip(".").partition(".")[2]
    return shown(name, longest)


def importances(shares: Mapping[str, float]) -> Figure:
    """Draw how much of what accuracy depends on is each parameter's, from shares in 0 to 1."""
    order = sorted(shares, key=lambda name: -shares[name])
    figure, ((axis,),) = style.new(0.95 + 0.26 * max(len(order), 3))
    if not order or not shares[order[0]] > 0:
        empty(axis, "no parameter's share is known")
        headline(figure, "Nothing is known of what matters: the trials are too few or too much alike")
        return figure
    values = [100 * shares[name] for name in order]
    colours = [style.COLOURS[0], *[style.COLOURS[5]] * (len(order) - 1)]
    bars = axis.barh(range(len(order)), values, 0.7, color=colours)
    axis.bar_label(bars, [f"{value:.0f}%" if value >= 1 else "< 1%" for value in values], padding=3, fontsize=8)
    axis.set_yticks(range(len(order)), [brief(name, 32) for name in order])
    axis.set_ylim(max(len(order), 3) - 0.4, -0.6)
    axis.set_xlim(0, 1.1 * values[0])
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("share of what the accuracy of the trials depends on, %")
    axis.grid(visible=True, axis="x")
    axis.set_axisbelow(True)
    more = f", more than {brief(order[1], 32)} with {values[1]:.0f}%" if len(order) > 1 else ""
    headline(figure, f"{brief(order[0], 32)} matters most: {values[0]:.0f}%{more}")
    return figure


def leaderboard(trials: Sequence[Trial], noise: float | None, top: int = 20) -> Figure:
    """Draw the `top` complete trials as dots, the best first, beside the values in which they differ.

    `noise` is the standard deviation of accuracy over seeds of one recipe: what lies as near the best may be luck.
    """
    best = ranked(trials)[:top]
    figure, ((axis,),) = style.new(1.6 + 0.2 * max(len(best), 3))
    if not best:
        empty(axis, "no complete trial")
        headline(figure, census(trials))
        return figure
    reached = accuracies(best)
    band = noise or 0.0
    lowest, highest = min(lowest_shown(reached), reached[0] - band), min(reached[0] + band, 1)
    near = np.ones(len(best), bool) if noise is None else reached >= reached[0] - band - 1e-12
    colour = style.COLOURS[0]
    if noise is not None:
        shade: Any = {"color": style.COLOURS[5], "alpha": 0.25, "linewidth": 0, "label": "best ± 1 sd over seeds"}
        axis.axvspan(reached[0] - band, highest, **shade)
        axis.axvline(reached[0], color=colour, linewidth=0.8, linestyle="--")
    for rows, face, label in ((near, colour, "within it"), (~near, "white", "below it")):
        look = {"marker": "o", "color": colour, "markerfacecolor": face, "markersize": 5, "label": label}
        dots(axis, np.flatnonzero(rows), reached[rows], lowest, sideways=True, **look)
    accuracy_axis(axis, lowest, highest, horizontal=True, most=4)
    axis.set_ylim(max(len(best), 3) - 0.5, -0.5)
    axis.set_yticks(range(len(best)), [""] * len(best))
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=7.5)
    axis.set_xlabel("validation accuracy\n(logarithmic in the errors)")
    axis.grid(visible=True)
    axis.set_axisbelow(True)
    _table(axis, [("trial", [str(trial.number) for trial in best]), *_differing(best)])
    if noise is not None:
        figure.legend(loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    headline(figure, _within(reached, int(near.sum()) - 1, noise))
    return figure


def _table(axis: Axes, columns: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Write columns, each a head and its cells, left of an axis whose rows they are, as many as there is room for."""
    widths = [max(GAP + CHARACTER * max(map(len, cells)), SLANTED) for _, cells in columns]
    room = int(np.sum(np.cumsum(widths) <= TABLE))
    left = -sum(widths[:room])
    for (head, cells), width in zip(columns[:room], widths, strict=False):
        left += width
        place = axis.get_yaxis_transform() + ScaledTranslation(left - GAP, 0, axis.figure.dpi_scale_trans)
        axis.text(0, -0.75, brief(head, 18), transform=place, rotation=40, rotation_mode="anchor", fontsize=7)
        for y, cell in enumerate(cells):
            axis.text(0, y, cell, transform=place, ha="right", va="center", fontsize=7)
    if room < len(columns):
        more = f"{len(columns) - room} more differ"
        axis.text(0, len(cells), more, transform=place, ha="right", va="center", fontsize=7, color=style.MUTED)


def _differing(best: Sequence[Trial]) -> list[tuple[str, list[str]]]:
    """Return the parameters in which trials differ, with the value of each trial in short."""
    names = dict.fromkeys(name for trial in best for name in trial.values)
    columns = [
        (name, [text(trial.values[name], 10) if name in trial.values else "–" for trial in best]) for name in names
    ]
    return [column for column in columns if len(set(column[1])) > 1]


def _within(reached: np.ndarray, near: int, noise: float | None) -> str:
    """Say how many of the trials behind the best could be as good as it is."""
    best, others = f"Best is {reached[0]:.2%}", len(reached) - 1
    if noise is None:
        unknown = ", so none of these differences is known to be real" if others else ""
        return f"{best}; the noise of seeds was not measured{unknown}"
    best += f"; seeds alone move it by ±{100 * noise:.2f} points"
    if not others:
        return best
    if not near:
        return f"{best}: no other lies within"
    count = "all" if near == others else f"{near} of the"
    return f"{best}: {count} {others} next best {'lies' if near == 1 else 'lie'} within"
