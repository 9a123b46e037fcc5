"""A shard read: batches of pictures, raw or still encoded, each with its id; a thread reads the next one meanwhile.

What is wrong with one picture, or damaged in the middle of a file, stands in its place as a `DataError`. What is wrong
with the storage (a disk, a network) is raised: it would make bad pictures of all that is left.
"""

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenfold.data import idx
from tenfold.errors import DataError
from tenfold.handwriting import decode
from tenfold.networks import INPUT
from tenfold.score.plan import PIXELS, Shard
from tenfold.score.sources import LARGEST, TOO_LARGE, Source

RAW = 4_000  # pictures of 784 bytes in a batch
ENCODED, HELD = 1_024, 32_000_000  # encoded pictures in a batch, and their bytes: of few, threads wait for each other
REQUESTS = 128  # at once, of a file system elsewhere
BUFFER = 1_000_000  # bytes: without, a row group is read whole, and some have a million rows
ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}  # in a tar, the others are no pictures
OWN = (FileNotFoundError, PermissionError, IsADirectoryError)  # errors of one file; others are the storage's
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


def batches(source: Source, shard: Shard) -> Iterator[Batch]:
    """Yield the pictures of a shard, in their order. `DataError` where the file is not the one that was planned."""
    if shard.size is not None:
        try:
            size: int | None = source.size(shard.names[0])
        except FileNotFoundError:
            size = None
        if size != shard.size:
            now = "is not there any more" if size is None else f"has {size:,} bytes now, not {shard.size:,}"
            raise DataError(f"{shard.names[0]} {now}: the source has changed; score it again, with another --out")
    reader: Callable[[Source, Shard], Iterator[Batch]] = READERS[shard.kind]
    with ThreadPoolExecutor(1) as thread:  # reads the next one while this one is decoded and answered
        waiting = reader(source, shard)
        following = thread.submit(next, waiting, None)
        while (batch := following.result()) is not None:
            following = thread.submit(next, waiting, None)
            yield batch


def _pictures(source: Source, shard: Shard) -> Iterator[Batch]:
    if source.local:
        yield from _batched((name, _file(source.path(name))) for name in shard.names)
        return
    for at in range(0, len(shard.names), REQUESTS):
        names = shard.names[at : at + REQUESTS]
        paths = [source.path(name) for name in names]
        found = source.files.cat(paths, on_error="return")  # all at once, where the file system can
        yield Batch(ids(names), contents=tuple(_checked(found[path]) for path in paths))


def _batched(pictures: Iterable[tuple[str, Content | None]]) -> Iterator[Batch]:
    """Yield batches of encoded pictures with their ids, limited in number and bytes; None is passed over."""
    names: list[str] = []
    contents: list[Content] = []
    held = skipped = 0
    for name, content in pictures:
        if content is None:
            skipped += 1
            continue
        names.append(name)
        contents.append(content)
        held += 0 if isinstance(content, DataError) else len(content)
        if len(names) == ENCODED or held > HELD:
            yield Batch(ids(names), contents=tuple(contents), skipped=skipped)
            names, contents, held, skipped = [], [], 0, 0
    yield Batch(ids(names), contents=tuple(contents), skipped=skipped)


def _file(path: str) -> Content:
    try:
        with open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                return DataError(TOO_LARGE)
            return file.read()
    except OWN as error:
        return _checked(error)


def _checked(found: bytes | Exception) -> Content:
    if isinstance(found, OWN):
        return DataError(f"it cannot be opened: {found.strerror or 'no such file'}")
    if isinstance(found, Exception):
        raise found
    return found


