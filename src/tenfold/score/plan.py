"""Divide a source into shards: pieces of work that are each done once and read in one pass.

A shard is a range of an IDX file, some row groups of a Parquet file, a tar or CSV file, or a list of picture files.
Unreadable files are part of shards too, so that their errors are recorded like all others.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tenfold import files
from tenfold.data import idx, table
from tenfold.data.layout import told
from tenfold.errors import DataError, UsageError
from tenfold.handwriting import decode
from tenfold.networks import INPUT
from tenfold.score.sources import Found, Source, kind_of, unpacked

PICTURES = 32_768  # in a shard: a few seconds of work, a few hundred KB of answers
FILES = 4_096  # in a shard of encoded pictures, each of which costs as much as ten of IDX
CUTS = 4  # most shards of a compressed IDX file, because each shard must unpack everything before it
PIXELS = 784

Kind = Literal["idx", "parquet", "csv", "tar", "pictures", "unusable"]


@dataclass(frozen=True)
class Shard:
    """A line of the plan. All kinds except `pictures` and `unusable` have one file, of `size` bytes when planned.

    Its pictures are `start` to `stop`; `groups` are its row groups, first and last + 1; `column` is the column of the
    pictures, or None if each pixel has one. `count` is the expected number of pictures, or None if only reading can
    tell. `reasons` say why files are unusable.
    """

    kind: Kind
    names: tuple[str, ...]
    size: int | None = None
    start: int = 0
    stop: int = 0
    groups: tuple[int, int] = (0, 0)
    column: str | None = None
    count: int | None = None
    reasons: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults as JSON values."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


def parse(line: str | bytes) -> Shard:
    """Return the shard in a line of the plan."""
    return files.parse_json(line, Shard, "a line of the plan", "score again, with another --out")


def shards(source: Source, column: str | None = None, but: str | None = None) -> Iterator[Shard]:
    """Yield the shards of a source in the order of its files, without the local folder `but`.

    Raises `DataError` if the source is a single unreadable file, `UsageError` if it has several columns of pictures and
    `column` is None.
    """
    lists: dict[Kind, list[tuple[str, str]]] = {"pictures": [], "unusable": []}
    for found in source.walk(but):
        kind = kind_of(found.name) if source.single is None else _sniffed(source)
        if found.reason is None and kind == "pictures":
            lists["pictures"].append((found.name, ""))
        else:
            try:
                yield from _of_file(source, found, kind, column)
            except DataError as error:
                if source.single is not None:
                    raise
                lists["unusable"].append((found.name, str(error).removeprefix(f"{found.name}: ")))
        for full in (kind for kind, listed in lists.items() if len(listed) == FILES):
            yield _of_list(full, lists[full])
            lists[full] = []
    yield from (_of_list(kind, listed) for kind, listed in lists.items() if listed)


def _of_list(kind: Kind, files: list[tuple[str, str]]) -> Shard:
    names, reasons = zip(*files, strict=True)
    return Shard(kind, names, count=len(names), reasons=reasons if kind == "unusable" else ())


def _of_file(source: Source, found: Found, kind: str, column: str | None) -> Iterator[Shard]:
    """Yield the shards of a file with many pictures; raise `DataError` if nothing can be read from it."""
    if found.reason is not None:
        raise DataError(found.reason)
    try:
        size = source.size(found.name)
        if kind == "tar":
            if source.single is not None:  # in a larger source, errors appear when the file is read
                _check_tar(source, found.name)
            yield Shard("tar", (found.name,), size)
        elif kind == "csv":
            with unpacked(source, found.name) as (file, _):
                table.lines(file, found.name)
            yield Shard("csv", (found.name,), size)
        elif kind == "idx":
            yield from _of_idx(source, found.name, size)
        else:
            yield from _of_parquet(source, found.name, size, column)
    except (FileNotFoundError, PermissionError) as error:
        raise DataError(f"cannot be opened: {error.strerror or 'no such file'}") from None


def _check_tar(source: Source, name: str) -> None:
    try:
        with source.open(name) as file, tarfile.open(fileobj=file, mode="r|*"):
            pass
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is damaged or not a tar file: {error}") from None


def _of_idx(source: Source, name: str, size: int) -> Iterator[Shard]:
    packed = name.lower().endswith(".gz")
    try:
        if packed:
            with source.open(name) as file, gzip.open(file) as content:
                header = content.read(idx.header_size(3))
        else:
            header = source.part(name, 0, idx.header_size(3))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"damaged: {error}") from None
    rank = header[3] if len(header) > 3 else 3
    if header[:3] == b"\0\0\x08" and rank == 1:
        raise DataError("contains labels, not pictures")
    shape = idx.shape_of(header, 3, name)
    if shape[1:] != INPUT[1:]:
        raise DataError(f"its pictures must have 28 × 28 pixels, got {shape[2]} × {shape[1]}")
    if not packed:
        idx.check_size(shape, size, name)
    step = max(PICTURES, -(-shape[0] // CUTS)) if packed else PICTURES
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        yield Shard("idx", (name,), size, start, stop, count=stop - start)


def _of_parquet(source: Source, name: str, size: int, column: str | None) -> Iterator[Shard]:
    try:
        with source.open(name) as file:
            parquet = pq.ParquetFile(file)
            column = _column(parquet.schema_arrow, column, name)
            encoded = column is not None and _may_be_encoded(parquet.schema_arrow.field(column).type)
            rows = [parquet.metadata.row_group(at).num_rows for at in range(parquet.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"damaged or not a Parquet file: {str(error).splitlines()[0]}") from None
    least = FILES if encoded else PICTURES  # encoded pictures take longer, so a shard has fewer
    first = start = stop = 0
    for at, count in enumerate(rows):
        stop += count
        if stop - start >= least or at == len(rows) - 1:
            groups = (first, at + 1)
            yield Shard("parquet", (name,), size, start, stop, groups, column, stop - start)
            first, start = at + 1, stop


def _column(schema: pa.Schema, asked: str | None, name: str) -> str | None:
    """Return the column of pictures: the requested or only possible one; None if each pixel has a column."""
    known = [field.name for field in schema]
    fitting: list[str] = [field.name for field in schema if _fits(field.type)]
    if asked is not None:
        if asked not in fitting:
            what = "is not a column of pictures" if asked in known else "is not one of its columns"
            raise DataError(f"column {asked!r} {what}; it has {told(known)}")
        return asked
    if len(fitting) > 1:
        raise UsageError(f"{name} has several columns that could be pictures: {told(fitting)}; choose with --column")
    if not fitting and any(table.PIXEL.fullmatch(field) for field in known):
        table.of_schema(schema, name)
        return None
    if not fitting:
        raise DataError(f"has no column of pictures, only {told(known)}")
    return fitting[0]


def _fits(kind: pa.DataType) -> bool:
    """Return True if a column can hold pictures: encoded, or 784 bytes each; Hugging Face's have `bytes` inside."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_binary(field.type) for field in kind)
    if pa.types.is_fixed_size_binary(kind):
        return bool(kind.byte_width == PIXELS)
    if pa.types.is_fixed_size_list(kind):
        return bool(kind.value_type == pa.uint8() and kind.list_size == PIXELS)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return bool(kind.value_type == pa.uint8())
    return _is_binary(kind)


def _may_be_encoded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind)) or _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _sniffed(source: Source) -> str:
    """Return the kind of a single file by its first bytes, or by its name if it is compressed."""
    name = source.single or ""
    head = source.part(name, 0, 512)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\0\0\x08"):
        return "idx"
    if head[257:262] == b"ustar":
        return "tar"
    if kind_of(name) == "pictures":
        decode.sniff(head)  # raises if it is not a picture either
    return kind_of(name)
