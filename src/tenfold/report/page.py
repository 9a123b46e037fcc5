"""The parts of the page, as values, and the page written from them; `report.html` is their template."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from tenfold import files
from tenfold.report.figures import style

INKS, SHARES = 4, 9  # levels of ink and of saliency in the palette: more could not be told apart this small
PALE = 0.3  # how dark full ink is under the colours


@dataclass(frozen=True)
class Picture:
    """A figure as markup to stand in the page, its finding, and its subject in words."""

    finding: str
    caption: str
    markup: Markup


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; `chosen` is the place of the row that stands out, if one does."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    chosen: int | None = None


@dataclass(frozen=True)
class Atlas:
    """Errors in a table that sorts itself; an error is the values that the template names, pictures as data URIs."""

    caption: str
    errors: Sequence[Mapping[str, Any]]

    @property
    def compared(self) -> bool:
        """Tell if the answers of other models are known."""
        return any(error["others"] for error in self.errors)

    @property
    def explained(self) -> bool:
        """Tell if the pixels that spoke for the answers are known."""
        return any(error["saliency"] for error in self.errors)


@dataclass(frozen=True)
class Section:
    """A chapter of the page; `name` is its anchor."""

    name: str
    title: str
    texts: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    atlases: Sequence[Atlas] = ()
    definitions: Sequence[Mapping[str, str]] = ()
    commands: Sequence[str] = ()


def as_svg(figure: Figure, caption: str) -> Picture:
    """Return the figure as SVG: sharp at every size, its text selectable. Its headline becomes text of the page."""
    finding = figure.get_suptitle().replace("\n", " ").replace(r"\$", "$")
    figure.suptitle("").set_in_layout(False)
    return Picture(finding, caption, Markup(style.svg(figure)))


def digit(image: np.ndarray) -> str:
    """Return the data URI of one uint8 picture `[28, 28]`, black on white as in print."""
    return _png(Image.fromarray(255 - image))


def overlay(image: np.ndarray, saliency: np.ndarray) -> str:
    """Return the data URI of the uint8 picture `[28, 28]` in pale grey under its `saliency`, float `[28, 28]`.

    Orange pixels are for the answer, blue ones against it; the strongest of the picture has the full colour.
    """
    strongest = max(float(np.abs(saliency).max()), 1e-12)
    ink = np.round(image / 255 * (INKS - 1)).astype(np.uint8)
    share = np.round((saliency / strongest + 1) / 2 * (SHARES - 1)).astype(np.uint8)
    sheet = Image.fromarray(ink * np.uint8(SHARES) + share)
    sheet.putpalette(_palette())
    return _png(sheet)


@cache
def _palette() -> bytes:
    """Return the colour of each level of ink and saliency, in the order in which `overlay` numbers them."""
    colours = style.DIVERGING.resampled(SHARES)(np.arange(SHARES))[:, :3]  # [SHARES, 3], white in the middle
    grey = 1 - PALE * np.linspace(0, 1, INKS)
    shades: np.ndarray = np.round(255 * grey[:, None, None] * colours)
    return shades.astype(np.uint8).tobytes()


def _png(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def write(path: Path, title: str, answer: str, notes: Sequence[str], sections: Sequence[Section]) -> None:
    """Render the page, every text escaped, and write it atomically."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tenfold.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    values: dict[str, Any] = {"title": title, "answer": answer, "notes": notes, "sections": sections}
    text = environment.get_template("report.html").render(values)
    with files.atomic(path) as file:
        file.write(text.encode())
