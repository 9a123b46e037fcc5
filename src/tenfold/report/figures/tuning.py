"""Our figures of searches: the leaderboard with the noise of seeds, the race, a grid against random search."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from tenfold.report.figures import style
from tenfold.report.figures.style import headline, panel, shown
from tenfold.tune.study import Result, Trial, ranked

TABLE, GAP, SLANTED = 4.4, 0.13, 0.26  # inches: the widest table of values; between columns; between slanted heads
CHARACTER = 0.059  # inches: the width of a character in the table
CLOCKS = {"trials": "trials", "seconds": "seconds of training"}  # and the label of the axis
EQUAL = 5e-5  # accuracies that differ by less are written as 0.00 points apart

Curve = tuple[np.ndarray, np.ndarray]  # when trials ended, and the best accuracy by then


def leaderboard(result: Result, noise: float | None, top: int = 20) -> Figure:
    """Draw the `top` complete trials as dots, the best first; at least one is complete.

    `noise` is the standard deviation over seeds of one recipe, None if unknown: trials within it may be as good.
    """
    best = ranked(result.trials)[:top]
    figure, ((axis,),) = style.new(1.6 + 0.2 * max(len(best), 3))
    reached = np.array([trial.accuracy for trial in best])
    band = noise or 0.0
    near = reached >= reached[0] - band - 1e-12 if noise is not None else np.ones(len(best), bool)
    lowest, highest = min(style.lowest_shown(reached), reached[0] - band), min(reached[0] + band, 1)
    if noise is not None:
        label = "best ± 1 sd over seeds"
        axis.axvspan(reached[0] - band, highest, color=style.COLOURS[5], alpha=0.25, linewidth=0, label=label)
        axis.axvline(reached[0], color=style.COLOURS[0], linewidth=0.8, linestyle="--")
    low = reached < lowest
    for rows, marker, face, label in (
        (near, "o", style.COLOURS[0], "within it"),
        (~near & ~low, "o", "white", "below it"),
        (low, "<", "white", "lower than the axis"),
    ):
        if rows.any():
            x, y = reached[rows].clip(lowest), np.flatnonzero(rows)
            axis.plot(x, y, marker, color=style.COLOURS[0], markerfacecolor=face, markersize=5, label=label)
    style.accuracy_axis(axis, lowest, highest, horizontal=True, most=4)
    axis.set(ylim=(max(len(best), 3) - 0.5, -0.5), yticks=range(len(best)), yticklabels=[], xlabel=style.ACCURACY)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=7.5)
    axis.grid(visible=True)
    _table(axis, [("trial", [str(trial.number) for trial in best]), *_differing(best)])
    if noise is not None:
        style.legend(figure, axis, 4)
    headline(figure, _within(reached, int(near.sum()) - 1, noise))
    return figure


def _table(axis: Axes, columns: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Write columns, each a head and its cells, to the left of an axis with the same rows, as far as there is room."""
    widths = [max(GAP + CHARACTER * max(map(len, cells)), SLANTED) for _, cells in columns]
    room = int(np.sum(np.cumsum(widths) <= TABLE))
    left = -sum(widths[:room])
    for (head, cells), width in zip(columns[:room], widths, strict=False):
        left += width
        place = axis.get_yaxis_transform() + ScaledTranslation(left - GAP, 0, axis.figure.dpi_scale_trans)
        axis.text(0, -0.75, shown(head, 18), transform=place, rotation=40, rotation_mode="anchor", fontsize=7)
        for y, cell in enumerate(cells):
            axis.text(0, y, cell, transform=place, ha="right", va="center", fontsize=7)
    if room < len(columns):
        more = f"{len(columns) - room} more differ"
        axis.text(0, len(cells), more, transform=place, ha="right", va="center", fontsize=7, color=style.MUTED)


def _differing(best: Sequence[Trial]) -> list[tuple[str, list[str]]]:
    """Return the parameters in which trials differ, with the value of each trial."""
    names = dict.fromkeys(name for trial in best for name in trial.point)
    columns = [(name, [shown(style.number(trial.point.get(name)), 10) for trial in best]) for name in names]
    return [column for column in columns if len(set(column[1])) > 1]


