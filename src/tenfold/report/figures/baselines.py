"""Classical models: their accuracy against the seconds to fit, and the weights of the simplest."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tenfold.baselines import BASELINES
from tenfold.report.figures import costs, style
from tenfold.report.figures.texts import headline, shown
from tenfold.scores import Score

SOONEST = 0.01  # seconds: shorter fits are drawn here
KINDS = (("classical model", "o", style.COLOURS[0]), ("network", "s", style.COLOURS[4]))


def accuracy_against_seconds(models: Sequence[tuple[str, float, Score]]) -> Figure:
    """Draw the accuracy of models with its interval against the seconds of fitting, both axes logarithmic.

    A model is its name, its seconds and its score. Those that are not in `baselines.BASELINES` are networks.
    """
    series = [
        costs.Series(f"{kind}, 95% interval", marker, colour, [_point(*model) for model in members])
        for kind, marker, colour in KINDS
        if (members := [model for model in models if (model[0] in BASELINES) == (kind != "network")])
    ]
    latest = max(point.cost for one in series for point in one.points)
    figure = costs.accuracy_against(
        series,
        (SOONEST / 1.6, latest * 2),
        f"seconds to fit, logarithmic ({SOONEST} also stands for less)",
        lambda seconds: f"{seconds:g}",
    )
    headline(figure, _finding(models))
    return figure


def learnt(logistic: np.ndarray, centroids: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw coefficients of logistic regression and nearest centroids as pictures; both `[classes, 784]`."""
    side = math.isqrt(logistic.shape[1])
    figure, axes = style.new(2.3, 2, len(classes))
    reach = float(np.abs(logistic).max())
    rows = (
        ("nearest\ncentroid", "mean", centroids, "gray_r", 0.0, float(centroids.max())),
        ("logistic\nregression", "weight", logistic, style.DIVERGING, -reach, reach),
    )
    for row, (model, unit, values, colours, low, high) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, values.reshape(-1, side, side), strict=True):
            sheet = axis.imshow(picture, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(model)
        figure.colorbar(sheet, ax=list(row), label=unit, fraction=0.02, pad=0.01)
    for axis, name in zip(axes[1], classes, strict=True):
        axis.set_xlabel(shown(name), fontsize=7 if max(map(len, classes)) > 3 else 9)
    correlation = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(logistic, centroids, strict=True)])
    headline(
        figure,
        "Logistic regression weighs what tells classes apart, not what they look like:\n"
        f"the correlation of its weights with the mean pictures is {correlation:.2f}"
        if correlation < 0.5
        else f"The weights of logistic regression look like the mean pictures: correlation {correlation:.2f}",
    )
    return figure


def _point(name: str, seconds: float, score: Score) -> costs.Point:
    return costs.Point(_title(name), max(seconds, SOONEST), score.accuracy, score.interval)


def _title(name: str) -> str:
    return BASELINES[name].title if name in BASELINES else shown(name)


def _finding(models: Sequence[tuple[str, float, Score]]) -> str:
    name, seconds, best = max(models, key=lambda model: model[2].accuracy)
    low, high = best.interval
    text = f"Best is {_title(name)}: {best.accuracy:.2%} ({low:.2%} to {high:.2%}), fitted in {seconds:.1f} s"
    close = [model for model in models if model[2].interval[1] >= low]
    fast_name, fewest, fast = min(close, key=lambda model: model[1])
    if fewest < seconds:
        text += f";\nof those whose interval meets its own, {_title(fast_name)} is fastest"
        text += f": {fast.accuracy:.2%} in {fewest:.1f} s"
    return text
