"""Robustness: accuracy as pictures are spoilt, and as an adversary is given more room."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold import statistics
from tenfold.report.figures import style
from tenfold.robustness import PERTURBATIONS

COLUMNS = 2
TILE = 0.62  # width of an example picture, in steps of the axis


def curves(accuracies: Mapping[str, Mapping[str, np.ndarray]], examples: Mapping[str, np.ndarray], n: int) -> Figure:
    """Draw a panel a perturbation, all models in each, and under it one picture at each strength.

    `accuracies` maps models to what `robustness.curves` returned for `n` pictures, `examples` perturbations to uint8
    `[6, 28, 28]`. Bands are 95% intervals (Wilson).
    """
    rows = -(-len(examples) // COLUMNS)
    ratios = {"height_ratios": [4.2, 1] * rows}
    figure, axes = style.new(0.8 + 1.95 * rows, 2 * rows, COLUMNS, gridspec_kw=ratios)
    for axis in axes.flat[len(examples) :]:
        axis.set_axis_off()
    for at, (name, pictures) in enumerate(examples.items()):
        row, column = 2 * (at // COLUMNS), at % COLUMNS
        _curve(axes[row, column], name, {model: curve[name] for model, curve in accuracies.items()}, n)
        _strip(axes[row + 1, column], name, pictures)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
    figure.suptitle(_weakest(accuracies), x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def adversarial(budgets: Sequence[float], accuracies: Mapping[str, Mapping[str, Sequence[float]]], n: int) -> Figure:
    """Draw accuracy against the budget on each pixel (of 255), per model and attack, for `n` pictures.

    `accuracies` maps models to what `attack.accuracies` returned. Bands are 95% intervals (Wilson).
    """
    figure, axes = style.new(3.4)
    axis = axes[0, 0]
    dashes = {"PGD": "-", "FGSM": "--"}
    for at, (model, attacks) in enumerate(accuracies.items()):
        for attack, values in attacks.items():
            _line(axis, np.asarray(budgets, float), np.asarray(values), n, at, f"{model}, {attack}", dashes[attack])
    axis.set(ylim=(0, 103), xticks=budgets, xlabel="budget on each pixel, of 255", ylabel=f"accuracy on {n:,}, %")
    axis.grid(axis="y")
    axis.legend(bbox_to_anchor=(1.01, 1), loc="upper left", borderaxespad=0)
    axis.set_title(_fall(budgets, accuracies))
    return figure


def _curve(axis: Axes, name: str, curves: Mapping[str, np.ndarray], n: int) -> None:
    for at, (model, values) in enumerate(curves.items()):
        _line(axis, np.arange(len(values)), values, n, at, model, "-")
    axis.set(xlim=(-0.5, len(next(iter(curves.values()))) - 0.5), ylim=(0, 103), yticks=(0, 50, 100))
    axis.set_ylabel(f"accuracy on {n:,}, %", fontsize=7)
    axis.tick_params(axis="x", labelbottom=False, length=0)
    axis.grid(axis="y")
    worst = min(curves, key=lambda model: curves[model][-1])
    axis.set_title(f"{name}: down to {curves[worst][-1]:.0%}", fontsize=9)


def _line(axis: Axes, at: np.ndarray, values: np.ndarray, n: int, number: int, label: str, dashes: str) -> None:
    low, high = np.transpose([statistics.wilson_interval(round(value * n), n) for value in values])
    colour, marker = style.COLOURS[number % len(style.COLOURS)], style.MARKERS[number % len(style.MARKERS)]
    axis.fill_between(at, 100 * low, 100 * high, color=colour, alpha=0.15, linewidth=0)
    axis.plot(at, 100 * values, dashes, marker=marker, markersize=4, linewidth=1.3, color=colour, label=label)


def _strip(axis: Axes, name: str, pictures: np.ndarray) -> None:
    """Draw pictures `[6, 28, 28]` right under the ticks that they belong to."""
    for at, picture in enumerate(pictures):
        box = (at - TILE / 2, at + TILE / 2, 0, TILE)
        axis.imshow(picture, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest", extent=box)
    strengths = [f"{strength:g}" for strength in PERTURBATIONS[name].strengths]
    axis.set(xlim=(-0.5, len(pictures) - 0.5), ylim=(0, TILE), yticks=[], anchor="N")
    axis.set_xticks(range(len(pictures)), ["0", *strengths], fontsize=7)
    axis.set_xlabel(PERTURBATIONS[name].unit, fontsize=7)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)


def _weakest(accuracies: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Say what costs the best model most in the middle of the scale."""
    model = max(accuracies, key=lambda name: np.mean(list(accuracies[name].values())))
    curves = accuracies[model]
    worst = min(curves, key=lambda name: float(np.mean(curves[name])))
    best = max(curves, key=lambda name: float(np.mean(curves[name])))
    return f"{model} stands {best} best (mean {curves[best].mean():.0%}) and {worst} worst (mean {curves[worst].mean():.0%})"


def _fall(budgets: Sequence[float], accuracies: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Say at which budget the best model has lost half of its pictures to PGD."""
    model = max(accuracies, key=lambda name: float(np.mean(accuracies[name]["PGD"])))
    for budget, accuracy in zip(budgets, accuracies[model]["PGD"], strict=True):
        if accuracy < 0.5:
            return f"{budget:g} of 255 values a pixel leave {model} {accuracy:.0%} right under PGD"
    return f"{budgets[-1]:g} of 255 values a pixel leave {model} {accuracy:.0%} right under PGD"
