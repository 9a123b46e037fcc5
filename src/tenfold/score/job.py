"""Run a job in a folder: plan it once, answer each shard once, and resume after an interruption.

The folder holds `model.onnx`, `plan.jsonl` (one line per shard) and `job.json` (the settings, written when the plan is
complete), `parts/part-N.parquet` (the answers to shard N, which mark it as done), `bad/bad-N.jsonl`, and at the end
`summary.json`. Every file appears whole or not at all.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from tenfold import files, pool, runs
from tenfold.errors import DataError, InterruptError, TenfoldError, UsageError
from tenfold.predict import Reader
from tenfold.progress import SILENT, Progress
from tenfold.score import plan, shard, sources, summary
from tenfold.score.shard import BAD, MODEL, PARTS, PLAN, Counts, Orders

AHEAD = 3  # submitted shards per worker, two of them waiting
JOB, SUMMARY = "job.json", "summary.json"
PACKAGES = ("pyarrow", "pillow", "fsspec")  # packages that answers depend on, besides those of a run


class _Job(BaseModel):
    """A `job.json`: the settings, the model's name, and counts of the plan."""

    asked: dict[str, JsonValue]
    name: str
    shards: int = Field(ge=1)
    pictures: int = Field(ge=0)
    unknown: int = Field(ge=0)
    versions: dict[str, str]


@dataclass(frozen=True)
class Result:
    """A finished job: its folder, its `summary.json`, and the pictures and seconds of this call."""

    folder: Path
    summary: dict[str, Any]
    pictures: int
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return asdict(self) | {"folder": str(self.folder)}


def score(
    reader: Reader,
    source: str,
    out: Path,
    scheduler: str | None = None,
    jobs: int | None = None,
    plain: bool = False,
    column: str | None = None,
    progress: Progress = SILENT,
) -> Result:
    """Classify every picture of a source into the folder `out`, or resume the job there.

    Uses `jobs` processes of this machine (default: one per core), or the Dask cluster at the address `scheduler`;
    "local" starts one here. With `plain`, encoded pictures are only resized. `column` is the column of Parquet files.
    Raises `UsageError` if `out` holds something else, `DataError` for a missing or changed source, `TenfoldError` for a
    source without readable pictures, and `InterruptError`.
    """
    found = sources.find(source)
    model = reader.model.proto.SerializeToString()
    orders = Orders(found, os.path.abspath(out), hashlib.sha256(model).hexdigest(), reader.source, plain)
    asked = {"model": orders.sha256, "source": found.url, "plain": plain, "column": column}
    _require_own(out, asked)
    files.make_folder(out)
    with runs.locked(out, "scoring into"):
        _require_own(out, asked)  # again, because another job may have ended here meanwhile
        if not (out / MODEL).is_file():
            with files.atomic(out / MODEL) as file:
                file.write(model)
        if not (out / JOB).is_file():
            progress.line(f"listing {source}")
            _plan(out, orders, asked, column)
        for folder in (out / PARTS, out / BAD):
            files.make_folder(folder)
            files.sweep(folder)
        start = time.monotonic()
        jobs = pool.affordable(jobs, scheduler, len(model), progress)
        before, total = _work(orders, scheduler, jobs, progress)
        result = summary.summary(total, reader.description.get("reference"))
        files.write_json(out / SUMMARY, {"model": orders.sha256, "source": found.url, **result})
        if not total["pictures"]:
            raise _nothing(source, out)
        return Result(out, result, total["pictures"] - before, time.monotonic() - start)


def _require_own(out: Path, asked: dict[str, Any]) -> None:
    """Raise `UsageError` unless a folder is new or holds the same job."""
    if not (out / JOB).is_file():
        others = [path.name for path in out.iterdir() if path.name not in (MODEL, PLAN)] if out.is_dir() else []
        strange = sorted(name for name in others if not name.startswith("."))
        if strange:
            raise UsageError(f"{out} has other files ({strange[0]}); choose another --out")
        return
    kept = _job(out).asked
    changed = [f"{key} {kept.get(key)!r}, not {value!r}" for key, value in asked.items() if kept.get(key) != value]
    if changed:
        raise UsageError(f"{out} holds another job, with {'; '.join(changed)}.\nChoose another --out")


