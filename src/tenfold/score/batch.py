"""A batch of pictures, with their ids, on the way from a source to the model."""

import gzip
import tarfile
import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenfold.errors import DataError
from tenfold.handwriting import decode

RAW = 4_000  # pictures of 784 bytes in a batch
ENCODED, HELD = 1_024, 32_000_000  # encoded pictures in a batch, and their bytes: of few, threads wait for each other
DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, pa.ArrowException)

Content = bytes | DataError


@dataclass(frozen=True)
class Batch:
    """Pictures with their ids: `images`, uint8 `[N, 28, 28]`, or `contents`, encoded or an error each.

    An encoded one of 784 bytes may be `raw`. `skipped` are files of a tar that are no pictures: labels, texts.
    """

    ids: pa.Array
    images: np.ndarray | None = None
    contents: tuple[Content, ...] = ()
    raw: bool = False
    skipped: int = 0


def is_encoded(content: bytes) -> bool:
    """Return True for 784 bytes that are an encoded picture; a BMP must have its size: pixels can begin as one."""
    try:
        size = int.from_bytes(content[2:6], "little")
        return decode.sniff(content) != "BMP" or size == len(content)
    except decode.FormatError:
        return False


def ids(names: list[str] | tuple[str, ...]) -> pa.Array:
    """Return names as ids; what in them is no Unicode is spelt out."""
    return pa.array([name.encode(errors="backslashreplace").decode() for name in names], pa.string())


def numbered(name: str, start: int, count: int) -> pa.Array:
    """Return the ids of `count` pictures of a file, `name#start` first."""
    numbers = pa.array(np.arange(start, start + count)).cast(pa.string())
    return pc.binary_join_element_wise(ids([name])[0], numbers, "#")
