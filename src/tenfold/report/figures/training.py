"""How training went, from the histories of runs, finished or not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tenfold.report.figures import style
from tenfold.report.figures.texts import headline

History = Sequence[dict[str, Any]]
PARTS = (  # name, colour, line, marker, when it is measured
    ("train", style.COLOURS[0], "-", "o", "during the epoch"),
    ("validation", style.COLOURS[4], "--", "s", "after it"),
)


def history(histories: Sequence[History], finished: Sequence[bool]) -> Figure:
    """Draw loss, accuracy and learning rate by epoch; a history a seed, as in `history.jsonl`, empty ones too.

    Each seed is a line, and the range of all a band. Of a `finished` run the weights after its last epoch were kept;
    they are marked. During training, pictures are augmented and labels smoothed, so its loss can be the larger one.
    """
    figure, axes = style.new(5.6, 3, 1, sharex=True, height_ratios=(3, 3, 1.3))
    loss, accuracy, rate = axes[:, 0]
    for axis, key in ((loss, "loss"), (accuracy, "accuracy")):
        for part, colour, line, marker, when in PARTS:
            lines = [_values(one, f"{part}_{key}") for one in histories]
            _seeds(axis, lines, colour, line, marker, f"{part}, {when}")
        last = f"validation_{key}"
        kept = [one[-1] for one, done in zip(histories, finished, strict=True) if done and one]
        at = [(line["epoch"], line.get(last, line[f"train_{key}"])) for line in kept]
        if at:
            axis.plot(*np.transpose(at), "*", color=style.INK, markersize=11, zorder=5, label="kept")
        axis.grid(visible=True)
    _seeds(rate, [_values(one, "learning_rate") for one in histories], style.COLOURS[2], "-", "^", "")
    rate.grid(visible=True)
    rate.set_ylim(0)
    loss.set_ylabel("loss, nats")
    loss.set_ylim(0)
    accuracy.set_ylabel("accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    rate.set_ylabel("learning\nrate")
    rate.set_xlabel("epoch (passes over the training pictures)")
    rate.set_xlim(0)
    if any(histories):
        loss.legend(loc="upper right")
    else:
        loss.text(0.5, 0.5, "no epoch has ended yet", ha="center", va="center", transform=loss.transAxes)
    headline(figure, _finding(histories, finished))
    return figure


def _seeds(axis: Axes, lines: Sequence[np.ndarray], colour: str, line: str, marker: str, label: str) -> None:
    """Draw each seed's epochs and values `[E, 2]`, and the band from the least to the largest of them."""
    lines = [values for values in lines if len(values)]
    for at, values in enumerate(lines):
        look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 3.5, "linewidth": 1.1}
        axis.plot(*values.T, **look, label=label if at == 0 else None)
    if len(lines) < 2:
        return
    together = [values for epoch in np.unique(np.concatenate(lines)[:, 0]) if len(values := _at(lines, epoch)) > 1]
    if together:
        epochs = [values[0, 0] for values in together]
        low, high = ([reach(values[:, 1]) for values in together] for reach in (np.min, np.max))
        axis.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)


def _at(lines: Sequence[np.ndarray], epoch: float) -> np.ndarray:
    everything = np.concatenate(lines)
    return everything[everything[:, 0] == epoch]


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
    after = f"{epochs[0]:g}" if len(epochs) == 1 else f"{epochs[0]:g} to {epochs[-1]:g}"
    unit = "epoch" if epochs[-1] <= 1 else "epochs"
    text = f"{part.capitalize()} accuracy {np.mean(ends):.2%} after {after} {unit}"
    if len(ends) > 1:
        text += f", the mean of {len(ends)} seeds from {min(ends):.2%} to {max(ends):.2%}"
    return f"{text};\n{missing}" if missing else text
