"""Read shards of tables, Parquet and CSV, as batches."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenfold.data import table
from tenfold.errors import DataError
from tenfold.handwriting import decode
from tenfold.networks import INPUT
from tenfold.score.batch import DAMAGE, ENCODED, HELD, RAW, Batch, Content, ids, is_encoded, numbered
from tenfold.score.plan import PIXELS, Shard
from tenfold.score.sources import Source, unpacked

BUFFER = 1_000_000  # bytes; otherwise a row group, which can have a million rows, is read as a whole


def parquet(source: Source, shard: Shard) -> Iterator[Batch]:
    """Yield the pictures of some row groups of a Parquet file."""
    (name,), start = shard.names, shard.start
    try:
        with source.open(name) as file:
            opened = pq.ParquetFile(file, buffer_size=BUFFER)
            columns, nested = _columns(opened.schema_arrow, shard.column)
            groups = range(*shard.groups)
            for rows in opened.iter_batches(RAW, row_groups=groups, columns=columns, use_threads=False):
                if shard.column is None:
                    yield _of_pixels(name, start, rows)
                else:
                    values = rows.column(0)
                    yield from _of_values(name, start, pc.struct_field(values, "bytes") if nested else values)
                start += len(rows)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = DataError(f"damaged from here to #{shard.stop - 1}: {str(error).splitlines()[0]}")
        yield Batch(ids([f"{name}#{start}"]), contents=(reason,))


def _columns(schema: pa.Schema, column: str | None) -> tuple[list[str], bool]:
    """Return the columns of the pictures (all pixels if `column` is None), and True for the `bytes` in a column."""
    if column is None:
        return [schema.names[at] for at in table.of_schema(schema, "it").pixels], False
    nested = pa.types.is_struct(schema.field(column).type)
    return [f"{column}.bytes" if nested else column], nested


def _of_pixels(name: str, start: int, rows: pa.RecordBatch) -> Batch:
    images, right = table.of_rows(rows)
    if right.all():
        return Batch(numbered(name, start, len(rows)), images)
    contents = (image.tobytes() if good else DataError(table.WRONG) for image, good in zip(images, right, strict=True))
    return Batch(numbered(name, start, len(rows)), contents=tuple(contents), raw=True)


def csv(source: Source, shard: Shard) -> Iterator[Batch]:
    """Yield the pictures of a CSV file; a block with a bad line is read line by line."""
    (name,), start = shard.names, 0
    try:
        with unpacked(source, name) as (file, _):
            found, blocks = table.lines(file, name)
            for some in blocks:
                try:
                    yield Batch(numbered(name, start, len(some)), table.of_lines(some, found))
                except DataError:
                    contents = tuple(_line(line, found) for line in some)
                    yield Batch(numbered(name, start, len(some)), contents=contents, raw=True)
                start += len(some)
    except DAMAGE as error:
        yield Batch(ids([f"{name}#{start}"]), contents=(DataError(f"damaged from here to its end: {error}"),))


def _line(line: str, found: table.Columns) -> Content:
    try:
        return table.of_lines([line], found).tobytes()
    except DataError as error:
        return error


def _of_values(name: str, start: int, values: pa.Array) -> Iterator[Batch]:
    """Yield the values of a column as pictures: in one batch if each is 784 bytes, otherwise in several."""
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
        return DataError("missing: the value is null")
    if isinstance(value, bytes):
        return value
    pixels = [pixel for pixel in value if pixel is not None]
    return bytes(pixels) if len(pixels) == len(value) else DataError("some of its pixels are null")


def _raw(values: pa.Array) -> np.ndarray | None:
    """Return uint8 `[N, 28, 28]` without copying if all values are 784 bytes, otherwise None."""
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
