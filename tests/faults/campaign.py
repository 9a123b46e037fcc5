"""The long faults, which are no part of `make test`: `make faults`, about 20 minutes on two cores.

Each verb that takes long is killed (SIGKILL: the command, one of its workers, all of them), thirty times at moments
drawn at random, and the same command goes on until it ends: `train`, `crossval` and `score` have to give the same bits
as where nobody disturbed them, `tune` the same trials and finals, and `run` opens the test set once. Two of the same
command in one folder have to leave the same. The service gets 20,000 requests of many kinds, its memory looked at on
the way, and 5,000 that schemathesis makes of its description. Exit status 1 if anything is not as it has to be.
"""

import argparse
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import psutil
import requests
import schemathesis
from benchmarks import provenance
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tenfold.data import catalog, idx
from tenfold.data.split import split

PATIENCE = 300  # seconds that a command may take
SIZES = ["train_size=3000", "validation_size=1000", "precision=float32"]
SMALL = [word for size in SIZES for word in ("--set", size)]
SPACE = "[learning_rate]\nchoices = [0.01, 0.03, 0.1]\n[batch_size]\nchoices = [64, 128]\n"
TUNE = ["tune", "--search", "grid", "--space", "space.toml", "--jobs", "2", "--study", "s", "--set", "epochs=2"]


@dataclass(frozen=True)
class Job:
    """A verb with its words, a function that goes on with it in a folder, and one that says what came of it."""

    words: list[str]
    again: Callable[[Path], list[str]]
    result: Callable[[Path, str], object]


def _same(words: list[str]) -> Callable[[Path], list[str]]:
    return lambda folder: words


def _resumed(folder: Path) -> list[str]:
    return ["train", "--resume", "run"] if (folder / "run" / "recipe.json").is_file() else JOBS["train"].words


def _bits(*names: str) -> Callable[[Path, str], object]:
    """Return a function that gives the hashes of these files; a pattern stands for all that match."""

    def hashes(folder: Path, _: str) -> object:
        paths = [path for name in names for path in sorted(folder.glob(name))]
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    return hashes


def _search(_: Path, written: str) -> object:
    document = json.loads(written)
    trials = [[trial[key] for key in ("point", "state", "accuracy")] for trial in document["trials"]]
    return trials, [model["accuracies"] for model in document["final"]["models"]]


def _life(folder: Path, written: str) -> object:
    (chosen,) = (row for row in json.loads(written)["table"] if row.get("chosen"))
    assert chosen["test"]["accuracy"] > 0.9, chosen
    return len((folder / "runs" / "test-ledger.jsonl").read_text().splitlines())


def _job(words: list[str], result: Callable[[Path, str], object]) -> Job:
    return Job(words, _same(words), result)


JOBS = {
    "train": Job(
        ["train", *SMALL, "--set", "epochs=6", "--set", "averaging=0.9", "--set", "rotation=5", "--out", "run"],
        _resumed,
        _bits("run/weights.safetensors"),
    ),
    "crossval": _job(
        ["crossval", *SMALL, "--folds", "4", "--jobs", "2", "--out", "crossed"], _bits("crossed/probabilities.*")
    ),
    "tune": _job([*TUNE, *SMALL, "--json"], _search),
    "score": _job(
        ["score", "pictures", "--jobs", "2", "--out", "scores"], _bits("scores/parts/*", "scores/plan.jsonl")
    ),
    "run": _job(["run", "--minutes", "0.02", "--json"], _life),
}


def prepare(folder: Path) -> None:
    """Make what the jobs read: a search space, and 20 files of 500 pictures."""
    (folder / "space.toml").write_text(SPACE)
    (folder / "pictures").mkdir(parents=True)
    images = split(catalog.MNIST, 5_000).validation.images[:500]
    for at in range(20):
        (folder / "pictures" / f"{at:02}.idx").write_bytes(idx.encode(images))


