"""Answer a shard: write one Parquet file of answers and one file of errors. Any machine can run the function.

The answers do not depend on the worker: the model has one thread, and gets the pictures in the same batches.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from tenfold import files, predict
from tenfold.answers import Verdict
from tenfold.errors import DataError, TenfoldError
from tenfold.handwriting.decode import decode
from tenfold.networks import INPUT
from tenfold.predict import Reader
from tenfold.score.batch import Batch, is_encoded
from tenfold.score.plan import PIXELS, Shard, parse
from tenfold.score.reading import batches
from tenfold.score.sources import Source

MODEL, PLAN, PARTS, BAD = "model.onnx", "plan.jsonl", "parts", "bad"
RETRIES = 2  # for a shard whose storage failed temporarily
COUNTS = b"tenfold"  # the metadata key for the counts of a part
VERDICTS: tuple[str, ...] = get_args(Verdict)
SURE, UNSURE = VERDICTS.index("sure"), VERDICTS.index("unsure")
ENOUGH = 4_000  # decoded pictures per call of the model
FIXED = 2**32  # confidences are summed as whole numbers, so that the order does not matter
TYPES = (pa.string(), pa.string(), pa.float32(), pa.string(), pa.dictionary(pa.int32(), pa.string()))

Counts = dict[str, Any]
Count = Annotated[int, Field(ge=0)]


class _Counts(BaseModel):
    """The counts of a shard."""

    model_config = ConfigDict(extra="forbid")

    pictures: Count
    bad: Count
    skipped: Count
    verdicts: dict[Verdict, Count]
    classes: dict[str, Count]
    ink: Count
    confidence: Count


@dataclass(frozen=True)
class Orders:
    """The arguments of every shard: the source, the job's folder `out` with the model, and the model's SHA-256."""

    source: Source
    out: str
    sha256: str
    title: str
    plain: bool

    @property
    def reader(self) -> Reader:
        """The model, opened once per process, on one thread."""
        return _reader(self.out, self.sha256, self.title)


def names_of(digits: bool) -> tuple[list[str], tuple[str, ...]]:
    """Return the columns of a part and the verdicts in its counts, for a model of `digits` or of other characters."""
    columns = ["id", "digit" if digits else "label", "probability", "verdict", "model"]
    return columns, tuple(name for name in VERDICTS if ("character" if digits else "digit") not in name)


def part_path(out: Path, number: int) -> Path:
    """Return the path of the answers to a shard. If the file exists, the shard is done."""
    return out / PARTS / f"part-{number:06}.parquet"


def answer(orders: Orders, number: int, shard: Shard) -> Counts:
    """Answer a shard, write its files (always the same bytes), and return its counts.

    Raises `TenfoldError` if it cannot be written, `OSError` if it cannot be read, `DataError` if the source changed.
    """
    answers = _Answers(orders.reader, orders.plain)
    for batch in batches(orders.source, shard):
        answers.add(batch)
    table, counts = answers.finished(orders.sha256)
    out = Path(orders.out)
    if answers.bad:  # before the part, which marks the shard as done
        lines = ({"id": name, "reason": reason} for name, reason in answers.bad)
        files.write_json_lines(out / BAD / f"bad-{number:06}.jsonl", lines)
    with files.atomic(part_path(out, number)) as file:
        pq.write_table(table, file, compression="zstd", use_dictionary=[table.column_names[1], "verdict", "model"])
    return counts


def answer_planned(orders: Orders, number: int, offset: int) -> Counts:
    """Answer the shard whose line in the plan starts at byte `offset`, with retries; raises the errors of `answer`.

    A line can have thousands of names, which the parent process need not read.
    """
    try:
        with open(Path(orders.out) / PLAN, "rb") as lines:
            lines.seek(offset)
            one = parse(lines.readline())
    except FileNotFoundError:
        raise TenfoldError(f"a worker's machine has no {orders.out}; all machines must share it") from None
    for _ in range(RETRIES):
        with suppress(OSError):
            return answer(orders, number, one)
    return answer(orders, number, one)


def counts_of(part: Path) -> Counts:
    """Return the counts of a finished shard, from the end of its file."""
    try:
        content = (pq.read_schema(part).metadata or {}).get(COUNTS, b"null")
    except pa.ArrowException as error:
        raise DataError(f"{part} is damaged ({str(error).splitlines()[0]}); delete it, and score again") from None
    return files.parse_json(content, _Counts, part, "delete it, and score again").model_dump()


@lru_cache(maxsize=1)
def _reader(out: str, sha256: str, title: str) -> Reader:
    """Return the model in a job's folder; `sha256` distinguishes it in the cache from an earlier model there."""
    return predict.unpacked((Path(out) / MODEL).read_bytes(), title, threads=1)


