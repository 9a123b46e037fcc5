"""The course of training, from the histories of runs, finished or not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.report.figures import style
from tenfold.report.figures.style import accuracy_axis, headline, shown

History = Sequence[dict[str, Any]]
PARTS = (  # name, colour, line, marker, when it is measured
    ("train", style.COLOURS[0], "-", "o", "mean of the epoch so far"),
    ("validation", style.COLOURS[4], "--", "s", "after the epoch"),
)


def history(histories: Sequence[History], finished: Sequence[bool]) -> Figure:
    """Draw loss, accuracy and learning rate by epoch; a history per seed, as in `history.jsonl`, may be empty.

    Each seed is a line, and the range of all a band. Of a `finished` run the weights after its last epoch were kept;
    they are marked. During training, pictures are augmented and labels smoothed, so its loss can be the larger one.
    """
    figure, axes = style.new(5.6, 3, 1, sharex=True, height_ratios=(3, 3, 1.3))
    loss, accuracy, rate = axes[:, 0]
    kept = [one[-1] for one, done in zip(histories, finished, strict=True) if done and one]
    for axis, key in ((loss, "loss"), (accuracy, "accuracy")):
        for part, colour, line, marker, when in PARTS:
            lines = [_values(one, f"{part}_{key}") for one in histories]
            _seeds(axis, lines, colour, line, marker, f"{part}, {when}")
        if kept:
            values = [line.get(f"validation_{key}", line[f"train_{key}"]) for line in kept]
            epochs = [line["epoch"] for line in kept]
            axis.plot(epochs, values, "o", color=style.INK, fillstyle="none", markersize=9, label="kept")
        axis.grid(visible=True)
    _seeds(rate, [_values(one, "learning_rate") for one in histories], style.COLOURS[2], "-", "^", "")
    rate.grid(visible=True)
    losses, rates, accuracies = (
        [line[key] for one in histories for line in one for key in line if key.endswith(ending)]
        for ending in ("loss", "rate", "accuracy")
    )
    accuracy_axis(accuracy, min(accuracies, default=0), max(accuracies, default=0.99))
    accuracy.set_ylabel("accuracy\n(logarithmic in the errors)")
    loss.set(ylim=(0, 1.08 * max(losses, default=1)), ylabel="loss, nats")
    rate.set(ylim=(0, 1.08 * max(rates, default=1)), ylabel="learning\nrate")
    last = max((one[-1]["epoch"] for one in histories if one), default=1)
    rate.set(xlim=(0, 1.05 * last), xlabel="epoch (passes over the training pictures)")
    if any(histories):
        loss.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
    else:
        loss.text(0.5, 0.5, "no epoch has ended yet", ha="center", va="center", transform=loss.transAxes)
    headline(figure, _finding(histories, finished))
    return figure


def range_test(tests: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw the training loss while the learning rate rose: names and what `train.range_test` returned.

    Losses more than a third above the first one, or no numbers, leave the picture.
    """
    figure, ((axis,),) = style.new(3.3)
    lowest = {}
    for at, (name, (rates, losses)) in enumerate(tests.items()):
        (line,) = axis.plot(rates, losses, **style.series(at), markersize=3.5, linewidth=1.1, label=shown(name))
        lowest[name] = float(rates[np.nanargmin(losses)])
        axis.axvline(lowest[name], color=line.get_color(), linewidth=0.8, linestyle="--")
    axis.set(xscale="log", xlabel="learning rate, rising from step to step (logarithmic)")
    axis.set(ylim=(0, 4 / 3 * max(losses[0] for _, losses in tests.values())), ylabel="training loss, nats")
    axis.grid(visible=True)
    axis.legend(loc="lower left")
    ends = ", ".join(f"{shown(name)} {rate:.1g}" for name, rate in lowest.items())
    headline(figure, f"The learning rate at which the loss stops falling: {ends}")
    return figure


def _seeds(axis: Axes, lines: Sequence[np.ndarray], colour: str, line: str, marker: str, label: str) -> None:
    """Draw each seed's epochs and values `[E, 2]`, and the band from the least to the largest of them."""
    by_epoch: dict[float, list[float]] = defaultdict(list)
    for values in (values for values in lines if len(values)):
        (curve,) = axis.plot(*values.T, color=colour, linestyle=line, marker=marker, markersize=3.5, linewidth=1.1)
        curve.set_label("_" if by_epoch else label)  # one line of the legend for all seeds
        for epoch, value in values:
            by_epoch[epoch].append(value)
    shared = sorted(epoch for epoch, values_there in by_epoch.items() if len(values_there) > 1)
    if shared:
        low, high = ([reach(by_epoch[epoch]) for epoch in shared] for reach in (min, max))
        axis.fill_between(shared, low, high, color=colour, alpha=0.2, linewidth=0)


def _values(one: History, key: str) -> np.ndarray:
    """Return the epochs and values that a history has of `key`, `[E, 2]`."""
    return np.array([(line["epoch"], line[key]) for line in one if key in line], np.float64).reshape(-1, 2)


def _finding(histories: Sequence[History], finished: Sequence[bool]) -> str:
    begun = [one for one in histories if one]
    stopped = len(finished) - sum(finished)
    missing = f"{stopped} of {len(histories)} runs not finished" if stopped else ""
    if not begun:
        return missing or "No run"
    part = "validation" if all("validation_accuracy" in one[-1] for one in begun) else "train"
    ends = [one[-1][f"{part}_accuracy"] for one in begun]
    epochs = sorted({one[-1]["epoch"] for one in begun})
    after = f"{epochs[0]:.3g}" if len(epochs) == 1 else f"{epochs[0]:.3g} to {epochs[-1]:.3g}"
    unit = "epoch" if epochs[-1] == 1 else "epochs"
    text = f"{part.capitalize()} accuracy {np.mean(ends):.2%} after {after} {unit}"
    if len(ends) > 1:
        text += f" ({len(ends)} seeds: {min(ends):.2%} to {max(ends):.2%})"
    return f"{text};\n{missing}" if missing else text
