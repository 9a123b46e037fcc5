"""Tables with one picture per row: 784 columns of pixels and usually a label, as in Kaggle's digit-recognizer.

CSV, gzipped or not, and Parquet. Pixels are whole numbers from 0 to 255, row by row of 28×28, white on black.
"""

import csv
import gzip
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tenfold import extras
from tenfold.data.layout import told
from tenfold.errors import DataError

PIXELS = 784
PIXEL = re.compile(r"(pixel)?_?\d+(x\d+)?", re.IGNORECASE)  # pixel0, 0, 1x1; a number in a CSV without header
LONGEST = 100_000  # characters in a header
ROWS = 4_000  # rows read at a time
WRONG = "its pixels must be 784 whole numbers from 0 to 255"


@dataclass(frozen=True)
class Columns:
    """Positions of the columns of a table: those of the 784 pixels, and that of the label, if any."""

    pixels: tuple[int, ...]
    label: int | None


def is_csv(name: str) -> bool:
    """Return True if a file is CSV, by its name."""
    return name.lower().endswith((".csv", ".csv.gz"))


def is_parquet(name: str) -> bool:
    """Return True if a file is Parquet, by its name."""
    return name.lower().endswith((".parquet", ".pq"))


def columns(names: Sequence[str], table: str) -> Columns:
    """Return the columns with these names; the first of 785 pixels is the label. `DataError` for other tables."""
    label = next((at for at, name in enumerate(names) if name.strip().casefold() == "label"), None)
    pixels = [at for at, name in enumerate(names) if PIXEL.fullmatch(name.strip())]
    if label is None and len(pixels) == PIXELS + 1:
        label = pixels.pop(0)
    if len(pixels) != PIXELS:
        raise DataError(
            f"{table} must have 784 columns of pixels (pixel0, pixel1, …), got {len(pixels)}: {told(names)}"
        )
    return Columns(tuple(pixels), label)


def lines(file: Any, table: str) -> tuple[Columns, Iterator[list[str]]]:
    """Return the columns of a CSV file, with or without header, and its lines, 4,000 at a time."""
    first = file.readline(LONGEST).decode("utf-8-sig", "replace")
    following = (line.decode(errors="replace") for line in file)
    names = next(csv.reader([first]), [])
    header = [] if all(name.strip().isdecimal() for name in names) else [first]
    found = columns(names, table)
    rows = (line for line in itertools.chain([] if header else [first], following) if line.strip())
    return found, iter(lambda: list(itertools.islice(rows, ROWS)), [])


def of_lines(some: Iterable[str], found: Columns) -> np.ndarray:
    """Return the pictures in lines of a CSV file, uint8 `[N, 28, 28]`; raise `DataError` for an invalid line."""
    try:
        return _cells(some, np.uint8, found.pixels).reshape(-1, 28, 28)
    except ValueError as error:
        raise DataError(f"{WRONG} ({str(error).partition(' at row')[0]})") from None


def of_rows(rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures in pyarrow's rows of pixels, uint8 `[N, 28, 28]`, and the mask of valid ones, bool `[N]`."""
    values = np.stack([column.to_numpy(zero_copy_only=False) for column in rows.columns], 1)  # null becomes NaN
    right = ((values >= 0) & (values <= 255) & (values % 1 == 0)).all(1)
    return np.where(right[:, None], values, 0).astype(np.uint8).reshape(-1, 28, 28), right


def of_schema(schema: Any, table: str) -> Columns:
    """Return the columns of a Parquet file's schema; raise `DataError` for other tables."""
    import pyarrow as pa

    found = columns(schema.names, table)
    kinds = {schema.field(at).type for at in found.pixels}
    if not all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        raise DataError(f"{table}: {WRONG}")
    return found


def read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the pictures of a table, uint8 `[N, 28, 28]`, and their labels as text `[N]`, or None without labels.

    Raises `DataError` if it is damaged or another kind of table.
    """
    parts = list(_of_parquet(path) if is_parquet(path.name) else _of_csv(path))
    if not parts:
        raise DataError(f"{path} has no rows")
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


def _of_csv(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    count = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            found, blocks = lines(file, str(path))
            for some in blocks:
                try:
                    images = of_lines(some, found)
                except DataError as error:
                    raise DataError(f"{path}, rows {count + 1:,} to {count + len(some):,}: {error}") from None
                yield images, None if found.label is None else np.char.strip(_cells(some, np.str_, found.label))
                count += len(some)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _of_parquet(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    extras.require("score", "reading Parquet", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = of_schema(file.schema_arrow, str(path))
            names = file.schema_arrow.names
            for rows in file.iter_batches(ROWS):
                images, right = of_rows(rows.select(found.pixels))
                if not right.all():
                    raise DataError(f"{path}: {WRONG}")
                yield images, None if found.label is None else np.array(rows[names[found.label]].cast("string"))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _cells(some: Iterable[str], kind: Any, places: int | Sequence[int]) -> np.ndarray:
    at = (places,) if isinstance(places, int) else places
    cells = np.loadtxt(some, kind, comments=None, delimiter=",", usecols=at, ndmin=2, quotechar='"')
    return cells[:, 0] if isinstance(places, int) else cells
