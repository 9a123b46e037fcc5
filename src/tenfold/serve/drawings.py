"""A folder of drawings of one's own, `my-digits/7/drawing-000042.png`: the one place where a request writes.

It is an ordinary folder of pictures, which `tenfold train --data` takes. Names are chosen here, never by a request,
and what is written are the pixels that were decoded, never the bytes that came.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tenfold import files
from tenfold.errors import DataError, UsageError
from tenfold.handwriting import picture
from tenfold.handwriting.picture import TooLargeError
from tenfold.serve.intake import RefusedError

MOST = 2_000  # drawings in a folder
LARGEST = 512 * 512  # pixels of a drawing
OURS = re.compile(r"drawing-(\d{6,18})")  # a counter: clocks are set back
LOCK = ".lock"
LOCK_SECONDS = 5.0  # that another drawing may take
PLAIN = re.compile(r"\w{1,20}")  # class names that are names of folders everywhere


class Drawings:
    """The drawings of one folder, for the classes of one model."""

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        """Take `folder`, which is made with the first drawing; `UsageError` where a class cannot name a folder."""
        if strange := [name for name in classes if not PLAIN.fullmatch(name)]:
            raise UsageError(f"handwriting is for digits and letters; this model has the class {strange[0]!r}")
        self.folder = folder
        self.classes = tuple(classes)

    def all(self) -> list[Path]:
        """Return the files, class after class, the oldest of each first; the folder of each is its class."""
        return [
            path
            for label in self.classes
            for path in sorted((self.folder / label).glob("*.png"))
            if not path.name.startswith(".") and path.is_file()
        ]

    def last(self) -> Path | None:
        """Return the newest drawing that was added here."""
        return max(
            (path for path in self.all() if _number(path.stem)), key=lambda path: _number(path.stem), default=None
        )

    def add(self, label: str, content: bytes) -> Path:
        """Keep a picture file as a drawing of the class `label`, and return its file.

        Raises `PictureError` for no picture or one that is too large, `DataError` where no single character is seen,
        `RefusedError` for a full folder, `StorageError` for a full disk, `UsageError` for a label that is no class.
        """
        if label not in self.classes:
            raise UsageError(f"{label!r} is none of the classes: {', '.join(self.classes)}")
        grey = picture.decode(content)
        if grey.size > LARGEST:
            raise TooLargeError(f"a drawing has at most {LARGEST:,} pixels, and this one {grey.size:,}")
        reading = picture.read(grey, digits_only=picture.are_digits(self.classes))
        if reading.image is None:
            raise DataError(f"not kept: {reading.verdict}")
        encoded = io.BytesIO()
        Image.fromarray(grey).save(encoded, "PNG")
        files.make_folder(self.folder / label)
        with files.only_one(self.folder / LOCK, "others keep drawings here; come back in a second", LOCK_SECONDS):
            if len(self.all()) >= MOST:
                raise RefusedError(409, f"there are {MOST:,} drawings already; delete some")
            last = self.last()
            path = self.folder / label / f"drawing-{_number(last.stem) + 1 if last else 1:06}.png"
            with files.atomic(path) as file:
                file.write(encoded.getvalue())
        return path

    def remove(self, name: str) -> bool:
        """Delete the drawing of that name, if there is one that was added here; `StorageError` where it stays."""
        found = [path for path in self.all() if path.stem == name and _number(name)]
        for path in found:
            files.delete(path)
        return bool(found)


def _number(name: str) -> int:
    """Return the number of a drawing that was added here; 0 for other names."""
    found = OURS.fullmatch(name)
    return int(found[1]) if found else 0