@dataclass
class _Answers:
    """The answers to the pictures of a shard so far, in order. Decoded pictures wait for a full batch."""

    reader: Reader
    plain: bool
    ids: list[pa.Array] = field(default_factory=list)
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)  # verdict, class, confidence
    bad: list[tuple[str, str]] = field(default_factory=list)
    skipped: int = 0
    ink: int = 0
    waiting: list[np.ndarray | None] = field(default_factory=list)  # decoded; None without a single character
    verdicts: list[int] = field(default_factory=list)  # of waiting pictures; SURE and UNSURE go to the model
    small: list[int] = field(default_factory=list)  # positions of 28×28 pictures, which are prepared together

    def add(self, batch: Batch) -> None:
        """Answer the pictures of a batch, or queue them."""
        self.skipped += batch.skipped
        if batch.images is not None:
            self.ask()
            self.ids.append(batch.ids)
            self.judge(batch.images, np.zeros(len(batch.images), np.int8))
            return
        good = []
        for at, content in enumerate(batch.contents):
            try:
                self.take(content, batch.raw)
                good.append(at)
            except DataError as error:
                self.bad.append((batch.ids[at].as_py(), str(error)))
        self.ids.append(batch.ids.take(pa.array(good, pa.int64())))
        if len(self.waiting) >= ENOUGH:
            self.ask()

    def take(self, content: bytes | DataError, raw: bool) -> None:
        """Queue one picture, decoded and prepared for the model; raise `DataError` for a bad one."""
        if isinstance(content, DataError):
            raise content
        image: np.ndarray | None
        verdict = SURE
        if raw and len(content) == PIXELS and not is_encoded(content):
            image = np.frombuffer(content, np.uint8).reshape(INPUT[1:])
        else:
            image = decode(content)
            if image.shape == INPUT[1:]:
                self.small.append(len(self.waiting))
            else:
                image, verdict = self.prepared(image)
        self.waiting.append(image)
        self.verdicts.append(verdict)

    def prepared(self, grey: np.ndarray) -> tuple[np.ndarray | None, int]:
        """Return a picture prepared for the model, and the best verdict it can get."""
        reading = self.reader.prepare(grey, plain=self.plain)
        if reading.verdict == "digit":
            return reading.image, UNSURE if reading.doubts else SURE
        return reading.image, VERDICTS.index(reading.verdict)

    def ask(self) -> None:
        """Call the model for all queued pictures."""
        if not self.waiting:
            return
        if self.small:  # most are like MNIST's; one by one, this would take a quarter of the time
            greys = np.stack([image for at in self.small if (image := self.waiting[at]) is not None])
            for at, grey, image, ready in zip(self.small, greys, *self.reader.ready(greys, self.plain), strict=True):
                self.waiting[at], self.verdicts[at] = (image, SURE) if ready else self.prepared(grey)
        asked = [image for image in self.waiting if image is not None]
        self.judge(np.stack(asked) if asked else np.empty((0, *INPUT[1:]), np.uint8), np.array(self.verdicts, np.int8))
        self.waiting, self.verdicts, self.small = [], [], []

    def judge(self, images: np.ndarray, verdicts: np.ndarray) -> None:
        """Add rows of `verdicts`, `[N]`; the model answers the images of those that can be sure or unsure."""
        judged = self.reader.judge(images)
        asked = np.flatnonzero(verdicts <= UNSURE)
        sure = np.maximum(verdicts[asked], VERDICTS.index(self.reader.best_verdict))  # doubtful pictures stay unsure
        best = np.where(judged.sure, sure, UNSURE)
        verdicts[asked] = np.where(judged.inked, best, VERDICTS.index(self.reader.nothing))
        classes, confidence = np.full(len(verdicts), -1), np.zeros(len(verdicts), np.float32)
        classes[asked] = np.where(judged.inked, judged.classes, -1)
        confidence[asked] = judged.confidence
        self.ink += int(images[judged.inked].sum())
        self.rows.append((verdicts, classes, confidence))

    def finished(self, model: str) -> tuple[pa.Table, Counts]:
        """Return all answers as a table with its counts in the metadata, and the counts."""
        self.ask()
        empty = (np.empty(0, np.int8), np.empty(0, int), np.empty(0, np.float32))
        verdicts, classes, confidence = map(np.concatenate, zip(empty, *self.rows, strict=True))
        answered = classes >= 0
        names = self.reader.model.classes
        columns, known = names_of(self.reader.kind == "digit")
        each = np.bincount(verdicts, minlength=len(VERDICTS)).tolist()
        counts = {
            "pictures": len(verdicts),
            "bad": len(self.bad),
            "skipped": self.skipped,
            "verdicts": {name: each[VERDICTS.index(name)] for name in known},
            "classes": dict(zip(names, np.bincount(classes[answered], minlength=len(names)).tolist(), strict=True)),
            "ink": self.ink,
            "confidence": int(np.rint(confidence[answered].astype(np.float64) * FIXED).astype(np.int64).sum()),
        }
        values = [
            pa.chunked_array(self.ids, pa.string()),
            pa.array(names, pa.string()).take(pa.array(classes, mask=~answered)),
            pa.array(confidence, mask=~answered),
            pa.array(VERDICTS, pa.string()).take(pa.array(verdicts)),
            pa.DictionaryArray.from_arrays(np.zeros(len(verdicts), np.int32), [model]),
        ]
        schema = pa.schema(zip(columns, TYPES, strict=True), {COUNTS: json.dumps(counts).encode()})
        return pa.table(values, schema=schema), counts