def _within(reached: np.ndarray, near: int, noise: float | None) -> str:
    """Count the trials after the best that could be as good as it is."""
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


def race(searches: Mapping[str, Sequence[Result]]) -> Figure:
    """Draw the best accuracy so far of searches: the mean over the seeds of each, and a band from least to largest.

    A line begins when each of its seeds has a complete trial and ends with the shortest of them, so that it is always
    the mean of the same seeds. The headline compares the searches where the first of all seeds ends. Each search has
    one seed or more, each seed a complete trial.
    """
    figure, (axes,) = style.new(3.9, 1, 2, sharey=True)
    findings, reached = [], []
    for axis, (clock, unit) in zip(axes, CLOCKS.items(), strict=True):
        curves = {name: [best_so_far(result, clock) for result in seeds] for name, seeds in searches.items()}
        reached += [_line(axis, seeds, name, place) for place, (name, seeds) in enumerate(curves.items())]
        stop = min(float(times[-1]) for seeds in curves.values() for times, _ in seeds)
        axis.axvline(stop, color=style.MUTED, linewidth=1, linestyle=":")
        moment = f"{stop:.0f} trial{'s' * (stop != 1)}" if clock == "trials" else f"{stop:,.3g} s"
        panel(axis, f"equal {clock}: compared after {moment}")
        findings.append(f"After {moment} {_lead(curves, stop)}")
        axis.set(xlabel=unit, xlim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10), integer=clock == "trials"))
        axis.grid(visible=True)
    axes[0].set_ylabel(style.ACCURACY)
    if len(values := np.concatenate(reached)):
        style.accuracy_axis(axes[0], style.lowest_shown(values), float(values.max()))
    title = "best so far: mean over seeds; band from the least to the largest"
    style.legend(figure, axes[0], 4, title=title, alignment="left", title_fontsize=8)
    headline(figure, ".\n".join(findings))
    return figure


def best_so_far(result: Result, clock: str) -> Curve:
    """Return when the trials of a search ended, in trials or seconds, and the best accuracy by then (-inf: none)."""
    ended = [trial for trial in result.trials if trial.finished]
    accuracies = [trial.accuracy if trial.state == "complete" else None for trial in ended]
    costs = [1.0 if clock == "trials" else trial.seconds for trial in ended]
    return np.cumsum(costs), np.maximum.accumulate([-np.inf if one is None else one for one in accuracies])


def _at(seeds: Sequence[Curve], moments: np.ndarray) -> np.ndarray:
    """Return the best accuracy of each seed at each moment, `[seeds, moments]`."""
    return np.stack([np.append(-np.inf, best)[np.searchsorted(times, moments, "right")] for times, best in seeds])


