"""The parts of the page, as values; `report.html` is their template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from tenfold import files
from tenfold.report.figures import style


@dataclass(frozen=True)
class Picture:
    """A figure as markup to stand in the page, and what it shows in words."""

    caption: str
    markup: Markup


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; `chosen` is the place of the row that stands out, if one does."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    chosen: int | None = None


@dataclass(frozen=True)
class Near:
    """A training picture beside an error: its class, its PNG in base64."""

    label: str
    picture: str


@dataclass(frozen=True)
class AtlasRow:
    """One error as the page shows it; pictures are PNGs in base64, `saliency` empty where there is none."""

    index: int
    picture: str
    saliency: str
    true: str
    said: str
    confidence: str
    top: str
    neighbours: Sequence[Near]
    others: str


@dataclass(frozen=True)
class Atlas:
    """Errors in a table that sorts itself."""

    caption: str
    errors: Sequence[AtlasRow]


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
    """Return the figure as lines and text (SVG): for curves and bars."""
    return Picture(caption, Markup(style.svg(figure)))


def as_png(figure: Figure, caption: str) -> Picture:
    """Return the figure as pixels (PNG): for many pictures or points, where lines would weigh more."""
    source = style.data_uri(style.png(figure))
    return Picture(caption, Markup('<img class="wide" alt="{}" src="{}">').format(caption, source))


def write(path: Path, title: str, answer: str, notes: Sequence[str], sections: Sequence[Section]) -> None:
    """Render the page, every text escaped, and write it atomically."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tenfold.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    values: dict[str, Any] = {"title": title, "answer": answer, "notes": notes, "sections": sections}
    text = environment.get_template("report.html").render(values)
    with files.atomic(path) as file:
        file.write(text.encode())
