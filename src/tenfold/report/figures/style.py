"""The style of every figure: readable in print and by colour-blind readers; its texts, and its axes of accuracies.

Figures are made without pyplot, so no global setting changes and no figure stays open.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from tenfold.errors import UsageError
from tenfold.files import atomic

# Okabe and Ito's eight colours, in an order whose neighbours also differ in lightness, and two more for ten classes.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
COLOURS = (*OKABE_ITO, "#7A1FA2", "#8B5A2B")
INK, MUTED, GRID = "#1a1a1a", "#767676", "#dddddd"
SEQUENTIAL = LinearSegmentedColormap.from_list("tenfold", ["#ffffff", "#56B4E9", "#0072B2", "#00263e"])
DIVERGING = LinearSegmentedColormap.from_list("tenfold-diverging", ["#0072B2", "#ffffff", "#D55E00"])
WIDTH = 7.2  # inches: a column of text
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", "p")  # beside colour, never colour alone
LINES = ("-", "--", "-.", ":")
LINE = 88  # characters of a headline that a figure has room for
FORMATS = ("png", "svg", "pdf")
ACCURACY = "validation accuracy\n(logarithmic in the errors)"
FLOOR = 1e-4  # is added to the errors, so that an accuracy of 1 has a place on a logarithmic axis
TICKS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1)
NEAREST = 0.07  # of an axis: the least distance between two ticks, so that their labels do not overlap

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same everywhere
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, selectable, readable aloud
    "svg.hashsalt": "tenfold",  # the same figure is the same bytes
    "figure.dpi": 110,
}


class _NotebookFigure(Figure):
    """A figure that a notebook shows as it is saved, where it is the value of a cell."""

    def _repr_png_(self) -> bytes:
        return png(self)


def adopt(figure: Figure) -> Figure:
    """Have notebooks show a figure that others made as they show those of `new`, and return it."""
    figure.__class__ = _NotebookFigure
    return figure


def new(height: float, rows: int = 1, columns: int = 1, **keywords: Any) -> tuple[Figure, np.ndarray]:
    """Return an empty figure (`height` in inches) and its axes `[rows, columns]`; keywords go to `Figure.subplots`."""
    with mpl.rc_context(RC):
        figure = _NotebookFigure(figsize=(WIDTH, height), layout="constrained")
        axes: np.ndarray = figure.subplots(rows, columns, squeeze=False, **keywords)
    return figure, axes


def grid_of_pictures(
    axis: Axes, pictures: np.ndarray, columns: int, gap: int = 1, captions: Sequence[str] = (), size: float = 6
) -> None:
    """Draw pictures `[N, H, W]` (uint8 or float; each array's own range) as rows of `columns` on one axis.

    Captions of `size` points stand over the pictures, in the `gap` in pixels; one axis is much faster than one each.
    """
    count, height, width = pictures.shape
    rows = -(-count // columns)
    low, high = float(pictures.min()), float(pictures.max())
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for at, picture in enumerate(pictures):
        top, left = (at // columns) * (height + gap), (at % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    axis.imshow(sheet, cmap="gray_r", vmin=low, vmax=high, interpolation="none")
    axis.set_axis_off()
    for at, caption in enumerate(captions):
        x, y = (at % columns) * (width + gap) + width / 2, (at // columns) * (height + gap) - 1
        axis.text(x, y, caption, fontsize=size, ha="center", va="bottom")
    if captions:
        axis.set_ylim(rows * (height + gap) - gap, -gap)


def picture_of_each_class(
    classes: Sequence[str], rows: Sequence[tuple[str, str, np.ndarray, Any, float, float]]
) -> Figure:
    """Draw a picture per class in rows of (title, unit, pictures `[classes, H, W]`, colours, least, largest value)."""
    figure, axes = new(0.6 + 0.8 * len(rows), len(rows), 1)
    font = 7 if max(map(len, classes)) > 3 else 9
    for axis, (title, unit, pictures, colours, low, high) in zip(axes[:, 0], rows, strict=True):
        grid_of_pictures(axis, pictures, len(classes), 3)
        (image,) = axis.images
        image.set(cmap=colours, clim=(low, high))
        width = pictures.shape[2]
        axis.set_axis_on()
        axis.set_xticks((width + 3) * np.arange(len(classes)) + width / 2, map(shown, classes), fontsize=font)
        axis.set(yticks=[], ylabel=title)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        figure.colorbar(image, ax=axis, label=unit, fraction=0.02, pad=0.01)
    return figure


def series(at: int) -> dict[str, Any]:
    """Return the colour and the marker of the series of this number, as keywords of a plot."""
    return {"color": COLOURS[at % len(COLOURS)], "marker": MARKERS[(at + at // len(COLOURS)) % len(MARKERS)]}


def shown(name: str, longest: int = 32) -> str:
    """Return the name in one line of at most `longest` characters, with `$` escaped so that it starts no formula."""
    line = " ".join(name.split())
    short = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return short.replace("$", r"\$")


def number(value: object) -> str:
    """Return a hyperparameter's value in at most four significant digits; "-" for None."""
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def listed(names: Sequence[str]) -> str:
    """Return names as words: "a", "a and b", "a, b and c", "a, b and 3 others"."""
    first, last = (names[:2], f"{len(names) - 2} others") if len(names) > 3 else (names[:-1], names[-1])
    return f"{', '.join(first)} and {last}" if first else last


def headline(figure: Figure, text: str) -> None:
    """Write the finding above all axes of a figure, in the style of a title, wrapped to its width."""
    text = "\n".join(fill(line, LINE) for line in text.split("\n"))
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold", color=INK)


def panel(axis: Axes, text: str) -> None:
    """Write a title above one of several axes."""
    axis.set_title(text, fontsize=9, fontweight="normal")


def height(accuracy: np.ndarray) -> np.ndarray:
    """Return the heights at which accuracies in 0 to 1 are drawn, so that 98% and 99% are as far apart as 80% and 90%.

    They are -log10 of the error, to which `FLOOR` is added.
    """
    heights: np.ndarray = -np.log10(np.maximum(1 + FLOOR - accuracy, FLOOR / 10))  # an axis ends a little above 1
    return heights


def accuracy_at(heights: np.ndarray) -> np.ndarray:
    """Return the accuracies that are drawn at these heights: the inverse of `height`."""
    accuracies: np.ndarray = 1 + FLOOR - 10.0**-heights
    return accuracies


def percent(accuracy: float) -> str:
    """Return the label of a tick."""
    return f"{100 * accuracy:.5g}%"


def accuracy_ticks(lowest: float, highest: float, most: int = len(TICKS)) -> list[float]:
    """Return at most `most` accuracies from `lowest` to `highest` as ticks whose labels do not overlap."""
    ticks = [float(tick) for tick in TICKS if lowest <= tick <= highest]
    if len(ticks) < 3:
        even = MaxNLocator(min(most, 5), steps=(1, 2, 5, 10)).tick_values(lowest, highest)
        ticks = [float(tick) for tick in even if lowest <= tick <= min(highest, 1)]
    ticks = ticks[:: max(-(-len(ticks) // most), 1)]
    bottom, top, *levels = height(np.array([lowest, highest, *ticks]))
    kept: list[int] = []
    for at, level in enumerate(levels):
        if not kept or level - levels[kept[-1]] >= NEAREST * (top - bottom):
            kept.append(at)
    return [ticks[at] for at in kept]


def accuracy_axis(axis: Axes, lowest: float, highest: float, horizontal: bool = False, most: int = len(TICKS)) -> None:
    """Make the y axis, or the horizontal one, an axis of accuracies in 0 to 1 with at most `most` ticks.

    It reaches from a little below `lowest` to a little above `highest`.
    """
    bottom, top = height(np.array([lowest, highest]))
    margin = 0.06 * max(top - bottom, 0.3)
    low, high = accuracy_at(np.array([bottom - margin, top + margin]))
    scale, limits, line = (
        (axis.set_xscale, axis.set_xlim, axis.xaxis) if horizontal else (axis.set_yscale, axis.set_ylim, axis.yaxis)
    )
    scale("function", functions=(height, accuracy_at))
    limits(low, high)
    line.set_major_locator(FixedLocator(accuracy_ticks(low, high, most)))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda accuracy, _: percent(accuracy)))


def lowest_shown(accuracies: np.ndarray) -> float:
    """Return where an axis of accuracies begins: at three times the errors of the median, or at the lowest of them.

    A few accuracies far below would compress all others.
    """
    return float(max(accuracies.min(), 1 - 3 * (1 - np.median(accuracies))))


def logarithmic_ticks(line: Axis) -> None:
    """Mark round numbers on a logarithmic axis, the more the shorter it is, and write them in full."""
    low, high = line.get_view_interval()
    steps = (1, 2, 5) if high < 30 * low else (1, 3) if high < 1_000 * low else (1,)
    line.set_major_locator(LogLocator(subs=steps))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def legend(figure: Figure, axis: Axes, columns: int = 2, **keywords: Any) -> None:
    """Put the legend of one axis under all axes, each label once."""
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    style: Any = {"loc": "outside lower left", "fontsize": 8, "handlelength": 3}
    figure.legend(unique.values(), unique.keys(), ncols=columns, **style, **keywords)


def svg(figure: Figure) -> str:
    """Return the figure as an `<svg>` element without the XML prologue, to stand inside a page."""
    text = io.StringIO()
    with mpl.rc_context(RC):
        if layout := figure.get_layout_engine():
            layout.execute(figure)  # otherwise `savefig` draws everything twice, the first time for the layout
            figure.set_layout_engine("none")
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def png(figure: Figure, dpi: int = 110) -> bytes:
    """Return the figure as a PNG file."""
    content = io.BytesIO()
    with mpl.rc_context(RC):
        figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write the figure as the path's ending says (png, svg, pdf), atomically; `UsageError` for another ending."""
    kind = format_of(path)
    with mpl.rc_context(RC), atomic(path) as file:
        figure.savefig(file, format=kind, dpi=200)


def format_of(path: Path) -> str:
    """Return what the path's ending asks for, one of `FORMATS`; `UsageError` for another ending."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise UsageError(f"{path}: figures are written as {', '.join(FORMATS)}; end the name with one of these")
    return kind
