"""A batch of pictures with their ids, between source and model."""

import gzip
import tarfile
import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenfold.errors import DataError
from tenfold.handwriting import decode

RAW = 4_000  # raw pictures of 784 bytes in a batch
ENCODED, HELD = 1_024, 32_000_000  # encoded pictures in a batch, and their bytes; threads idle with smaller batches
DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, pa.ArrowException)

Content = bytes | DataError


@dataclass(frozen=True)
class Batch:
    """Pictures with their ids: either `images`, uint8 `[N, 28, 28]`, or `contents`, each encoded bytes or an error.

    Contents of 784 bytes can be `raw` pixels. `skipped` counts files of a tar that are not pictures, such as labels.
    """

    ids: pa.Array
    images: np.ndarray | None = None
    contents: tuple[Content, ...] = ()
    raw: bool = False
    skipped: int = 0


def is_encoded(content: bytes) -> bool:
    """Return True if 784 bytes are an encoded picture. A BMP must state this size: pixels can start like a BMP."""
    try:
        size = int.from_bytes(content[2:6], "little")
        return decode.sniff(content) != "BMP" or size == len(content)
    except decode.FormatError:
        return False


def ids(names: list[str] | tuple[str, ...]) -> pa.Array:
    """Return names as ids, with invalid Unicode escaped."""
    return pa.array([name.encode(errors="backslashreplace").decode() for name in names], pa.string())


def numbered(name: str, start: int, count: int) -> pa.Array:
    """Return the ids of `count` pictures of a file, from `name#start` on."""
    numbers = pa.array(np.arange(start, start + count)).cast(pa.string())
    return pc.binary_join_element_wise(ids([name])[0], numbers, "#")
