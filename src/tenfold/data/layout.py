"""The layout of a folder of pictures: parts, classes and files, in the same order on every machine.

Folders are read no deeper than `folder/class/picture.png`, so loops of links are harmless.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.data.catalog import MOST_CLASSES
from tenfold.errors import UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
TOLD = 10  # most names in a message
PARTS = {  # names of part folders, in lower case
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

Skipped = list[tuple[str, str]]  # a path within the folder, and the reason


@dataclass(frozen=True)
class Layout:
    """The files of a folder by part and class, and the skipped files.

    The parts are "train" and, where there are folders for them, "validation" and "test".
    """

    folder: Path
    parts: dict[str, dict[str, list[Path]]]
    skipped: Skipped

    @property
    def name(self) -> str:
        """The name of the folder."""
        return printable(self.folder.resolve().name)

    @property
    def files(self) -> list[tuple[str, str, Path]]:
        """Part, class and path of every expected picture."""
        return [
            (part, label, path)
            for part, listing in self.parts.items()
            for label, paths in listing.items()
            for path in paths
        ]

    def within(self, path: Path) -> str:
        """Return a path for messages: relative to the folder."""
        return printable(path.relative_to(self.folder).as_posix())


def look(folder: Path) -> Layout:
    """Return the layout of a folder; raise `UsageError` if it does not exist or has no class folders."""
    inside = _folders(folder)
    layout = Layout(folder, {}, [])
    parts = [path for path in inside if path.name.casefold() in PARTS]
    others = [path.name for path in inside if path not in parts]
    named = [path for path in parts if _folders(path)]
    places = {PARTS[path.name.casefold()]: path for path in named}
    names = told(path.name for path in named)
    if "train" not in places or (others and len(named) < 2):
        layout.parts["train"] = _listing(layout, inside)
    elif others:
        raise UsageError(f"{folder} must hold only parts or only classes, got {names} next to {told(others)}")
    elif len(places) < len(named):
        raise UsageError(f"{folder} has two folders for the same part, among {names}; keep one")
    else:
        for part in sorted(places, key=list(PARTS.values()).index):
            listing = _listing(layout, _folders(places[part]))
            if more := [name for name in listing if name not in layout.parts.get("train", listing)]:
                raise UsageError(f"{places[part]} has classes that {places['train']} lacks: {told(more)}")
            layout.parts[part] = listing
        layout.skipped.extend((path.name, "it has no class folders") for path in parts if path not in named)
    return layout


def classes(layout: Layout) -> tuple[str, ...]:
    """Return the classes in natural order; raise `UsageError` if there are too few or too many."""
    found = sorted(layout.parts["train"], key=natural)
    if not found:
        raise UsageError(f"{layout.folder} has no folders; it needs one folder of pictures for each class")
    if not 2 <= len(found) <= MOST_CLASSES:
        raise UsageError(
            f"{layout.folder} must have from 2 to {MOST_CLASSES} classes, got {len(found):,} ({told(found)})"
        )
    return tuple(found)


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts names in natural order: 2 before 10, a before B, numbers before letters."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], name


def told(names: Iterable[str]) -> str:
    """Return names for a message; of many names, the first ones and the number of the others."""
    names = [printable(name) for name in names]
    return ", ".join(names[:TOLD]) + (f" and {len(names) - TOLD:,} more" if len(names) > TOLD else "")


def printable(name: str) -> str:
    """Return a file name that can be printed and stored: composed Unicode, with invalid bytes escaped."""
    composed = unicodedata.normalize("NFC", name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in composed)


def slug(name: str) -> str:
    """Return a folder's name in lower-case letters, digits and hyphens, for the name of its dataset."""
    plain_letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain_letters).strip("-") or "folder"


def _folders(folder: Path) -> list[Path]:
    """Return the subfolders in natural order, without hidden ones and those left by programs."""
    try:
        inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    except FileNotFoundError:
        raise UsageError(f"folder {folder} does not exist") from None
    except NotADirectoryError:
        raise UsageError(
            f"{folder} is a file; give a folder with one folder of pictures per class, or a CSV or Parquet file"
        ) from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from None
    return sorted(inside, key=lambda path: natural(path.name))


def _listing(layout: Layout, folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the pictures in class folders. Other files are added to skipped, except hidden ones."""
    listing: dict[str, list[Path]] = {}
    for place in folders:
        paths = listing.setdefault(printable(place.name), [])
        try:
            inside = sorted(place.iterdir(), key=lambda path: natural(path.name))
        except OSError as error:
            layout.skipped.append((layout.within(place), f"cannot be read: {error.strerror}"))
            continue
        for path in inside:
            if path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini"):
                continue
            if not path.is_file():
                layout.skipped.append((layout.within(path), "not a file"))
            elif path.suffix.lower() not in SUFFIXES:
                layout.skipped.append((layout.within(path), "not named as PNG, JPEG, WebP, BMP, TIFF or GIF"))
            else:
                paths.append(path)
    return listing
