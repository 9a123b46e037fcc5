"""What hyperparameters did to accuracy: one at a time, and all at once."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.markers import TICKLEFT
from matplotlib.patheffects import withStroke

from tenfold.report.figures import style
from tenfold.report.figures.scales import (
    Ruler,
    Value,
    accuracy_at,
    accuracy_axis,
    accuracy_ticks,
    ends,
    height,
    percent,
    text,
)
from tenfold.report.figures.texts import headline
from tenfold.report.figures.tuning import (
    Trial,
    accuracies,
    brief,
    census,
    dots,
    empty,
    lowest_shown,
    ranked,
    scored,
)

BEST = 5  # trials that stand out
COLUMNS = 3  # of panels
SPREAD, GOLDEN = 0.2, 0.618  # of the way to the next choice: how far points spread, and the step that does so evenly
AGREED = 1 / 3  # of the range tried: the best trials agree on a number if they lie within as much
NAMED = 4  # parameters in a headline
UNDER = -0.12  # where a line passes below the axis of a parameter that its trial does not have
SHADES = LinearSegmentedColormap.from_list("tenfold-lines", ["#c8d3da", "#56B4E9", "#0072B2", "#00263e"])


def slices(trials: Sequence[Trial], logarithmic: Collection[str]) -> Figure:
    """Draw accuracy against the values of each parameter, a panel each; the scales of some are `logarithmic`."""
    rulers = _rulers(trials, logarithmic)
    rows = max(-(-len(rulers) // COLUMNS), 1)
    figure, axes = style.new(0.9 + 1.95 * rows, rows, max(min(len(rulers), COLUMNS), 1), sharey=True)
    ended = scored(trials, "complete") + scored(trials, "pruned")
    for axis in axes.flat[max(len(rulers), 1) :]:
        axis.set_axis_off()
    if ended and rulers:
        lowest = lowest_shown(accuracies(ended))
        for (name, ruler), axis in zip(rulers.items(), axes.flat, strict=False):
            _slice(axis, name, ruler, trials, lowest)
        for axis in axes[:, 0]:
            axis.set_ylabel("validation accuracy\n(logarithmic in the errors)", fontsize=8)
        accuracy_axis(axes[0, 0], lowest, float(accuracies(ended).max()))
        _legend(figure)
    else:
        empty(axes[0, 0], "no trial has an accuracy" if rulers else "no parameter was varied")
    headline(figure, _summary(trials))
    return figure


def parallel_coordinates(trials: Sequence[Trial], logarithmic: Collection[str]) -> Figure:
    """Draw each trial as a line over an axis a parameter to its accuracy; the scales of some are `logarithmic`.

    A line passes below the axes of parameters that its trial does not have.
    """
    rulers = _rulers(trials, logarithmic)
    best, pruned = ranked(trials), scored(trials, "pruned")
    figure, ((axis,),) = style.new(4.6)
    axis.spines[:].set_visible(False)
    reached = accuracies(best + pruned)
    if len(reached):
        lowest = lowest_shown(reached)
        reach = ends(lowest, float(reached.max()))
        faint = 0.8 if len(best) < 100 else 0.5
        _lines(axis, pruned, rulers, reach, label="pruned", linestyle=":", linewidth=0.8, alpha=faint)
        _lines(axis, best[: BEST - 1 : -1], rulers, reach, label="complete", linewidth=0.9, alpha=faint)
        halo = [withStroke(linewidth=4, foreground="white")]
        label = _best_few(best)
        _lines(axis, best[:BEST][::-1], rulers, reach, label=label, linewidth=2.2, path_effects=halo)
        for at, (name, ruler) in enumerate(rulers.items()):
            _scale(axis, at, brief(name, 20), ruler.ticks())
        lacking = any(name not in trial.values for trial in best + pruned for name in rulers)
        if lacking:
            axis.text(-0.1, UNDER, "not set", ha="right", va="center", fontsize=7, color=style.MUTED)
        axis.set(xlim=(-0.5, len(rulers) + 0.35), ylim=(UNDER - 0.04 if lacking else -0.04, 1.02), xticks=[], yticks=[])
        _accuracy_scale(axis, len(rulers), reach, below=bool(reached.min() < lowest))
        _legend(figure)
    else:
        empty(axis, "no trial has an accuracy")
    headline(figure, _agreement(best, rulers) or _summary(trials))
    return figure


def _rulers(trials: Sequence[Trial], logarithmic: Collection[str]) -> dict[str, Ruler]:
    """Return the scale of each parameter, in the order in which trials name them."""
    tried: dict[str, list[Value]] = {}
    for trial in trials:
        for name, value in trial.values.items():
            tried.setdefault(name, []).append(value)
    return {name: Ruler(values, name in logarithmic) for name, values in tried.items()}


def _legend(figure: Figure) -> None:
    """Write one legend of all axes under them."""
    pairs = [pair for axis in figure.axes for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in pairs}
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=5, fontsize=8, frameon=False)


def _slice(axis: Axes, name: str, ruler: Ruler, trials: Sequence[Trial], lowest: float) -> None:
    """Draw the trials that have the parameter, the best of all on top; what is below `lowest` at the edge."""
    complete = ranked(trials)
    looks = (
        (scored(trials, "pruned"), "pruned", "x", style.MUTED, 1, 4),
        (complete[BEST:], "complete", "o", style.COLOURS[0], 0.5, 4),
        (complete[1:BEST], f"next best {BEST - 1}", "D", style.COLOURS[1], 1, 5),
        (complete[:1], "best", "*", style.COLOURS[4], 1, 12),
    )
    for members, label, marker, colour, alpha, size in looks:
        there = [trial for trial in members if name in trial.values]
        x = np.array([ruler.place(trial.values[name]) for trial in there])
        if ruler.choices:
            x += SPREAD * (2 * ((np.arange(len(x)) * GOLDEN + 0.5) % 1) - 1) / max(len(ruler.values) - 1, 1)
        look: dict[str, Any] = {"label": label, "marker": marker, "color": colour, "alpha": alpha, "markersize": size}
        dots(axis, x, accuracies(there), lowest, markeredgewidth=0.8, **look)
    ticks = ruler.ticks()
    slanted = sum(map(len, ticks.values())) > 22
    margin = (SPREAD + 0.1) / max(len(ruler.values) - 1, 1) if ruler.choices else 0.08
    axis.set_xticks(list(ticks), list(ticks.values()), fontsize=7, rotation=30 if slanted else 0)
    axis.set_xlim(-margin, 1 + margin)
    axis.tick_params(axis="y", labelsize=7.5)
    axis.grid(visible=True)
    axis.set_axisbelow(True)
    have = sum(name in trial.values for trial in trials)
    axis.set_xlabel(brief(name, 28) + (f" ({have} of {len(trials)} trials)" if have < len(trials) else ""), fontsize=8)
    if complete:
        axis.set_title(f"{_best_few(complete)}: {_span(complete[:BEST], name, ruler)}", fontsize=8)


def _best_few(complete: Sequence[Trial]) -> str:
    return f"best {min(len(complete), BEST)}" if len(complete) > 1 else "best"


def _span(best: Sequence[Trial], name: str, ruler: Ruler) -> str:
    """Say which values of a parameter trials have."""
    values = [trial.values[name] for trial in best if name in trial.values]
    if not values:
        return "without it"
    if ruler.choices:
        ((value, count),) = Counter(values).most_common(1)
        return f"{text(value)}{f', {count} of {len(best)}' if count < len(best) else ''}"
    low, high = min(values, key=ruler.place), max(values, key=ruler.place)
    have = f" ({len(values)} of {len(best)})" if len(values) < len(best) else ""
    return (text(low) if low == high else f"{text(low)} to {text(high)}") + have


def _summary(trials: Sequence[Trial]) -> str:
    """Say how many trials there are, and which is best."""
    complete = ranked(trials)
    if not complete:
        return census(trials)
    best = f"{complete[0].accuracy:.2%}"
    if len(complete) > 1 and complete[0].accuracy == complete[-1].accuracy:
        return f"{census(trials)}; all complete ones reach {best}"
    return f"{census(trials)}; best is trial {complete[0].number} with {best}"


def _lines(
    axis: Axes,
    trials: Sequence[Trial],
    rulers: Mapping[str, Ruler],
    reach: tuple[float, float],
    label: str,
    **look: Any,
) -> None:
    """Draw a line a trial; `reach` are the heights of the accuracies drawn at 0 and at 1."""
    levels = ((height(accuracies(trials)) - reach[0]) / (reach[1] - reach[0])).clip(0, 1)
    for trial, level in zip(trials, levels, strict=True):
        at = [ruler.place(trial.values[name]) if name in trial.values else UNDER for name, ruler in rulers.items()]
        axis.plot([*at, level], color=SHADES(level), **look)
    if trials:
        axis.plot([], [], color=SHADES(0.7), label=label, **look)  # for the legend


def _scale(axis: Axes, x: float, name: str, ticks: Mapping[float, str]) -> None:
    """Draw one of the upright axes of parallel coordinates: name, line, ticks."""
    axis.plot([x, x], [0, 1], color=style.INK, linewidth=0.8, zorder=3)
    axis.plot([x] * len(ticks), list(ticks), marker=TICKLEFT, linestyle="", color=style.INK, markersize=3, zorder=3)
    _beside(axis, x, 1, name, (-2, 5), rotation=25, rotation_mode="anchor", fontsize=7.5)
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for y, label in ticks.items():
        _beside(axis, x, y, label, (-5, 0), ha="right", va="center", fontsize=7, path_effects=halo, zorder=4)


def _accuracy_scale(axis: Axes, x: float, reach: tuple[float, float], below: bool) -> None:
    """Draw the axis that all lines end at: accuracies, and the colours that lines have."""
    strip = np.linspace(0, 1, 256)[:, None]
    axis.imshow(strip, SHADES, extent=(x, x + 0.012 * (x + 1), 0, 1), origin="lower", aspect="auto", zorder=3)
    low, high = accuracy_at(np.array(reach))
    for accuracy in accuracy_ticks(low, high):
        y = (float(height(np.array(accuracy))) - reach[0]) / (reach[1] - reach[0])
        _beside(axis, x, y, percent(accuracy), (9, 0), va="center", fontsize=7)
    _beside(axis, x, 1, "accuracy", (-2, 5), rotation=25, rotation_mode="anchor", fontsize=7.5, fontweight="bold")
    if below:
        _beside(axis, x, 0, "or lower", (9, 0), va="center", fontsize=7, color=style.MUTED)


def _beside(axis: Axes, x: float, y: float, words: str, offset: tuple[float, float], **look: Any) -> None:
    """Write words so many points off a place."""
    axis.annotate(words, (x, y), offset, textcoords="offset points", annotation_clip=False, **look)


def _agreement(best: Sequence[Trial], rulers: Mapping[str, Ruler]) -> str:
    """Say what the best trials have in common, "" where others are too few or as good."""
    top = best[:BEST]
    if len(best) < 2 * BEST or top[0].accuracy == best[-1].accuracy:
        return ""
    common = []
    for name, ruler in rulers.items():
        values = [trial.values[name] for trial in top if name in trial.values]
        places = [ruler.place(value) for value in values]
        if len(values) == BEST and len(ruler.values) > 1 and np.ptp(places) <= (0 if ruler.choices else AGREED):
            common.append(f"{brief(name, 24)} {_span(top, name, ruler)}")
    reached = f"The best {BEST} of {len(best)} complete trials ({top[-1].accuracy:.2%} to {top[0].accuracy:.2%})"
    more = f"; and {len(common) - NAMED} more" if len(common) > NAMED else ""
    return f"{reached} agree on {'; '.join(common[:NAMED]) or 'no parameter'}{more}"
