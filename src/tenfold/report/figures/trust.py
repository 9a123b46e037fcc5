"""Trust in a model: calibration, accuracy on the most confident answers, intervals, the spread over seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold import statistics
from tenfold.report.figures import style
from tenfold.report.figures.style import accuracy_axis, headline, panel, shown
from tenfold.statistics import BINS, CalibrationBins, Comparison

MARKS = {"validation": ("o", "white", style.COLOURS[0]), "test": ("s", style.COLOURS[4], style.COLOURS[4])}


@dataclass(frozen=True)
class Row:
    """A model's accuracy on one split ("validation" or "test") with its interval, all in 0 to 1."""

    name: str
    split: str
    accuracy: float
    interval: tuple[float, float]


def reliability(before: np.ndarray, after: np.ndarray | None, labels: np.ndarray) -> Figure:
    """Draw accuracy against confidence and the pictures per bin, before and after temperature scaling.

    Both are probabilities `[N, classes]`, of the pictures that the temperature was fitted on; None where there is no
    temperature. `labels` are int64 `[N]`. Bars are 95% intervals (Wilson).
    """
    scaled = [statistics.calibration_bins(p, labels) for p in (before, after) if p is not None]
    figure, axes = style.new(4.4, 2, len(scaled), sharex=True, sharey="row", height_ratios=(2.6, 1))
    titles = ("before", "after temperature scaling") if after is not None else ("not calibrated",)
    for column, (bins, title) in enumerate(zip(scaled, titles, strict=True)):
        _calibration(axes[0, column], bins)
        panel(axes[0, column], title)
        centres = 100 * (np.arange(BINS) + 0.5) / BINS
        axes[1, column].bar(centres, bins.pictures, width=90 / BINS, color=style.COLOURS[0])
        axes[1, column].set_xlabel("confidence, %")
        axes[1, column].set_xticks(range(0, 101, 25))
    axes[0, 0].set_ylabel("accuracy, %")
    ticks = [tick for tick in (1, 10, 100, 1_000, 10_000) if tick <= len(labels)]
    axes[1, 0].set(yscale="log", ylim=(0.7, 2 * len(labels)), ylabel="pictures", yticks=ticks)
    axes[1, 0].yaxis.set_major_formatter("{x:,.0f}")
    axes[1, 0].minorticks_off()
    errors = [100 * bins.expected_calibration_error for bins in scaled]
    text = f"Calibration error: {errors[0]:.2f}%"
    if after is not None:
        text += f" before temperature scaling, {errors[1]:.2f}% after, on the pictures it was fitted on"
    headline(figure, text)
    return figure


def selective(models: Sequence[tuple[str, np.ndarray]], labels: np.ndarray) -> Figure:
    """Draw accuracy against the share answered, the most confident first, for names and probabilities `[N, C]`."""
    figure, ((axis,),) = style.new(3.2)
    flawless, lowest = [], 99.0
    for at, (name, p) in enumerate(models):
        share, accuracy = statistics.selective_accuracy(p, labels)
        dashes = style.LINES[at % len(style.LINES)]
        axis.plot(
            100 * share, 100 * accuracy, dashes, **style.series(at), markevery=[-1], clip_on=False, label=shown(name)
        )
        lowest = min(lowest, 100 * float(accuracy.min()))
        flawless.append(float(share[accuracy == 1].max(initial=0)))
    axis.set(xlim=(0, 100), xlabel="pictures answered, the surest first, %")
    axis.set(ylim=(lowest - 0.05 * (100 - lowest), 100), ylabel="accuracy on them, %")
    axis.grid(visible=True)
    axis.legend(loc="lower left", fontsize=8, frameon=False, handlelength=3)
    best = [shown(name) for (name, _), share in zip(models, flawless, strict=True) if share == max(flawless)]
    verb = "answers" if len(best) == 1 else "answer"
    headline(figure, f"{style.listed(best)} {verb} the surest {100 * max(flawless):.1f}% without an error")
    return figure