def begin(words: list[str], folder: Path, errors: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start the program in a session of its own."""
    command = [sys.executable, "-m", "tenfold", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": errors}
    return subprocess.Popen(command, cwd=folder, start_new_session=True, text=True, **pipes)


def kill(process: subprocess.Popen[str], target: str) -> None:
    """Kill the command, one of its workers, or all."""
    workers = []
    with suppress(psutil.NoSuchProcess):
        workers = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        if target == "all":
            os.killpg(process.pid, signal.SIGKILL)
        elif target == "worker" and workers:
            random.choice(workers).kill()
        else:
            process.kill()
    if target != "worker":
        psutil.wait_procs(workers, timeout=30)


def ended(process: subprocess.Popen[str], title: str, fine: tuple[int, ...] = (0,)) -> str:
    """Wait for a command that has to end well, and return what it wrote."""
    written, said = process.communicate(timeout=PATIENCE)
    if process.returncode not in fine or "Traceback" in said:
        raise AssertionError(f"{title}: status {process.returncode}\n{said[-2_000:]}")
    return written


def undisturbed(name: str, job: Job) -> tuple[object, float]:
    """Return what comes of a job that nobody disturbs, and the seconds that it takes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        start = time.perf_counter()
        result = job.result(folder, ended(begin(job.words, folder), name))
        return result, time.perf_counter() - start


def kills(name: str, job: Job, count: int, expected: object, seconds: float) -> str:
    """Kill a job so many times and let it go on, two at a time; return a line of what was seen."""
    moments = [random.uniform(0.1, 1) * seconds for _ in range(count)]
    with ThreadPoolExecutor(2) as threads:
        hit = sum(threads.map(lambda number: _killed(name, job, number, expected, moments[number]), range(count)))
    return f"{count} kills, {hit} of them while it worked; each time it ended as where nobody disturbed it"


def _killed(name: str, job: Job, number: int, expected: object, moment: float) -> bool:
    """Kill a job after `moment` seconds, let it go on, compare; return whether it was still at work."""
    target = ("command", "worker", "all")[number % 3]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        process = begin(job.words, folder)
        time.sleep(moment)
        working = process.poll() is None
        kill(process, target)
        written, said = process.communicate(timeout=PATIENCE)
        title = f"{name}, kill {number} ({target})"
        if process.returncode:
            written = ended(begin(job.again(folder), folder), title)
        found = job.result(folder, written)
        if found != expected or "Traceback" in said:
            raise AssertionError(f"{title}: {found} is not {expected}\n{said[-2_000:]}")
        return working


def twice(name: str, job: Job, expected: object) -> str:
    """Start a job twice in one folder; one at least has to end well, and to leave what a single one does."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        both = [begin(job.words, folder) for _ in range(2)]
        for process in both:
            ended(process, f"{name}, twice", fine=(0, 1, 2))
        statuses = sorted(process.returncode for process in both)
        written = ended(begin(job.again(folder), folder), f"{name}, after two at once")
        found = job.result(folder, written)
    if statuses[0] or found != expected:
        raise AssertionError(f"{name}: of two at once {statuses}; {found} is not {expected}")
    return f"two at once ended with {statuses}"


def _requests(address: str) -> list[Callable[[requests.Session], requests.Response]]:
    """Return requests of many kinds, good and bad."""
    images = split(catalog.MNIST, 5_000).validation.images
    pictures = []
    for image in images[:20]:
        with io.BytesIO() as file:
            Image.fromarray(255 - image).resize((140, 140)).save(file, "PNG")
            pictures.append(file.getvalue())
    array = json.dumps(images[0].tolist())
    png, url = {"Content-Type": "image/png"}, f"{address}/predict"
    return [
        *(lambda session, one=one: session.post(url, one, headers=png) for one in pictures),
        lambda session: session.post(url, json={"image": json.loads(array)}),
        lambda session: session.post(url, json=json.loads(array)),
        lambda session: session.post(url, json={"image": [["a"] * 28] * 28}),
        lambda session: session.post(url, pictures[0][:300], headers=png),
        lambda session: session.post(url, b"\xff\xd8" + os.urandom(500), headers=png),
        lambda session: session.post(url, files={"file": pictures[1]}),
        lambda session: session.get(f"{address}/health"),
        lambda session: session.get(f"{address}/metrics"),
        lambda session: session.get(f"{address}/nowhere"),
        lambda session: session.options(url),
    ]


def service(count: int, examples: int) -> str:
    """Ask a service so many times; return what its memory did, and what schemathesis found."""
    with tempfile.TemporaryDirectory() as place, open(f"{place}/log", "w") as log:  # a pipe would be full soon
        process = begin(["serve", "--port", "0"], Path(place), errors=log)
        try:
            address = process.stdout.readline().split(" on ")[1].split(";")[0] if process.stdout else ""
            kinds = _requests(address)
            sizes, statuses = [], set()

            def ask(number: int) -> int:
                with requests.Session() as session:
                    return max(kinds[at % len(kinds)](session).status_code for at in range(number, number + 50))

            with ThreadPoolExecutor(4) as threads:
                for part in np.array_split(np.arange(0, count, 50), 10):
                    statuses |= set(threads.map(ask, part.tolist()))
                    sizes.append(psutil.Process(process.pid).memory_info().rss / 1e6)
            if max(statuses) >= 500 or sizes[-1] > 1.1 * sizes[1]:
                raise AssertionError(f"statuses up to {max(statuses)}, memory {sizes}")
            _described(address, examples)
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)
        grown = f"memory from {sizes[1]:.0f} MB after a fifth of them to {sizes[-1]:.0f} MB"
        return f"{count:,} requests, none answered with 500; {grown}; {examples:,} of schemathesis, no failure"


def _described(address: str, examples: int) -> None:
    operations = [one.ok() for one in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations()]
    for operation in operations:

        @given(operation.as_strategy())
        @settings(max_examples=examples // len(operations), deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=20)

        ask()


def main() -> None:
    """Do all, or what is named; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*JOBS, "service", []], help="verbs, or the service; all by default")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--examples", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    random.seed(words.seed)
    print(provenance(), flush=True)
    failed = False
    for name in words.what or [*JOBS, "service"]:
        start = time.perf_counter()
        try:
            if name == "service":
                said = service(words.requests, words.examples)
            else:
                job = JOBS[name]
                expected, seconds = undisturbed(name, job)
                said = f"{kills(name, job, words.kills, expected, seconds)}; {twice(name, job, expected)}"
        except AssertionError as error:
            failed, said = True, f"FAILED: {error}"
        print(f"{name}: {said} ({time.perf_counter() - start:.0f} s)", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
