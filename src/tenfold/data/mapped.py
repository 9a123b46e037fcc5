"""Files larger than memory may be: mapped, read where they are looked at, hashed once and not at every start.

A file up to `LARGE` is read whole and hashed whenever it is opened. To hash 8 GB takes longer than many a training, so
of larger ones the cache remembers the hash, for as long as size and times of the file are what they were.
"""

import hashlib
import json
import mmap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np

from tenfold import files
from tenfold.data import catalog
from tenfold.data.catalog import File
from tenfold.errors import TenfoldError, UsageError

LARGE = 1 << 30  # bytes; up to so many lie in memory
PICTURE = 28 * 28  # bytes
REMEMBERED = "files"  # where the cache keeps what it knows of files


def too_many(pictures: int) -> bool:
    """Return whether so many pictures are read while they are trained on, and not held in memory."""
    return pictures * PICTURE > LARGE


def opened(path: Path, file: File) -> np.ndarray | None:
    """Return the bytes of a file, uint8 `[size]`, of which none is read yet; None if it is missing or another one."""
    try:
        if path.stat().st_size != file.size or sha256(path) != file.sha256:
            return None
        return np.asarray(np.memmap(path, np.uint8, "r"))
    except OSError:
        return None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; nothing is read if it is known from before."""

    def digest() -> str:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    return str(remembered(path, "sha256", digest))


def remembered(path: Path, what: str, compute: Callable[[], Any]) -> Any:
    """Return what `compute` makes of a file, from JSON: computed anew only if the file's size or times differ."""
    status = path.stat()
    seen = (str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, what)
    note = catalog.folder_of(REMEMBERED) / f"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return json.loads(note.read_text())[what]
    value = compute()
    with suppress(TenfoldError):  # where the cache cannot be written to, it is computed each time
        files.make_folder(note.parent)
        files.write_json(note, {"file": str(path.resolve()), what: value})
    return value


class Rows:
    """Pictures of an array, chosen by an index: each is read when it is asked for, and copied then.

    It stands where an array of pictures stands, `[N, 28, 28]`, for those who take a slice or an index of it at a time.
    What needs all of them at once raises `UsageError`.
    """

    def __init__(self, images: np.ndarray, index: np.ndarray) -> None:
        self._images, self._index = images, index
        self.shape: tuple[int, ...] = (len(index), *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, at: slice | np.ndarray) -> np.ndarray:
        return picked(self._images, self._index[at])

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise UsageError(
            f"{len(self):,} pictures are more than are held in memory, and this needs them all at once; "
            "fewer do it too: --set train_size=100000, or --train-size"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__array__()


def picked(images: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return a copy of the pictures at `index`; of a mapped file the system is told of all of them beforehand.

    Else it would learn of each page when that is missed, and wait for the disk each time: 65,536 pictures in blocks of
    128 took 1.9 s instead of 0.1.
    """
    if isinstance(images, Rows):
        return images[index]
    base: Any = images
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        first = images.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
        for run in np.split(index, np.flatnonzero(np.diff(index) != 1) + 1):
            if len(run):
                start = (first + int(run[0]) * PICTURE) // mmap.PAGESIZE * mmap.PAGESIZE
                stop = first + (int(run[-1]) + 1) * PICTURE
                base.madvise(mmap.MADV_WILLNEED, start, stop - start)
    chosen: np.ndarray = images[index]
    return chosen


def rows(images: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return the pictures at `index`, an index or a mask: a copy, or where they would be too many, `Rows`."""
    index = np.flatnonzero(index) if index.dtype == bool else index
    return cast(np.ndarray, Rows(images, index)) if too_many(len(index)) else images[index]


def pixel_moments(images: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of the pixels of uint8 images, from counts of each value: nothing is rounded.

    A few thousand pictures are looked at at a time.
    """
    counts = np.zeros(256, np.int64)
    for start in range(0, len(images), 2_000):
        counts += np.bincount(np.ravel(images[start : start + 2_000]), minlength=256)
    values = np.arange(256)
    mean = float(counts @ values / counts.sum())
    return mean, float(counts @ (values - mean) ** 2 / counts.sum()) ** 0.5
