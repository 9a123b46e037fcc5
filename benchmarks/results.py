"""The records of speed and accuracy: `benchmarks/results.json`, one a key, and the rules that each was made by.

Only what was measured is in it: `recipes` and `published` write it, `curve` draws it.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tenfold import files, statistics

FILE = Path(__file__).with_name("results.json")
SIDE = 2_048  # of the matrices whose product shows what this machine can do
RULES = (
    "The rules: a design is chosen on validation pictures only; then the recipe is frozen, trained on all 60,000 and "
    "the test set opened once. The figure is the mean ± sd over n seeds at the final epoch, never the best. The clock "
    "starts with the uint8 arrays in memory and ends with trained weights; the whole command's time is given beside it."
)

Record = dict[str, Any]


def read(path: Path = FILE) -> list[Record]:
    """Return the records, in the order in which their keys were first written."""
    records: list[Record] = json.loads(path.read_text())["records"] if path.is_file() else []
    return records


def save(record: Record, path: Path = FILE) -> None:
    """Write a record in place of that of the same key, atomically; the others stay as they are."""
    records = {one["key"]: one for one in read(path)} | {record["key"]: record}
    files.write_json(path, {"records": list(records.values())})


def named(key: str, changes: Collection[str]) -> str:
    """Return the key of what was changed: another one, so that no variant takes the place of the record itself."""
    return " ".join([key, *changes])


def make(
    key: str,
    dataset: str,
    title: str,
    accuracies: Sequence[float],
    train_seconds: Sequence[float],
    command_seconds: Sequence[float],
    parameters: int,
    multiply_adds: int,
    training_multiply_adds: int,
    pictures: int,
    commit: str | None,
    machine: dict[str, Any],
) -> Record:
    """Return the record of a measurement that this command has just ended; the machine's peak is measured now.

    `accuracies` on the test set and `train_seconds` are those of each seed, `command_seconds` of those whose whole
    command was timed. Multiply-adds are those of one picture, for an answer and in training (two operations each), and
    `pictures` is how many one seed was trained on, each counted as often as it came. `machine` has
    processor, cores, threads and precision. One seed has no spread: its `sd` and `interval` are None.
    """
    spread = statistics.over_seeds(np.array(accuracies)) if len(accuracies) > 1 else None
    gflops = 2 * training_multiply_adds * pictures / float(np.median(train_seconds)) / 1e9
    return {
        "key": key,
        "dataset": dataset,
        "title": title,
        "seeds": len(accuracies),
        "accuracy": {
            "mean": float(np.mean(accuracies)),
            "sd": spread.sd if spread else None,
            "interval": list(spread.interval) if spread else None,
        },
        "accuracies": list(accuracies),
        "train_seconds": in_short(train_seconds),
        "command_seconds": in_short(command_seconds) if command_seconds else None,
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "gflops": round(gflops, 2),
        "share_of_peak": round(gflops / peak(machine["precision"], machine["threads"]), 4),
        "command": command(),
        "commit": commit,
        "machine": machine,
        "date": datetime.now(UTC).date().isoformat(),
    }


def in_short(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, the least and the most of them."""
    figures = {"median": float(np.median(seconds)), "least": min(seconds), "most": max(seconds)}
    return {name: round(value, 3) for name, value in figures.items()}


def command() -> str:
    """Return the command that runs, as one types it."""
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])


@cache
def peak(precision: str, threads: int) -> float:
    """Return the GFLOP/s of this machine's matrix product, the best of several of 2048×2048.

    In bfloat16 where the precision of a run has it, else in float32, on so many threads.
    """
    import torch

    kind = torch.bfloat16 if "bfloat16" in precision else torch.float32
    left, right = torch.randn(2, SIDE, SIDE).to(kind)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return float(2 * SIDE**3 / min(seconds) / 1e9)


def machine(environment: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says of the machine, from the environment of a run."""
    return {key: environment.get(key, os.cpu_count()) for key in ("processor", "cores", "threads", "precision")}


def spread(accuracy: dict[str, Any]) -> str:
    """Return a record's accuracy as text: the mean ± sd and the interval of the mean, or the single measurement."""
    if accuracy["sd"] is None:
        return f"{accuracy['mean']:.2%}, one measurement"
    low, high = accuracy["interval"]
    return f"{accuracy['mean']:.3%} ± {accuracy['sd']:.3%} ({low:.3%} to {high:.3%})"


def seconds(short: dict[str, float]) -> str:
    """Return a record's seconds as text."""
    median, least, most = (
        f"{short[key]:,.{2 if short['median'] < 100 else 0}f}" for key in ("median", "least", "most")
    )
    return f"{median} ({least} to {most})"


def told(record: Record) -> str:
    """Return a record and the rules as lines to print."""
    here, whole = record["machine"], record["command_seconds"]
    ran = f"threads: {here['threads']}, {here['precision']}"
    beside = f"the whole command: {seconds(whole)} s" if whole else "the whole command was not timed"
    return "\n".join(
        [
            f"{record['title']}, {record['dataset']}, seeds: {record['seeds']}; test {spread(record['accuracy'])}",
            "  by seed: " + " ".join(f"{100 * accuracy:.2f}" for accuracy in record["accuracies"]),
            f"  training: median {seconds(record['train_seconds'])} s, {ran}; {beside}",
            f"  {record['parameters']:,} parameters, {record['multiply_adds']:,} multiply-adds a picture; "
            f"{record['gflops']:,.0f} GFLOP/s, {record['share_of_peak']:.1%} of the machine's matrix product",
            RULES,
        ]
    )