def forest(rows: Sequence[Row], comparisons: Sequence[tuple[int, int, Comparison]]) -> Figure:
    """Draw accuracies with their intervals, the best of each split first, and how the others compare with it.

    `comparisons` are McNemar's tests of pairs of rows, by their indices; those with the best row are shown.
    """
    order = sorted(range(len(rows)), key=lambda at: (rows[at].split != "validation", -rows[at].accuracy))
    verdicts = _verdicts(rows, order, comparisons)
    figure, ((axis,),) = style.new(0.95 + 0.27 * len(rows))
    for y, at in enumerate(order):
        row = rows[at]
        marker, face, edge = MARKS[row.split]
        axis.plot(row.interval, [y, y], color=edge, linewidth=1.5)
        axis.plot(row.accuracy, y, marker, markerfacecolor=face, color=edge, linestyle="", label=row.split)
        text = f"{row.accuracy:.2%} ({100 * row.interval[0]:.2f} to {100 * row.interval[1]:.2f})  {verdicts[at]}"
        axis.text(1.02, y, text, transform=axis.get_yaxis_transform(), va="center", fontsize=7.5, color=style.INK)
    head = "accuracy (95% interval)" + ("  beside the best" if any(verdicts) else "")
    axis.annotate(head, (1.02, 1), (0, 3), "axes fraction", "offset points", fontsize=7.5, color=style.MUTED)
    low, high = zip(*(row.interval for row in rows), strict=True)
    accuracy_axis(axis, min(low), max(high), horizontal=True, most=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_yticks(range(len(rows)), [shown(rows[at].name, 28) for at in order], fontsize=8)
    axis.set(ylim=(len(rows) - 0.5, -0.5), xlabel="accuracy with its 95% interval (logarithmic in the errors)")
    axis.grid(visible=True, axis="x")
    if len({row.split for row in rows}) > 1:
        style.legend(figure, axis)
    headline(figure, _best(rows, order, verdicts))
    return figure


def seed_spread(groups: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """Draw the accuracies of each recipe (float `[seeds]`, 0 to 1): a dot per seed, the mean and its t-interval."""
    figure, ((axis,),) = style.new(0.9 + 0.42 * len(groups))
    findings = []
    for y, (name, accuracies) in enumerate(groups):
        values = 100 * accuracies
        axis.plot(values, np.full(len(values), y - 0.13), "o", markersize=4, alpha=0.7, color=style.COLOURS[0])
        if len(values) > 1:
            spread = statistics.over_seeds(values)
            bar = {"marker": "|", "markersize": 10, "color": style.COLOURS[4], "capsize": 3}
            low, high = spread.interval
            axis.errorbar(spread.mean, y + 0.17, xerr=[[spread.mean - low], [high - spread.mean]], **bar)
            findings.append((spread.mean, f"{shown(name)}: {spread.mean:.2f}% ± {spread.sd:.2f} over {spread.n} seeds"))
    labels = [f"{shown(name, 28)}\n{len(values)} seed{'s' * (len(values) > 1)}" for name, values in groups]
    axis.set_yticks(range(len(groups)), labels, fontsize=8)
    axis.set_xlim(right=min(100, axis.get_xlim()[1]))
    label = "accuracy, %: a dot per seed; bar: mean with its 95% t-interval"
    axis.set(ylim=(len(groups) - 0.5, -0.5), xlabel=label)
    axis.grid(visible=True, axis="x")
    headline(figure, max(findings)[1] if findings else "One seed per recipe: nothing is known of their spread")
    return figure


def _calibration(axis: Axes, bins: CalibrationBins) -> None:
    """Draw a dot with its interval for each bin that has pictures, and the line of honest confidence."""
    filled = np.flatnonzero(bins.pictures)
    confidence = 100 * bins.confidence[filled] / bins.pictures[filled]
    accuracy = 100 * bins.right[filled] / bins.pictures[filled]
    pairs = zip(bins.right[filled], bins.pictures[filled], strict=True)
    ends = 100 * np.array([statistics.wilson_interval(int(right), int(total)) for right, total in pairs])
    axis.plot([0, 100], [0, 100], "--", color=style.MUTED, linewidth=1, label="confidence = accuracy")
    reach = np.abs(ends.T - accuracy)  # [2, bins]
    axis.errorbar(
        confidence, accuracy, yerr=reach, fmt="o-", color=style.COLOURS[0], linewidth=1, markersize=4, clip_on=False
    )
    axis.set(xlim=(0, 100), ylim=(0, 100))
    axis.legend(loc="upper left", fontsize=8, frameon=False)


def _verdicts(rows: Sequence[Row], order: list[int], comparisons: Sequence[tuple[int, int, Comparison]]) -> list[str]:
    """Return the verdict of McNemar's test on each row and the best of its split; "" where nothing was tested."""
    best = {rows[at].split: at for at in reversed(order)}
    rivals = Counter(row.split for row in rows)
    verdicts = ["best" if at == best[row.split] and rivals[row.split] > 1 else "" for at, row in enumerate(rows)]
    for first, second, test in comparisons:
        for one, other in ((first, second), (second, first)):
            if one == best[rows[other].split]:
                verdict = "tied" if test.verdict == "tied" else "worse"
                p = "< 0.001" if test.p_value < 0.001 else f"= {test.p_value:.2g}"
                verdicts[other] = f"{verdict}, p {p}"
    return verdicts


def _best(rows: Sequence[Row], order: list[int], verdicts: list[str]) -> str:
    first = rows[order[0]]
    tied = [shown(rows[at].name) for at in order if rows[at].split == first.split and verdicts[at].startswith("tied")]
    beside = f"; {style.listed(tied)} {'is' if len(tied) == 1 else 'are'} tied with it" if tied else ""
    most = "is best on" if verdicts[order[0]] else "on"
    return f"{shown(first.name)} {most} {first.split} pictures: {first.accuracy:.2%}{beside}"