def _members(source: Source, shard: Shard) -> Iterator[tuple[str, Content | None]]:
    """Yield the pictures of a tar, each with its id; None for a file that is no picture."""
    (name,) = shard.names
    try:
        with unpacked(source, name) as (file, packed), tarfile.open(fileobj=_Ending(file), mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isreg() or path.name.startswith("."):
                    continue
                picture = path.suffix.lower() in ENDINGS
                yield f"{name}#{member.name}", _member(tar, member) if picture else None
            # A cut between two members looks like an end to `tarfile`.
            if packed:
                while file.read(BUFFER):  # to its checksum
                    pass
            elif shard.size is not None and shard.size - tar.offset < tarfile.BLOCKSIZE:
                raise EOFError("it has no end mark, so more may be missing")
    except DAMAGE as error:
        yield name, DataError(f"it is damaged, and read up to there: {error}")


class _Ending:
    """A file whose end is an error for whoever goes on reading, as `tarfile` does to pass over what is not there."""

    def __init__(self, file: Any) -> None:
        self.file, self.empty = file, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes; `EOFError` where there were none twice before."""
        content: bytes = self.file.read(size)
        self.empty = 0 if content else self.empty + 1
        if self.empty > 2:
            raise EOFError("it ends within a file that it announces")
        return content


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Content:
    if member.size > LARGEST:
        return DataError(TOO_LARGE)
    file = tar.extractfile(member)
    content = file.read() if file else b""
    if len(content) < member.size:
        raise EOFError(f"{member.name} is cut short")
    return content


@contextmanager
def unpacked(source: Source, name: str) -> Iterator[tuple[Any, bool]]:
    """Open a file, what is in it if it is compressed, and say whether it was."""
    with source.open(name) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file, False
            return
        with gzip.open(file) as content:
            yield content, True


def _idx(source: Source, shard: Shard) -> Iterator[Batch]:
    (name,) = shard.names
    offset = idx.header_size(3)
    if not name.lower().endswith(".gz"):
        for start in range(shard.start, shard.stop, RAW):
            stop = min(start + RAW, shard.stop)
            yield _of_bytes(name, start, source.part(name, offset + start * PIXELS, offset + stop * PIXELS))
        return
    start = 0
    try:
        with source.open(name) as file, gzip.open(file) as content:
            content.read(offset)
            while start < shard.stop:
                stop = min(start + RAW, shard.stop if start >= shard.start else shard.start)
                found = content.read((stop - start) * PIXELS)
                if len(found) < (stop - start) * PIXELS:
                    raise EOFError("it is cut short")
                if start >= shard.start:
                    yield _of_bytes(name, start, found)
                start = stop
    except DAMAGE as error:
        lost = f"{name}#{max(start, shard.start)}"
        yield Batch(ids([lost]), contents=(DataError(f"damaged from here to #{shard.stop - 1}: {error}"),))


def _of_bytes(name: str, start: int, content: bytes) -> Batch:
    images = np.frombuffer(content, np.uint8).reshape(-1, *INPUT[1:])
    return Batch(numbered(name, start, len(images)), images)


def _parquet(source: Source, shard: Shard) -> Iterator[Batch]:
    (name,), start = shard.names, shard.start
    try:
        with source.open(name) as file:
            parquet = pq.ParquetFile(file, buffer_size=BUFFER)
            nested = pa.types.is_struct(parquet.schema_arrow.field(shard.column).type)
            columns = [f"{shard.column}.bytes" if nested else shard.column]
            groups = range(*shard.groups)
            for rows in parquet.iter_batches(RAW, row_groups=groups, columns=columns, use_threads=False):
                values = rows.column(0)
                yield from _of_values(name, start, pc.struct_field(values, "bytes") if nested else values)
                start += len(values)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = DataError(f"damaged from here to #{shard.stop - 1}: {str(error).splitlines()[0]}")
        yield Batch(ids([f"{name}#{start}"]), contents=(reason,))


def _of_values(name: str, start: int, values: pa.Array) -> Iterator[Batch]:
    """Yield the values of a column as pictures: at once if each is 784 bytes, else some at a time."""
    images = _raw(values)
    if images is not None:
        yield Batch(numbered(name, start, len(values)), images)
        return
    count = max(1, min(ENCODED, HELD * len(values) // max(values.nbytes, 1)))
    for at in range(0, len(values), count):
        some = values.slice(at, count).to_pylist()
        yield Batch(numbered(name, start + at, len(some)), contents=tuple(map(_content, some)), raw=True)


def _content(value: bytes | list[int | None] | None) -> Content:
    if value is None:
        return DataError("there is none: it is null")
    if isinstance(value, bytes):
        return value
    pixels = [pixel for pixel in value if pixel is not None]
    return bytes(pixels) if len(pixels) == len(value) else DataError("some of its pixels are null")


def _raw(values: pa.Array) -> np.ndarray | None:
    """Return uint8 `[N, 28, 28]` of values that are 784 bytes each, copying none; None of others."""
    if values.null_count:
        return None
    nested = pa.types.is_nested(values.type)
    lengths = pc.list_value_length(values) if nested else pc.binary_length(values)
    if not pc.all(pc.equal(lengths, PIXELS)).as_py():
        return None
    flat = values.flatten() if nested else values.cast(pa.binary(PIXELS))
    if flat.null_count:
        return None
    if nested:
        pixels = flat.to_numpy()
    else:
        pixels = np.frombuffer(flat.buffers()[1], np.uint8)[flat.offset * PIXELS :][: len(flat) * PIXELS]
    rows = pixels.reshape(-1, PIXELS)
    likely = np.isin(rows[:, 0], [signature[0] for signature, _ in decode.SIGNATURES])
    if any(is_encoded(row.tobytes()) for row in rows[likely]):
        return None
    images: np.ndarray = rows.reshape(-1, *INPUT[1:])
    return images


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


READERS: dict[str, Callable[[Source, Shard], Iterator[Batch]]] = {
    "idx": _idx,
    "parquet": _parquet,
    "tar": lambda source, shard: _batched(_members(source, shard)),
    "pictures": _pictures,
    "unusable": lambda _, shard: iter([Batch(ids(shard.names), contents=tuple(map(DataError, shard.reasons)))]),
}
