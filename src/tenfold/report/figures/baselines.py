"""Classical models: what they reach in what time, and what the simplest of them learnt."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tenfold.baselines import BASELINES
from tenfold.report.figures import style
from tenfold.report.figures.scales import accuracy_axis, height
from tenfold.report.figures.texts import headline, shown

SOONEST = 0.01  # seconds: what takes less is drawn here
KINDS = (("classical model", "o", style.COLOURS[0]), ("network", "s", style.COLOURS[4]))
SIZE = (6.4, 4.0)  # inches: of the axes, about; decides which labels are in each other's way


def accuracy_against_seconds(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the accuracy of models with its interval against the seconds of fitting, both axes logarithmic.

    Entries are those of `baselines.compare` and, for networks, of `scores.json` with `name` and `train_seconds`.
    """
    figure, ((axis,),) = style.new(4.6)
    points = [(max(entry["train_seconds"], SOONEST), entry["accuracy"]) for entry in entries]
    for kind, marker, colour in KINDS:
        members = [at for at, entry in enumerate(entries) if (entry["name"] in BASELINES) == (kind != "network")]
        if not members:
            continue
        x, y = np.array([points[at] for at in members]).T
        low, high = np.array([entries[at]["interval"] for at in members]).T
        reach = np.clip([y - low, high - y], 0, None)
        axis.errorbar(x, y, reach, fmt=marker, color=colour, capsize=2, label=f"{kind}, 95% interval")
    axis.set_xscale("log")
    axis.set_xlim(SOONEST / 1.6, max(x for x, _ in points) * 2)
    accuracy_axis(axis, min(entry["interval"][0] for entry in entries), max(entry["interval"][1] for entry in entries))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    axis.grid(visible=True)
    axis.set_axisbelow(True)
    axis.set_xlabel(f"seconds to fit, logarithmic ({SOONEST} also stands for less)")
    axis.set_ylabel("accuracy, logarithmic in the errors")
    names = [_title(entry["name"]) for entry in entries]
    corners = np.array([axis.get_xlim(), axis.get_ylim()]).T
    low, high = (np.array([np.log10(x), height(y)]) for x, y in corners)
    inches = np.array([(np.log10(x), height(y)) - low for x, y in points]) / (high - low) * SIZE
    for name, point, (offset, side) in zip(names, points, _places(names, inches), strict=True):
        lead = {"arrowstyle": "-", "color": style.MUTED, "linewidth": 0.5} if offset[1] else None
        axis.annotate(
            name, point, offset, textcoords="offset points", ha=side, va="center", fontsize=8, arrowprops=lead
        )
    axis.legend(loc="lower right")
    headline(figure, _finding(entries))
    return figure


def learnt(logistic: np.ndarray, centroids: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw coefficients of logistic regression and nearest centroids as pictures; both `[classes, 784]`."""
    side = math.isqrt(logistic.shape[1])
    figure, axes = style.new(2.3, 2, len(classes))
    reach = float(np.abs(logistic).max())
    rows = (
        (
            axes[0],
            centroids,
            {"cmap": "gray_r", "vmin": 0, "vmax": float(centroids.max())},
            "nearest\ncentroid",
            "mean",
        ),
        (axes[1], logistic, {"cmap": style.DIVERGING, "vmin": -reach, "vmax": reach}, "logistic\nregression", "weight"),
    )
    for row, values, look, model, unit in rows:
        for axis, picture in zip(row, values.reshape(-1, side, side), strict=True):
            drawn = axis.imshow(picture, interpolation="nearest", **look)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(model)
        figure.colorbar(drawn, ax=list(row), label=unit, fraction=0.02, pad=0.01)
    for axis, name in zip(axes[1], classes, strict=True):
        axis.set_xlabel(shown(name), fontsize=7 if max(map(len, classes)) > 3 else 9)
    alike = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(logistic, centroids, strict=True)])
    headline(
        figure,
        "Logistic regression weighs what tells classes apart, not what they look like:\n"
        f"the correlation of its weights with the mean pictures is {alike:.2f}"
        if alike < 0.5
        else f"The weights of logistic regression look like the mean pictures: correlation {alike:.2f}",
    )
    return figure


def _title(name: str) -> str:
    return BASELINES[name].title if name in BASELINES else shown(name)


def _finding(entries: Sequence[Mapping[str, Any]]) -> str:
    best = max(entries, key=lambda entry: entry["accuracy"])
    low, high = best["interval"]
    text = f"Best is {_title(best['name'])}: {best['accuracy']:.2%} ({low:.2%} to {high:.2%}), "
    text += f"fitted in {best['train_seconds']:.1f} s"
    close = [entry for entry in entries if entry["interval"][1] >= low]
    fast = min(close, key=lambda entry: entry["train_seconds"])
    if fast["train_seconds"] < best["train_seconds"]:
        text += f";\nof those whose interval meets its own, {_title(fast['name'])} is fastest"
        text += f": {fast['accuracy']:.2%} in {fast['train_seconds']:.1f} s"
    return text


def _places(names: Sequence[str], points: np.ndarray) -> list[tuple[tuple[float, float], str]]:
    """Return where each name goes: an offset in points and the side it is aligned on, away from the others.

    `points` are in inches, `[N, 2]`. Greedy: each name takes the first place that is free, or the last one.
    """
    taken = [(x - 0.06, x + 0.06, y - 0.1, y + 0.1) for x, y in points]
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
