"""How searches went: the best so far by trials and by seconds, and over several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tenfold.report.figures import style
from tenfold.report.figures.scales import accuracy_axis
from tenfold.report.figures.texts import headline, panel, shown
from tenfold.report.figures.tuning import (
    LOWER,
    Trial,
    accuracies,
    census,
    dots,
    empty,
    lowest_shown,
    scored,
)

CLOCKS = {"trials": "trials", "seconds": "seconds of training"}  # and what the axis is called
LINES = ("-", "--", "-.", ":")
LEGEND: Any = {"loc": "outside lower left", "ncols": 4, "fontsize": 8, "frameon": False, "handlelength": 3}
FAINT: Any = {"alpha": 0.35, "markersize": 3.5, "markeredgewidth": 0.7}  # a trial
ACCURACY = "validation accuracy\n(logarithmic in the errors)"
LEVEL = 5e-5  # accuracies nearer to each other are 0.00 points apart


@dataclass(frozen=True)
class Climb:
    """The best accuracy so far of one search: `best[k]` from `at[k]` trials or seconds on, until `end`."""

    at: np.ndarray
    best: np.ndarray
    end: float

    def after(self, moments: np.ndarray) -> np.ndarray:
        """Return the best accuracy at moments, none of them before the first complete trial."""
        reached: np.ndarray = self.best[np.searchsorted(self.at, moments, side="right") - 1]
        return reached


def progress(searches: Mapping[str, Sequence[Trial]]) -> Figure:
    """Draw every trial's accuracy and the best so far, against the number of trials and against seconds.

    Trials count in the order in which they are given, failed ones too; only complete ones can be the best.
    """
    figure, (axes,) = style.new(3.8, 1, 2, sharey=True)
    everything = [trial for trials in searches.values() for trial in trials]
    ended = accuracies(scored(everything, "complete") + scored(everything, "pruned"))
    lowest = lowest_shown(ended)
    for axis, clock in zip(axes, CLOCKS, strict=True):
        for at, trials in enumerate(searches.values()):
            _search(axis, trials, clock, lowest, look(at))
        _clock_axis(axis, clock)
    if len(ended):
        axes[0].set_ylabel(ACCURACY)
        accuracy_axis(axes[0], lowest, float(ended.max()))
        kinds = (
            ("o", "a trial", True),
            ("x", "pruned", scored(everything, "pruned")),
            ("v", LOWER, ended.min() < lowest),
        )
        handles = [Line2D([], [], label=shown(name), **look(at)) for at, name in enumerate(searches)]
        handles += [
            Line2D([], [], marker=marker, label=label, linestyle="", color=style.MUTED, markersize=4)
            for marker, label, there in kinds
            if there
        ]
        figure.legend(handles=handles, **LEGEND)
    else:
        empty(axes[0], "no trial has an accuracy")
        axes[1].set_axis_off()
    headline(figure, _found(searches))
    return figure


def race(races: Mapping[str, Sequence[Sequence[Trial]]]) -> Figure:
    """Draw the best so far of searches over several seeds each: its mean, and a band from the least to the largest.

    A line begins when each of its seeds has a complete trial and ends with the first of them, so that it is always
    the mean of the same seeds. Searches are compared where the first of all ends.
    """
    figure, (axes,) = style.new(3.9, 1, 2, sharey=True)
    findings, drawn = [], []
    for axis, clock in zip(axes, CLOCKS, strict=True):
        climbs = {name: [_climb(trials, clock) for trials in seeds] for name, seeds in races.items()}
        climbs = {name: seeds for name, seeds in climbs.items() if seeds and all(len(seed.at) for seed in seeds)}
        drawn += [_band(axis, climbs[name], look(at)) for at, name in enumerate(races) if name in climbs]
        if climbs:
            ends = {seed.end for seeds in climbs.values() for seed in seeds}
            if len(ends) > 1:
                axis.axvline(min(ends), color=style.MUTED, linewidth=1, linestyle=":")
            moment = counted(int(min(ends))) if clock == "trials" else _seconds(min(ends))
            panel(axis, f"equal {clock}: compared after {moment}")
            findings.append(f"After {moment} {_lead(climbs, min(ends))}")
        _clock_axis(axis, clock)
    values = np.concatenate([[], *drawn])
    if len(values):
        axes[0].set_ylabel(ACCURACY)
        accuracy_axis(axes[0], lowest_shown(values), float(values.max()))
        handles = []
        for at, (name, seeds) in enumerate(races.items()):
            lacking = "" if name in climbs else " (one without a complete trial)"
            label = f"{shown(name)}, {len(seeds)} seed{'s' * (len(seeds) != 1)}{lacking}"
            handles.append(Line2D([], [], label=label, **look(at)))
        title = "best so far: mean over seeds; band from the least to the largest"
        figure.legend(handles=handles, title=title, title_fontsize=8, alignment="left", **LEGEND)
    else:
        empty(axes[0], "no search has a complete trial with each seed")
        axes[1].set_axis_off()
    headline(figure, "\n".join(findings) or "No search can be compared")
    return figure


def _times(trials: Sequence[Trial], clock: str) -> np.ndarray:
    """Return when trials ended, in trials or in seconds."""
    return np.array([at if clock == "trials" else trial.seconds for at, trial in enumerate(trials, 1)], np.float64)


def _climb(trials: Sequence[Trial], clock: str) -> Climb:
    times = _times(trials, clock)
    complete = np.array([trial.state == "complete" and trial.accuracy is not None for trial in trials], bool)
    order = np.argsort(times[complete], kind="stable")
    reached = accuracies(scored(trials, "complete"))[order]
    better = reached > np.maximum.accumulate(np.append(-1, reached))[:-1]  # than all before
    return Climb(times[complete][order][better], reached[better], float(times.max(initial=0)))


def _search(axis: Axes, trials: Sequence[Trial], clock: str, lowest: float, line: dict[str, Any]) -> None:
    """Draw a search's trials as faint dots and the best so far as a line with a marker where it changes."""
    times = _times(trials, clock)
    for state, marker in (("complete", line["marker"]), ("pruned", "x")):
        some = [at for at, trial in enumerate(trials) if trial.state == state and trial.accuracy is not None]
        y = accuracies([trials[at] for at in some])
        dots(axis, times[some], y, lowest, **FAINT, color=line["color"], marker=marker)
    climb = _climb(trials, clock)
    if len(climb.at):
        x, y = np.append(climb.at, climb.end), np.append(climb.best, climb.best[-1])
        axis.plot(x, y, drawstyle="steps-post", markevery=slice(0, -1), **line)