def _line(axis: Axes, seeds: Sequence[Curve], name: str, place: int) -> np.ndarray:
    """Draw the mean and the band of a search; return all accuracies in them."""
    moments = np.unique(np.concatenate([times for times, _ in seeds]))
    reached = _at(seeds, moments)
    shared = np.isfinite(reached).all(0) & (moments <= min(times[-1] for times, _ in seeds))
    moments, reached = moments[shared], reached[:, shared]
    line = style.series(place) | {"linestyle": style.LINES[place % len(style.LINES)], "drawstyle": "steps-post"}
    shade = {"color": line["color"], "alpha": 0.15, "linewidth": 0}
    axis.fill_between(moments, reached.min(0), reached.max(0), step="post", **shade)
    label = f"{shown(name)}, {len(seeds)} seed{'s' * (len(seeds) != 1)}"
    axis.plot(moments, reached.mean(0), **line, markevery=max(1, len(moments) // 6), markersize=4.5, label=label)
    return reached.ravel()


def _lead(curves: Mapping[str, Sequence[Curve]], stop: float) -> str:
    """Name the search that leads at the moment `stop`, its lead, and if the bands of the seeds are apart."""
    reached = {shown(name): _at(seeds, np.array([stop])) for name, seeds in curves.items()}
    order = [name for name in reached if np.isfinite(reached[name]).all()]
    order.sort(key=lambda name: -reached[name].mean())
    if not order:
        return "no search has a complete trial with each seed"
    best = reached[order[0]]
    if len(order) == 1:
        return f"{order[0]} has {best.mean():.2%} ({best.min():.2%} to {best.max():.2%})"
    second = reached[order[1]]
    gap = best.mean() - second.mean()
    if gap < EQUAL:
        return f"{order[0]} and {order[1]} are level: {best.mean():.2%}"
    lead = f"{order[0]} leads {order[1]} by {100 * gap:.2f} points ({best.mean():.2%})"
    if min(len(best), len(second)) < 2:
        return f"{lead}; one seed, so maybe luck"
    return f"{lead}; the bands {'overlap' if best.min() <= second.max() else 'are apart'}"


def layout(searches: Mapping[str, Result], important: str, unimportant: str) -> Figure:
    """Draw the trials of searches of one space in two numeric parameters, and the accuracy at each value.

    Accuracies far below the others are at the edge. After Bergstra and Bengio, JMLR 13 (2012), figure 1.
    """
    names = important, unimportant
    space = next(iter(searches.values())).question.space
    scale = {parameter.name: "log" if parameter.log else "linear" for parameter in space.parameters}
    placed = {
        kind: [t for t in one.trials if t.finished and set(names) <= set(t.point)] for kind, one in searches.items()
    }
    everything = [trial for trials in placed.values() for trial in trials]
    accuracies = np.array([trial.accuracy for trial in everything if trial.state == "complete"])
    lowest, highest = style.lowest_shown(accuracies), float(accuracies.max())
    ratios = {"width_ratios": [3.2, 1] * len(placed), "height_ratios": [1, 2.6]}
    figure, axes = style.new(4.1, 2, 2 * len(placed), sharex="col", sharey="row", gridspec_kw=ratios)
    figure.set_layout_engine("constrained", w_pad=0.12)  # inches: the ticks of neighbours do not meet
    for place, (kind, trials) in enumerate(placed.items()):
        above, corner, middle, beside = axes[:, 2 * place : 2 * place + 2].flat
        corner.set_axis_off()
        x, y = (np.array([float(trial.point[name]) for trial in trials]) for name in names)
        reached = np.array([t.accuracy if t.state == "complete" else np.nan for t in trials], float).clip(lowest)
        for axis, *pair in ((above, x, reached), (middle, x, y), (beside, reached, y)):
            axis.plot(*pair, linestyle="", **style.series(place), alpha=0.6, markersize=4.5)
            axis.grid(visible=True)
        # Each trial is a stroke on both axes, and both searches have the same axes.
        stroke = {"linestyle": "", "color": style.INK, "markersize": 14, "markeredgewidth": 0.8}
        middle.plot(x, np.zeros(len(x)), marker="|", transform=middle.get_xaxis_transform(), **stroke)
        middle.plot(np.zeros(len(y)), y, marker="_", transform=middle.get_yaxis_transform(), **stroke)
        middle.plot(*([float(t.point[name]) for t in everything] for name in names), alpha=0)
        middle.set(xscale=scale[important], yscale=scale[unimportant], xlabel=important)
        for line in (middle.xaxis, middle.yaxis):
            if line.get_scale() == "log":
                style.logarithmic_ticks(line)
        style.accuracy_axis(above, lowest, highest, most=4)
        style.accuracy_axis(beside, lowest, highest, horizontal=True, most=2)
        beside.set_xlabel("accuracy", fontsize=7.5)
        panel(above, f"{shown(kind)}: {len(trials)} trials")
    axes[0, 0].set_ylabel("accuracy", fontsize=7.5)
    axes[1, 0].set_ylabel(unimportant)
    tried = {kind: len({trial.point[important] for trial in trials}) for kind, trials in placed.items()}
    values = ", ".join(f"{count} by {shown(kind)}" for kind, count in tried.items())
    headline(figure, f"Values of {important} tried: {values}")
    return figure
