"""The IDX format of MNIST's files: a header that gives the shape, then the bytes.

Header: two zero bytes, the type (8: unsigned byte), the rank, then one big-endian 32-bit count per dimension.
Source: http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes and Burges).
"""

import math
import re
import struct
from pathlib import Path

import numpy as np

from tenfold.errors import DataError

UNSIGNED_BYTE = 8
FILE = re.compile(r"(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.](?P<kind>idx\d)-ubyte(\.gz)?")


def files_in(folder: Path) -> dict[str, Path]:
    """Return the IDX files of the one dataset in a folder, plain or gzipped, by MNIST's names.

    `train-images.idx3-ubyte` and `emnist-letters-train-images-idx3-ubyte` count as `train-images-idx3-ubyte`. Raises
    `DataError` for several datasets, unless one of them has no such prefix.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and (name := FILE.fullmatch(path.name)):
            part = "train" if name["part"] == "train" else "t10k"
            found.setdefault(name["prefix"], {}).setdefault(f"{part}-{name['what']}-{name['kind']}-ubyte", path)
    if len(found) > 1 and "" not in found:
        raise DataError(f"{folder} has several datasets: {', '.join(found)}; put each into its own folder")
    return found.get("", next(iter(found.values()), {}))


def decode(content: bytes | memoryview, rank: int, name: str) -> np.ndarray:
    """Return the array in `content` as uint8 with `rank` dimensions, without copying.

    Raises `DataError` with the `name` for a wrong magic number, a wrong rank, or counts that do not fit the size of
    the content. The checks come before any allocation, so a header that claims 2^31 pictures costs nothing.
    """
    shape = shape_of(content, rank, name)
    check_size(shape, len(content), name)
    return np.frombuffer(content, np.uint8, offset=header_size(rank)).reshape(shape)


def header_size(rank: int) -> int:
    """Return the number of bytes before the array."""
    return 4 + 4 * rank


def shape_of(content: bytes | memoryview, rank: int, name: str) -> tuple[int, ...]:
    """Return the shape in a header, from the first bytes of a file; raises the errors of `decode`."""
    if len(content) < header_size(rank):
        raise DataError(f"{name}: too short for an IDX header, got {len(content)} bytes")
    header = content[: header_size(rank)]
    zero, kind, found_rank = struct.unpack_from(">HBB", header)
    if zero != 0 or kind != UNSIGNED_BYTE:
        raise DataError(f"{name}: not an IDX file of unsigned bytes (it starts with {header[:4].hex()})")
    if found_rank != rank:
        raise DataError(f"{name}: must have {rank} dimensions, got {found_rank}; are images and labels swapped?")
    return struct.unpack_from(f">{rank}I", header, 4)


def check_size(shape: tuple[int, ...], size: int, name: str) -> None:
    """Raise `DataError` if the size of a file does not fit its header."""
    expected = header_size(len(shape)) + math.prod(shape)
    if size != expected:
        raise DataError(
            f"{name}: the header announces {shape} = {expected:,} bytes, the file has {size:,}; "
            "it is incomplete or damaged"
        )


def encode(array: np.ndarray) -> bytes:
    """Return a uint8 `array` of any rank from 1 to 255 as the content of an IDX file."""
    if array.dtype != np.uint8 or array.ndim < 1:
        raise ValueError(f"IDX files must hold uint8 arrays of rank 1 or more, got {array.dtype} of rank {array.ndim}")
    return struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape) + array.tobytes()