def _band(axis: Axes, seeds: Sequence[Climb], line: dict[str, Any]) -> np.ndarray:
    """Draw mean and band of the seeds of one search; return all that they reached, `[seeds * moments]`."""
    first, end = max(seed.at[0] for seed in seeds), min(seed.end for seed in seeds)
    moments: np.ndarray = np.unique(np.concatenate([[first, end], *(seed.at for seed in seeds)]))
    moments = moments[(moments >= first) & (moments <= end)]
    if not len(moments):  # a seed ended before another had a complete trial
        return moments
    reached = np.stack([seed.after(moments) for seed in seeds])  # [seeds, moments]
    axis.fill_between(
        moments, reached.min(0), reached.max(0), step="post", color=line["color"], alpha=0.15, linewidth=0
    )
    every = max(1, len(moments) // 6)
    axis.plot(moments, reached.mean(0), drawstyle="steps-post", markevery=every, **line)
    result: np.ndarray = reached.ravel()
    return result


def _clock_axis(axis: Axes, clock: str) -> None:
    axis.set_xlabel(CLOCKS[clock])
    axis.set_xlim(left=0)
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10), integer=clock == "trials"))
    axis.xaxis.set_major_formatter("{x:,.6g}")
    axis.grid(visible=True)
    axis.set_axisbelow(True)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _found(searches: Mapping[str, Sequence[Trial]]) -> str:
    """Say which search found the best trial, and when."""
    climbs = {name: _climb(trials, "trials") for name, trials in searches.items()}
    order = sorted((name for name in climbs if len(climbs[name].at)), key=lambda name: -climbs[name].best[-1])
    if not order:
        return census([trial for trials in searches.values() for trial in trials])
    best = float(climbs[order[0]].best[-1])
    level = [shown(name) for name in order if best - climbs[name].best[-1] < LEVEL]
    trials, number = searches[order[0]], int(climbs[order[0]].at[-1])
    when = f"after {number} of {len(trials)} trials and {_seconds(trials[number - 1].seconds)}"
    if len(searches) == 1:
        return f"Best is {best:.2%}, {when}: {census(trials)}"
    if len(level) > 1:
        finding = f"{', '.join(level[:-1])} and {level[-1]} reach the same: {best:.2%}"
    else:
        finding = f"{level[0]} finds the best: {best:.2%} {when}"
    return "; ".join([finding, *(f"{shown(name)} {climbs[name].best[-1]:.2%}" for name in order[len(level) :])])


def _lead(climbs: Mapping[str, Sequence[Climb]], stop: float) -> str:
    """Say which search leads at the moment `stop`, by how much, and whether that is more than seeds differ."""
    reached = {
        name: np.array([float(seed.after(np.array(stop))) for seed in seeds])
        for name, seeds in climbs.items()
        if all(seed.at[0] <= stop for seed in seeds)
    }
    order = sorted(reached, key=lambda name: -reached[name].mean())
    if not order:
        return "no search has a complete trial with each seed"
    best, *others = (reached[name] for name in order)
    names = [shown(name) for name in order]
    if not others:
        spread = f" ({best.min():.2%} to {best.max():.2%})" if len(best) > 1 else ""
        return f"{names[0]} has {best.mean():.2%}{spread}"
    gap = best.mean() - others[0].mean()
    if gap < LEVEL:
        return f"{names[0]} and {names[1]} are level: {best.mean():.2%}"
    lead = f"{names[0]} leads {names[1]} by {100 * gap:.2f} points ({best.mean():.2%})"
    if min(len(best), len(others[0])) < 2:
        return f"{lead}; with one seed, this may be luck"
    return f"{lead}; the bands {'overlap' if best.min() <= others[0].max() else 'are apart'}"


def look(at: int) -> dict[str, Any]:
    """Return how the line of a search is drawn, by its place."""
    kinds = {"color": style.COLOURS, "marker": style.MARKERS, "linestyle": LINES}
    return {key: values[at % len(values)] for key, values in kinds.items()} | {"markersize": 4.5, "linewidth": 1.4}


def counted(count: int) -> str:
    """Return a number of trials."""
    return f"{count} trial{'s' * (count != 1)}"
