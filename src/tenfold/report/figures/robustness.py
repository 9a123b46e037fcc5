"""Robustness: accuracy under perturbations and under adversarial attacks."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold import statistics
from tenfold.report.figures import style
from tenfold.report.figures.style import headline, panel, shown
from tenfold.robustness import PERTURBATIONS, perturbed

COLUMNS = 2
TILE = 0.62  # width of an example picture, in steps of the axis
HEIGHT, GAP = 38, 6  # of the pictures below the curves, in percent of accuracy: about square
ENDS = (-0.5, 5.5)  # of an axis with a step for no change and for each of five strengths


def curves(accuracies: Mapping[str, Mapping[str, np.ndarray]], picture: np.ndarray, n: int) -> Figure:
    """Draw a panel per perturbation, all models in each, and under it one uint8 picture `[28, 28]`, perturbed.

    `accuracies` maps models to what `robustness.curves` returned for `n` pictures. Bands are 95% intervals (Wilson).
    """
    rows = -(-len(PERTURBATIONS) // COLUMNS)
    figure, axes = style.new(0.8 + 1.95 * rows, rows, COLUMNS)
    for axis, name in zip(axes.flat, PERTURBATIONS, strict=True):
        _panel(axis, name, {model: curve[name] for model, curve in accuracies.items()}, n)
        _strip(axis, name, perturbed(picture[None], name)[:, 0])
    style.legend(figure, axes[0, 0])
    headline(figure, _weakest(accuracies))
    return figure


def adversarial(budgets: Sequence[float], accuracies: Mapping[str, Mapping[str, Sequence[float]]], n: int) -> Figure:
    """Draw accuracy against the budget on each pixel (of 255), per model and attack, for `n` pictures.

    `accuracies` maps models to what `attack.accuracies` returned. Bands are 95% intervals (Wilson).
    """
    figure, ((axis,),) = style.new(3.6)
    dashes = {"PGD": "-", "FGSM": "--"}
    for at, (model, attacks) in enumerate(accuracies.items()):
        for attack, values in attacks.items():
            label = f"{shown(model)}, {attack}"
            _curve(axis, np.asarray(budgets, float), np.asarray(values), n, at, label, dashes[attack])
    axis.set(ylim=(0, 100), ylabel=f"accuracy on {n:,} pictures, %")
    axis.set(xticks=budgets, xlabel="budget on each pixel, of 255 values")
    axis.grid(axis="y")
    style.legend(figure, axis)
    headline(figure, _fall(budgets, accuracies))
    return figure


def _panel(axis: Axes, name: str, curves: Mapping[str, np.ndarray], n: int) -> None:
    """Draw the curves of all models under one perturbation."""
    for at, (model, values) in enumerate(curves.items()):
        _curve(axis, np.arange(len(values)), values, n, at, shown(model), "-")
    axis.set(xlim=ENDS, ylim=(-HEIGHT, 100), yticks=(0, 50, 100))
    axis.set_ylabel(f"accuracy\non {n:,}, %", fontsize=7.5)
    axis.grid(axis="y")
    ends = [f"{value:.0%}" for value in sorted(values[-1] for values in curves.values())]
    span = ends[0] if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]}"
    panel(axis, f"{name}: {span} right in the end")


def _curve(axis: Axes, at: np.ndarray, values: np.ndarray, n: int, number: int, label: str, dashes: str) -> None:
    low, high = np.transpose([statistics.wilson_interval(round(value * n), n) for value in values])
    line = style.series(number)
    axis.fill_between(at, 100 * low, 100 * high, color=line["color"], alpha=0.15, linewidth=0)
    axis.plot(at, 100 * values, dashes, **line, markersize=4, linewidth=1.3, label=label, clip_on=False)


def _strip(axis: Axes, name: str, pictures: np.ndarray) -> None:
    """Draw pictures `[6, 28, 28]` below the curves, right over the ticks that they belong to."""
    side = pictures.shape[2]
    blank = round(side * (1 - TILE) / TILE / 2)  # on each side of a picture, so that the sheet has a step for each
    sheet = np.concatenate(np.pad(pictures, ((0, 0), (0, 0), (blank, blank))), axis=1)
    box = (*ENDS, -HEIGHT, -GAP)
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=255, interpolation="none", extent=box, aspect="auto")
    strengths = [f"{strength:g}" for strength in PERTURBATIONS[name].strengths]
    axis.set_xticks(range(len(pictures)), ["0", *strengths], fontsize=7)
    axis.set_xlabel(PERTURBATIONS[name].unit, fontsize=7)
    axis.tick_params(length=0)


def _weakest(accuracies: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Name the perturbations that hurt the most robust model most and least, at the middle strength."""
    model = max(accuracies, key=lambda name: float(np.mean(list(accuracies[name].values()))))
    middle = {name: float(curve[3]) for name, curve in accuracies[model].items()}
    low, high = min(middle.values()), max(middle.values())
    worst, best = ([name for name, value in middle.items() if value == end] for end in (low, high))
    if low == high:
        return f"{shown(model)}: {low:.0%} right at the third of five strengths of every change"
    verb = "hurts" if len(worst) == 1 else "hurt"
    return (
        f"{shown(model)}: {style.listed(worst)} {verb} most, {style.listed(best)} least\n"
        f"({low:.0%} and {high:.0%} right at the third of five strengths)"
    )


def _fall(budgets: Sequence[float], accuracies: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Name the budget at which the most robust model has lost half of its pictures to PGD."""
    model = max(accuracies, key=lambda name: float(np.mean(accuracies[name]["PGD"])))
    values = accuracies[model]["PGD"]
    at = next((at for at, accuracy in enumerate(values) if accuracy < 0.5), len(values) - 1)
    return f"{budgets[at]:g} of 255 values per pixel leave {shown(model)} {values[at]:.0%} right (PGD)"
