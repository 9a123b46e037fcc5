"""Read a shard: batches of pictures with ids, raw or encoded. A thread reads the next batch in the meantime.

An invalid picture, or damage in the middle of a file, becomes a `DataError` in place of the picture. Errors of the
storage (a disk, a network) are raised, because otherwise all remaining pictures would be recorded as bad.
"""

import gzip
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from tenfold.data import idx
from tenfold.data.layout import SUFFIXES
from tenfold.errors import DataError
from tenfold.networks import INPUT
from tenfold.score import tables
from tenfold.score.batch import DAMAGE, ENCODED, HELD, RAW, Batch, Content, ids, numbered
from tenfold.score.plan import PIXELS, Shard
from tenfold.score.sources import LARGEST, TOO_LARGE, Source, unpacked

REQUESTS = 128  # simultaneous requests to a remote file system
REST = 1_000_000  # bytes per read, to the end of a compressed tar
OWN = (FileNotFoundError, PermissionError, IsADirectoryError)  # errors of one file; others are of the storage


def batches(source: Source, shard: Shard) -> Iterator[Batch]:
    """Yield the pictures of a shard in order. Raises `DataError` if the file has changed since the plan."""
    if shard.size is not None:
        try:
            size: int | None = source.size(shard.names[0])
        except FileNotFoundError:
            size = None
        if size != shard.size:
            now = "no longer exists" if size is None else f"has {size:,} bytes now, not {shard.size:,}"
            raise DataError(f"{shard.names[0]} {now}: the source has changed; score it again, with another --out")
    reader: Callable[[Source, Shard], Iterator[Batch]] = READERS[shard.kind]
    with ThreadPoolExecutor(1) as thread:  # reads the next batch while this one is decoded and answered
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
        found = source.files.cat(paths, on_error="return")  # in parallel, if the file system can
        yield Batch(ids(names), contents=tuple(_checked(found[path]) for path in paths))


def _batched(pictures: Iterable[tuple[str, Content | None]]) -> Iterator[Batch]:
    """Yield batches of encoded pictures with their ids, limited in number and bytes; contents of None are skipped."""
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
        return DataError(f"cannot be opened: {found.strerror or 'no such file'}")
    if isinstance(found, Exception):
        raise found
    return found


def _members(source: Source, shard: Shard) -> Iterator[tuple[str, Content | None]]:
    """Yield the pictures of a tar with their ids, and None for other files."""
    (name,) = shard.names
    try:
        with unpacked(source, name) as (file, packed), tarfile.open(fileobj=_Ending(file), mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isreg() or path.name.startswith("."):
                    continue
                picture = path.suffix.lower() in SUFFIXES  # in a tar, other files are not pictures
                yield f"{name}#{member.name}", _member(tar, member) if picture else None
            # To `tarfile`, an archive cut between two members looks complete.
            if packed:
                while file.read(REST):  # to its checksum
                    pass
            elif shard.size is not None and shard.size - tar.offset < tarfile.BLOCKSIZE:
                raise EOFError("no end mark, so files may be missing")
    except DAMAGE as error:
        yield name, DataError(f"damaged from here on: {error}")


class _Ending:
    """A file that raises when read beyond its end, as `tarfile` does when it skips missing data."""

    def __init__(self, file: Any) -> None:
        self.file, self.empty = file, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes; raise `EOFError` at the third read beyond the end."""
        content: bytes = self.file.read(size)
        self.empty = 0 if content else self.empty + 1
        if self.empty > 2:
            raise EOFError("it ends within a file")
        return content


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Content:
    if member.size > LARGEST:
        return DataError(TOO_LARGE)
    file = tar.extractfile(member)
    content = file.read() if file else b""
    if len(content) < member.size:
        raise EOFError(f"{member.name} is incomplete")
    return content


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
                    raise EOFError("it is incomplete")
                if start >= shard.start:
                    yield _of_bytes(name, start, found)
                start = stop
    except DAMAGE as error:
        lost = f"{name}#{max(start, shard.start)}"
        yield Batch(ids([lost]), contents=(DataError(f"damaged from here to #{shard.stop - 1}: {error}"),))


def _of_bytes(name: str, start: int, content: bytes) -> Batch:
    images = np.frombuffer(content, np.uint8).reshape(-1, *INPUT[1:])
    return Batch(numbered(name, start, len(images)), images)


READERS: dict[str, Callable[[Source, Shard], Iterator[Batch]]] = {
    "csv": tables.csv,
    "idx": _idx,
    "parquet": tables.parquet,
    "tar": lambda source, shard: _batched(_members(source, shard)),
    "pictures": _pictures,
    "unusable": lambda _, shard: iter([Batch(ids(shard.names), contents=tuple(map(DataError, shard.reasons)))]),
}