def _nothing(source: str, out: Path) -> TenfoldError:
    """Return the error for a source without readable pictures."""
    for path in sorted((out / BAD).glob("*.jsonl")):
        with open(path) as lines:
            first = json.loads(next(lines))
        reason = f"{first['id']}: {first['reason']}".partition("\n")[0]
        return TenfoldError(f"nothing could be read in {source}; {out / BAD} has the reasons, first: {reason}")
    return TenfoldError(f"nothing could be read in {source}: it has no pictures")


def _plan(out: Path, orders: Orders, asked: dict[str, Any], column: str | None) -> None:
    """Write the plan, then the job file, which marks the plan as complete."""
    totals: dict[str, Any] = {"shards": 0, "pictures": 0, "unknown": 0}
    reason, usable = "", False

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal reason, usable
        for one in plan.shards(orders.source, column, but=orders.out):
            totals["shards"] += 1
            totals["pictures"] += one.count or 0
            totals["unknown"] += one.count is None
            usable |= one.kind != "unusable" and one.count != 0
            if not reason and one.kind == "unusable":
                reason = f": {one.names[0]}: {one.reasons[0]}"
            yield one.document()

    try:
        files.write_json_lines(out / PLAN, lines())
    except DataError as error:  # of a single file
        raise TenfoldError(f"nothing could be read in {asked['source']}: {error}") from None
    if not usable:
        (out / PLAN).unlink()
        raise TenfoldError(f"nothing could be read in {asked['source']}{reason}")
    versions = runs.environment(PACKAGES)["versions"]
    files.write_json(out / JOB, {"asked": asked, "name": orders.title, **totals, "versions": versions})


def _work(orders: Orders, scheduler: str | None, jobs: int, progress: Progress) -> tuple[int, Counts]:
    """Answer the remaining shards; return the number of pictures answered before, and the counts of all."""
    out = Path(orders.out)
    known = _job(out)
    done = {int(path.stem.rpartition("-")[2]) for path in (out / PARTS).glob("part-*.parquet")}
    counts = summary.none(orders.reader.model.classes)
    for number in done:
        counts = summary.added(counts, shard.counts_of(shard.part_path(out, number)))
    before, shards = counts["pictures"], known.shards
    if done:
        progress.line(f"{len(done):,} of {shards:,} shards are already done")
    if len(done) == shards:
        return before, counts
    left = ((number, offset) for number, offset in enumerate(_offsets(out / PLAN)) if number not in done)
    tasks = ((number, partial(shard.answer_planned, orders, number, offset)) for number, offset in left)
    finished, start = len(done), time.monotonic()
    try:
        with pool.started(jobs, scheduler) as workers, progress.board() as show:
            for number, result in workers.completed(lambda: next(tasks, None), AHEAD):
                counts = summary.added(counts, result())
                if not shard.part_path(out, number).is_file():
                    raise TenfoldError(f"a worker wrote to another {out} than this one; all machines must share it")
                finished += 1
                show(_status(counts, before, known, finished, len(done), time.monotonic() - start))
    except KeyboardInterrupt:
        raise InterruptError(
            f"stopped: {finished:,} of {shards:,} shards are done; run the same command to resume"
        ) from None
    return before, counts


def _offsets(path: Path) -> Iterator[int]:
    """Yield the offset of each line of the plan."""
    offset = 0
    with open(path, "rb") as lines:
        for line in lines:
            yield offset
            offset += len(line)


def _status(counts: Counts, before: int, known: _Job, finished: int, done: int, seconds: float) -> str:
    """Return a line with pictures done, pictures per second and time left."""
    pictures = counts["pictures"] + counts["bad"]
    of = f" of {known.pictures:,}" if not known.unknown else ""
    rate = (counts["pictures"] - before) / max(seconds, 1e-3)
    left = seconds * (known.shards - finished) / max(finished - done, 1)
    return f"{pictures:,}{of} pictures, {rate:,.0f} per second, {_span(left)} left"


def _span(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def _job(out: Path) -> _Job:
    return files.read_json(out / JOB, _Job, "score again, with another --out")
