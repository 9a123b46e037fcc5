"""A folder of the user's drawings, `my-digits/7/drawing-000042.png`: the only place where a request can write.

It is an ordinary folder of pictures, as for `tenfold train --data`. Names are chosen here, never by a request, and only
decoded pixels are written, never the received bytes.
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
OURS = re.compile(r"drawing-(\d{6,18})")  # a counter, because clocks can be set back
LOCK = ".lock"
LOCK_SECONDS = 5.0  # longest wait for another drawing
PLAIN = re.compile(r"\w{1,20}")  # class names that are valid folder names everywhere


class Drawings:
    """The drawings in one folder, for the classes of one model."""

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        """Use `folder`, which is made with the first drawing; raise `UsageError` if a class cannot name a folder."""
        if strange := [name for name in classes if not PLAIN.fullmatch(name)]:
            raise UsageError(f"--handwriting needs classes of letters and digits, got {strange[0]!r}")
        self.folder = folder
        self.classes = tuple(classes)

    def all(self) -> list[Path]:
        """Return the files, class by class, the oldest first; the folder of a file is its class."""
        return [
            path
            for label in self.classes
            for path in sorted((self.folder / label).glob("*.png"))
            if not path.name.startswith(".") and path.is_file()
        ]

    def last(self) -> Path | None:
        """Return the newest drawing added here, or None."""
        return max(
            (path for path in self.all() if _number(path.stem)), key=lambda path: _number(path.stem), default=None
        )

    def add(self, label: str, content: bytes) -> Path:
        """Store a picture file as a drawing of the class `label`, and return its path.

        Raises `PictureError` if it is not a picture or too large, `DataError` if it does not show a single character,
        `RefusedError` for a full folder, `StorageError` for a full disk, `UsageError` for an unknown label.
        """
        if label not in self.classes:
            raise UsageError(f"unknown class {label!r}; known: {', '.join(self.classes)}")
        grey = picture.decode(content)
        if grey.size > LARGEST:
            raise TooLargeError(f"a drawing must have at most {LARGEST:,} pixels, got {grey.size:,}")
        reading = picture.read(grey, digits_only=picture.are_digits(self.classes))
        if reading.image is None:
            raise DataError(f"not stored: {reading.verdict}")
        encoded = io.BytesIO()
        Image.fromarray(grey).save(encoded, "PNG")
        files.make_folder(self.folder / label)
        with files.only_one(self.folder / LOCK, "others are storing drawings; try again in a second", LOCK_SECONDS):
            if len(self.all()) >= MOST:
                raise RefusedError(409, f"the folder already has {MOST:,} drawings; delete some")
            last = self.last()
            path = self.folder / label / f"drawing-{_number(last.stem) + 1 if last else 1:06}.png"
            with files.atomic(path) as file:
                file.write(encoded.getvalue())
        return path

    def remove(self, name: str) -> bool:
        """Delete the drawing of that name if it was added here; raise `StorageError` if that fails."""
        found = [path for path in self.all() if path.stem == name and _number(name)]
        for path in found:
            files.delete(path)
        return bool(found)


def _number(name: str) -> int:
    """Return the number of a drawing added here; 0 for other names."""
    found = OURS.fullmatch(name)
    return int(found[1]) if found else 0
