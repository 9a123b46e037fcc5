"""Confusion matrices, their difference, and the pictures behind them."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.report.figures import style
from tenfold.report.figures.style import headline, panel, shown

DIAGONAL = "#eeeeee"  # right answers are pale
PAIRS, EXAMPLES = 6, 10  # of the most confused


def matrix(confusion: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw int64 counts `[true, predicted]` twice: as they are, and as shares of each true class."""
    figure, ((counts, shares),) = style.new(4.2, 1, 2)
    percent = 100 * confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    _cells(counts, confusion, classes, _count, width=3.2)
    _cells(shares, percent, classes, _percent, width=3.2)
    panel(counts, "pictures")
    panel(shares, "% of the true class")
    headline(figure, _most_frequent(confusion, classes))
    return figure


def difference(first: np.ndarray, second: np.ndarray, names: tuple[str, str], classes: Sequence[str]) -> Figure:
    """Draw two models' int64 counts `[true, predicted]` on the same pictures, and the second less the first."""
    figure, (axes,) = style.new(3.1, 1, 3)
    change = second - first
    strongest = float(np.maximum(_errors(first), _errors(second)).max())
    _cells(axes[0], first, classes, _count, 2.1, strongest)
    _cells(axes[1], second, classes, _count, 2.1, strongest)
    _cells(axes[2], change, classes, lambda value: _signed(int(value)) if value else "", 2.1)
    (sheet,) = axes[2].images
    sheet.set(cmap=style.DIVERGING, clim=(-sheet.get_clim()[1], sheet.get_clim()[1]))
    for axis, title in zip(axes, (*(shown(name, 26) for name in names), "second less first"), strict=True):
        panel(axis, title)
    for axis in axes[1:]:
        axis.set_ylabel("")
    headline(figure, _change(change, names, classes))
    return figure


def most_confused(images: np.ndarray, labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the pairs of classes confused most, a row each, with pictures of them.

    `images` are uint8 `[N, 28, 28]`, `labels` and `predicted` int64 `[N]`, all in the same order.
    """
    size = len(classes)
    confusion = np.bincount(labels * size + predicted, minlength=size**2).reshape(size, size)
    errors = _errors(confusion)
    order = np.argsort(-errors, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(at), size) for at in order if errors.flat[at]]
    rows = max(len(pairs), 1)
    figure, axes = style.new(0.4 + 0.62 * rows, rows, 1)
    for axis in axes[:, 0]:
        axis.set_axis_off()
    for axis, (true, taken) in zip(axes[:, 0], pairs, strict=False):
        members = np.flatnonzero((labels == true) & (predicted == taken))
        style.grid_of_pictures(axis, images[members[:EXAMPLES]], EXAMPLES)
        axis.set_anchor("W")
        text = f"{shown(classes[true], 16)} taken for {shown(classes[taken], 16)}:\n"
        text += f"{len(members)} of {confusion[true].sum():,} pictures"
        axis.text(-0.02, 0.5, text, ha="right", va="center", fontsize=8.5, transform=axis.transAxes)
    headline(figure, _share(sum(int(errors[pair]) for pair in pairs), len(pairs), int(errors.sum()), len(labels)))
    return figure


def _cells(
    axis: Axes,
    values: np.ndarray,
    classes: Sequence[str],
    form: Callable[[float], str],
    width: float,
    strongest: float | None = None,
) -> None:
    """Draw `values` `[C, C]` as text, and those off the diagonal as colour; `strongest` has the last colour.

    `width` is about that of the axis, in inches: what the text must fit into.
    """
    size = len(classes)
    errors = np.where(np.eye(size, dtype=bool), np.nan, values)
    strongest = strongest if strongest is not None else float(np.nanmax(np.abs(errors), initial=0))
    axis.imshow(errors, cmap=style.SEQUENTIAL, vmin=0, vmax=max(strongest, 1e-9))
    axis.set_facecolor(DIAGONAL)  # seen where there is no colour
    font = min(7.0, 21 * width / size)  # four figures of 0.6 em a cell
    for true, predicted in np.ndindex(size, size):
        muted = style.MUTED if true == predicted else style.INK
        value = float(values[true, predicted])
        colour = "white" if abs(value) > 0.6 * strongest and true != predicted else muted
        axis.text(predicted, true, form(value), ha="center", va="center", fontsize=font, color=colour)
    names = [shown(name, 16) for name in classes]
    upright = max(map(len, names)) > 2
    axis.set_xticks(range(size), names, fontsize=min(8, font + 1.5), rotation=90 if upright else 0)
    axis.set_yticks(range(size), names, fontsize=min(8, font + 1.5))
    axis.tick_params(length=0)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.spines[:].set_visible(False)


def _errors(confusion: np.ndarray) -> np.ndarray:
    result: np.ndarray = confusion * ~np.eye(len(confusion), dtype=bool)
    return result


def _count(value: float) -> str:
    return f"{value:.0f}" if value else ""


def _percent(value: float) -> str:
    return "" if not value else f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else "100"


def _signed(value: int) -> str:
    return f"{value:+d}".replace("-", "−")


def _most_frequent(confusion: np.ndarray, classes: Sequence[str]) -> str:
    errors = _errors(confusion)
    if not errors.any():
        return f"No errors in {confusion.sum():,} pictures"
    true, taken = divmod(int(errors.argmax()), len(classes))
    most, total = int(errors[true, taken]), int(errors.sum())
    text = f"{shown(classes[true], 20)} is most often taken for {shown(classes[taken], 20)}: {most} of {total:,} "
    text += "error" if total == 1 else "errors"
    ties = [f"{shown(classes[a], 16)} for {shown(classes[b], 16)}" for a, b in np.argwhere(errors == most)[1:]]
    return text + (f"; as often {style.listed(ties)}" if ties else "")


def _share(counted: int, pairs: int, errors: int, pictures: int) -> str:
    if not errors:
        return f"No errors in {pictures:,} pictures"
    most = "This pair makes" if pairs == 1 else f"These {pairs} pairs of classes make"
    return f"{most} {counted:,} of the {errors:,} {'error' if errors == 1 else 'errors'}"


def _change(change: np.ndarray, names: tuple[str, str], classes: Sequence[str]) -> str:
    errors = _errors(change)
    total = int(errors.sum())
    first, second = (shown(name) for name in names)
    unit = "error" if abs(total) == 1 else "errors"
    more = f"{abs(total):,} {unit} {'more' if total > 0 else 'fewer'} than" if total else "as many errors as"
    if not errors.any():
        return f"{second} makes {more} {first}, of the same kinds"
    largest = np.argwhere(np.abs(errors) == np.abs(errors).max())
    where = [
        f"{shown(classes[true], 16)} taken for {shown(classes[taken], 16)} ({_signed(int(errors[true, taken]))})"
        for true, taken in largest
    ]
    return (
        f"{second} makes {more} {first};\nlargest {'change' if len(where) == 1 else 'changes'}: {style.listed(where)}"
    )
