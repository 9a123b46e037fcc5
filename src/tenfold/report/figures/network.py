"""A network: its layers and their cost, its first filters, the feature maps of one picture."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tenfold.networks import Layer, Shape, Summary
from tenfold.report.figures import style
from tenfold.report.figures.style import headline

MAPS = 16  # drawn of each layer


def layer_table(layers: Sequence[Summary]) -> Figure:
    """Draw a table of layers, from `networks.summarise`: shapes, parameters, multiply-adds per picture, with bars."""
    figure, ((axis,),) = style.new(0.75 + 0.2 * (len(layers) + 2))
    parameters = np.array([layer.parameter_count for layer in layers])
    multiply_adds = np.array([layer.multiply_adds for layer in layers])
    last = len(layers)
    places = np.arange(last)
    for values, left, colour in ((parameters, 7.1, style.COLOURS[0]), (multiply_adds, 9.6, style.COLOURS[1])):
        axis.barh(places, 1.2 * values / max(values.sum(), 1), left=left + 0.08, height=0.7, color=colour)
        cells = [f"{value:,}" if value else "" for value in values]
        for y, cell in enumerate([*cells, f"{values.sum():,}"]):
            axis.text(left, y, cell, ha="right", va="center", fontsize=8, fontweight="bold" if y == last else "normal")
    for y, layer in enumerate(layers):
        cells = [layer.name, _settings(layer.layer), _shape(layer.output_shape)]
        for x, cell in zip((0.0, 1.25, 4.95), cells, strict=True):
            axis.text(x, y, cell, va="center", fontsize=8)
    heads = {0.0: "layer", 1.25: "kind and settings", 4.95: "output shape", 7.1: "parameters", 9.6: "multiply-adds"}
    for x, head in heads.items():
        axis.text(x, -1, head, ha="right" if x > 7 else "left", va="center", fontsize=8, color=style.MUTED)
    axis.text(0.0, last, "all", va="center", fontsize=8, fontweight="bold")
    axis.axhline(-0.5, color=style.GRID, linewidth=1)
    axis.axhline(last - 0.5, color=style.GRID, linewidth=1)
    axis.set(xlim=(0, 10.8), ylim=(last + 0.5, -1.6))
    axis.set_axis_off()
    headline(figure, _heaviest(layers, parameters, multiply_adds))
    return figure


def filters(weights: np.ndarray) -> Figure:
    """Draw the filters of the first convolution, float32 `[O, 1, k, k]`, on one scale around 0."""
    count, _, size, _ = weights.shape
    columns = min(count, 16)
    figure, ((axis,),) = style.new(0.9 + 0.4 * -(-count // columns))
    style.grid_of_pictures(axis, weights[:, 0], columns)
    (sheet,) = axis.images
    largest = float(np.abs(weights).max())
    sheet.set_clim(-largest, largest)
    figure.colorbar(sheet, ax=axis, label="weight", shrink=0.9)
    strength = np.sqrt(np.square(weights).sum((1, 2, 3)))
    weak = int((strength < 0.25 * strength.max()).sum())
    used = f"{weak} with less than a quarter of the strongest's weight" if weak else "all of them in use"
    headline(figure, f"{count} filters of {size}×{size} look at the picture: {used}")
    return figure


def feature_maps(image: np.ndarray, maps: Mapping[str, np.ndarray]) -> Figure:
    """Draw one picture, uint8 `[28, 28]`, and its feature maps by layer, float32 `[C, H, W]`, in order.

    The first 16 maps of each layer are drawn, on one scale per layer; dark is large.
    """
    figure, axes = style.new(0.5 + 0.47 * (len(maps) + 1), len(maps) + 1, 1)
    rows = {"picture": image[None]} | dict(maps)
    for axis, (name, sheet) in zip(axes[:, 0], rows.items(), strict=True):
        count = len(sheet)
        style.grid_of_pictures(axis, sheet[:MAPS], MAPS)
        axis.set_anchor("W")
        some = f"{MAPS} of " if count > MAPS else ""
        text = f"{name}\n{some}{_shape(sheet.shape)}"
        axis.text(-0.01, 0.5, text, ha="right", va="center", fontsize=7.5, transform=axis.transAxes)
    last, sheet = list(rows.items())[-1]
    height, width = sheet.shape[1:]
    zero = f"{np.mean(sheet == 0):.0%} of {last} is 0"
    headline(figure, f"From 28×28 pixels to {len(sheet)} maps of {height}×{width}; {zero}")
    return figure


def _shape(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _settings(layer: Layer) -> str:
    """Return the kind of a layer, its kernel, and its settings that differ from the default."""
    given = [
        f"{field.name} {getattr(layer, field.name)}"
        for field in dataclasses.fields(layer)
        if (getattr(layer, field.name) != field.default or field.name == "kernel") and field.name != "bias"
    ]
    return " ".join([type(layer).__name__, ", ".join(given)]).strip()


def _heaviest(layers: Sequence[Summary], parameters: np.ndarray, multiply_adds: np.ndarray) -> str:
    texts = []
    for what, values in (("multiply-adds", multiply_adds), ("parameters", parameters)):
        if values.sum():
            most = [layer.name for layer, value in zip(layers, values, strict=True) if value == values.max()]
            each = "has" if len(most) == 1 else "each have"
            texts.append(f"{style.listed(most)} {each} {values.max() / values.sum():.0%} of the {what}")
    return ", ".join(texts) or "A network without parameters"
