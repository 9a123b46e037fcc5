"""The style of every figure: readable in print and by colour-blind readers.

Figures are made without pyplot, so no global setting changes and no figure stays open.
"""

import io
from base64 import b64encode
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tenfold.errors import UsageError
from tenfold.files import atomic

# Okabe and Ito's colours, in an order whose neighbours also differ in lightness.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
INK, MUTED, GRID = "#1a1a1a", "#767676", "#dddddd"
SEQUENTIAL = LinearSegmentedColormap.from_list("tenfold", ["#ffffff", "#56B4E9", "#0072B2", "#00263e"])
DIVERGING = LinearSegmentedColormap.from_list("tenfold-diverging", ["#0072B2", "#ffffff", "#D55E00"])
WIDTH = 7.2  # inches: a column of text
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")  # beside colour, never colour alone
LINES = ("-", "--", "-.", ":")
LEGEND: Any = {"loc": "outside lower left", "fontsize": 8, "frameon": False, "handlelength": 3}  # under all axes
FORMATS = ("png", "svg", "pdf")

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


class _Drawn(Figure):
    """A figure that a notebook shows as it is saved, where it is the value of a cell."""

    def _repr_png_(self) -> bytes:
        return png(self)


def shown_as_saved(figure: Figure) -> None:
    """Let a notebook show a figure that was made elsewhere as it is saved."""
    figure.__class__ = _Drawn


def new(
    height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **keywords: Any
) -> tuple[Figure, np.ndarray]:
    """Return an empty figure (sizes in inches) and its axes, `[rows, columns]`; keywords go to `Figure.subplots`."""
    with mpl.rc_context(RC):
        figure = _Drawn(figsize=(width, height), layout="constrained")
        axes: np.ndarray = figure.subplots(rows, columns, squeeze=False, **keywords)
    return figure, axes


def grid_of_pictures(axis: Axes, pictures: np.ndarray, columns: int, gap: int = 1) -> None:
    """Draw pictures `[N, H, W]` (uint8 or float; each array's own range) as rows of `columns` on one axis."""
    count, height, width = pictures.shape
    rows = -(-count // columns)
    low, high = float(pictures.min()), float(pictures.max())
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for at, picture in enumerate(pictures):
        top, left = (at // columns) * (height + gap), (at % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    axis.imshow(sheet, cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    axis.set_axis_off()


def svg(figure: Figure) -> str:
    """Return the figure as an `<svg>` element without the XML prologue, to stand inside a page."""
    text = io.StringIO()
    with mpl.rc_context(RC):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def png(figure: Figure, dpi: int = 110) -> bytes:
    """Return the figure as a PNG file."""
    content = io.BytesIO()
    with mpl.rc_context(RC):
        figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()


def data_uri(content: bytes) -> str:
    """Return a PNG file as an address that holds it."""
    return f"data:image/png;base64,{b64encode(content).decode()}"


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
