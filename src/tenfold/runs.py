"""A run folder: everything about one training, readable without Tenfold.

It holds `recipe.json`, `history.jsonl`, `weights.safetensors` (float32), `answers.safetensors` (logits of the
framework that trained it), `scores.json` and `environment.json`; during training also `checkpoint.safetensors`. A run
that started from given weights has `initial.safetensors`, and one trained on a folder of pictures has `dataset.json`.
Every file appears whole or not at all.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tenfold import files, machine, networks, scores
from tenfold.data import catalog
from tenfold.data.catalog import DESCRIPTION
from tenfold.errors import TenfoldError, UsageError
from tenfold.networks import Shape
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.records import Checkpoint, Environment, Epoch
from tenfold.scores import Score

WEIGHTS, CHECKPOINT, HISTORY = "weights.safetensors", "checkpoint.safetensors", "history.jsonl"
INITIAL, ANSWERS = "initial.safetensors", "answers.safetensors"
RECIPE, SCORES, ENVIRONMENT, LOCK = "recipe.json", "scores.json", "environment.json", ".lock"
TEST_ANSWERS = "test-answers.safetensors"
BEGUN = (RECIPE, ENVIRONMENT, INITIAL, DESCRIPTION, LOCK)  # files of a run before its first epoch or checkpoint
RUNS = Path("runs")  # the default workspace
AGAIN = "train again, or copy the folder again"

T = TypeVar("T")


class Run:
    """A folder that holds a training, finished or not."""

    def __init__(self, folder: Path) -> None:
        """Open an existing run folder; raise `UsageError` for any other path."""
        self.folder = folder
        if not (folder / RECIPE).is_file():
            raise UsageError(f"{folder} is not a run folder: it has no {RECIPE}")
        if (folder / DESCRIPTION).is_file():
            catalog.register(folder / DESCRIPTION)  # the run can be read on a machine without its pictures
        self.recipe = files.read_json(folder / RECIPE, Recipe, AGAIN)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.resolve().name

    @property
    def finished(self) -> bool:
        """True if the training is finished."""
        return (self.folder / WEIGHTS).is_file()

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, commit, processor, threads, precision and training seconds."""
        path = self.folder / ENVIRONMENT
        try:
            found = files.read_json(path, Environment, AGAIN)
        except FileNotFoundError:
            raise TenfoldError(
                f"{self.folder} has no {ENVIRONMENT}; train it again, or copy the whole folder"
            ) from None
        if self.finished and found.train_seconds is None:
            raise TenfoldError(f"{path} is damaged (train_seconds: Field required); {AGAIN}")
        return found.model_dump(exclude_unset=True)

    @property
    def scores(self) -> list[Score]:
        """The entries of `scores.json`: one per split and scoring; empty before the first evaluation."""
        path = self.folder / SCORES
        return scores.read(path, len(catalog.find(self.recipe.dataset).classes)) if path.is_file() else []

    def score(self, split: str) -> Score | None:
        """Return the run's own score on a split, or None if it was not evaluated."""
        return next((one for one in self.scores if (one.split, one.scoring) == (split, scores.ALONE)), None)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of `history.jsonl` so far, as dictionaries."""
        path = self.folder / HISTORY
        lines = path.read_bytes().splitlines() if path.is_file() else []
        return [files.parse_json(line, Epoch, path, AGAIN).model_dump(exclude_none=True) for line in lines]

    def weights(self) -> dict[str, np.ndarray]:
        """Return the trained weights by name, checked against the network."""
        if not self.finished:
            raise UsageError(
                f"{self.folder} has no {WEIGHTS}; "
                f"if its training was interrupted, resume with: tenfold train --resume {self.folder}"
            )
        return self._weights(WEIGHTS)

    def initial(self) -> dict[str, np.ndarray]:
        """Return the weights that the training started from, if they were given."""
        return self._weights(INITIAL)

    def checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return the tensors and numbers to resume from, or None."""
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return None
        tensors, numbers = read_tensors(path, Checkpoint)
        return tensors, numbers.model_dump()

    def answers(self) -> np.ndarray | None:
        """Return the framework's logits for `split.gate_pictures` at the end of the training, for export to compare.

        Float32 `[10,000, classes]`, or None for runs of an older Tenfold, which did not keep them.
        """
        path = self.folder / ANSWERS
        return read_tensors(path)[0].get("logits") if path.is_file() else None

    def test_answers(self) -> dict[str, np.ndarray] | None:
        """Return the run's answers to the test set, or None if it was not opened for these weights.

        `logits` float32 `[N, classes]`, `labels` int64 `[N]`, and for the errors `index` int64 `[E]` and `images` uint8
        `[E, 28, 28]`. They stay with the run, so that nobody has to open the test set again.
        """
        path = self.folder / TEST_ANSWERS
        if not path.is_file():
            return None
        tensors, numbers = read_tensors(path, dict[str, str])
        count, wrong = (tensors[name].size if name in tensors else 0 for name in ("labels", "index"))
        classes = len(catalog.find(self.recipe.dataset).classes)
        kinds = {"logits": ("float32", (count, classes)), "labels": ("int64", (count,))}
        kinds |= {"index": ("int64", (wrong,)), "images": ("uint8", (wrong, 28, 28))}
        require_kinds(path, tensors, kinds, {"labels": classes, "index": count})
        return tensors if numbers.get("weights") == weights_hash(self.weights()) else None

    def save_test_answers(self, answers: dict[str, np.ndarray]) -> None:
        """Write the arrays that `test_answers` returns."""
        write_tensors(self.folder / TEST_ANSWERS, answers, {"weights": weights_hash(self.weights())})

    def save_score(self, score: Score) -> None:
        """Write an entry of `scores.json`, replacing an older one of the same split and scoring."""
        kept = [one for one in self.scores if (one.split, one.scoring) != (score.split, score.scoring)]
        files.write_json(self.folder / SCORES, scores.documents([*kept, score]))

    def _weights(self, name: str) -> dict[str, np.ndarray]:
        weights, _ = read_tensors(self.folder / name)
        networks.check_weights(self.recipe.layers(), weights, str(self.folder / name))
        return weights


def find(path: Path, progress: Progress = SILENT) -> list[Run]:
    """Return the run in a folder, or the finished runs in its subfolders, sorted by name.

    Raises `UsageError` if there is no finished run.
    """
    inside = sorted(path.glob(f"*/{RECIPE}")) if path.is_dir() and not (path / RECIPE).is_file() else []
    if not inside:
        return [Run(path)]
    found = [Run(file.parent) for file in inside]
    for run in found:
        if not run.finished:
            progress.line(
                f"{run.folder} is not finished and is ignored; resume it with: tenfold train --resume {run.folder}"
            )
    if not (finished := [run for run in found if run.finished]):
        raise UsageError(f"{path} has no finished run")
    return finished


def create(recipe: Recipe, machine: dict[str, Any], folder: Path, initial: dict[str, np.ndarray] | None = None) -> Run:
    """Start a run in `folder`: write the recipe, the environment and, if given, the initial weights.

    Raises `UsageError` if the folder already holds a run.
    """
    if (folder / RECIPE).exists():
        raise UsageError(f"{folder} already holds a run; choose another --out, or resume it with --resume {folder}")
    files.write_json(folder / ENVIRONMENT, machine)
    if initial is not None:
        write_tensors(folder / INITIAL, initial)
    dataset = catalog.find(recipe.dataset)
    if not dataset.sources:
        files.write_json(folder / DESCRIPTION, catalog.described(dataset))
    # The recipe is written last: it marks the folder as a run that can be resumed.
    files.write_json(folder / RECIPE, recipe.model_dump())
    return Run(folder)


def free_folder(name: str, workspace: Path = RUNS) -> Path:
    """Make and return an empty folder `workspace/name`, or `name-2`, `name-3`… if that exists."""
    files.make_folder(workspace)
    number = 1
    while True:
        folder = workspace / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


@contextmanager
def locked(folder: Path, work: str = "training into") -> Iterator[None]:
    """Lock `folder` against other processes while the block runs; the lock of a killed process is free at once."""
    with files.only_one(folder / LOCK, f"another process is {work} {folder}; wait for it, or choose another --out"):
        files.sweep(folder)
        yield


def weights_hash(weights: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of weights, 64 hexadecimal digits: the hash of the file that `write_tensors` writes."""
    return hashlib.sha256(save(weights)).hexdigest()


def write_tensors(path: Path, tensors: dict[str, np.ndarray], numbers: dict[str, Any] | None = None) -> None:
    """Write arrays, and a few numbers with them, as safetensors, atomically."""
    with files.atomic(path) as file:
        file.write(save(tensors, {"tenfold": json.dumps(numbers)} if numbers else None))


def read_tensors(path: Path, numbers: type[T] = dict[str, JsonValue]) -> tuple[dict[str, np.ndarray], T]:  # type: ignore[assignment]
    """Read a file that `write_tensors` wrote, with numbers of this type.

    Raises `TenfoldError` for any other file, which is never executed or unpickled.
    """
    try:
        with safe_open(path, "np") as file:
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
            text = (file.metadata() or {}).get("tenfold", "{}")
    except (SafetensorError, ValueError, TypeError) as error:
        raise files.foreign(path, "a safetensors file", error) from None
    return tensors, files.parse_json(text, numbers, path, AGAIN)


def require_kinds(
    path: Path, tensors: dict[str, np.ndarray], kinds: dict[str, tuple[str, Shape]], below: dict[str, float]
) -> None:
    """Raise `TenfoldError` unless tensors have these types and shapes, and those in `below` values in [0, limit)."""
    found = {name: (array.dtype.name, array.shape) for name, array in tensors.items()}
    if found != kinds or not all(((tensors[name] >= 0) & (tensors[name] < end)).all() for name, end in below.items()):
        raise TenfoldError(f"{path} is damaged: its arrays have wrong names, types, shapes or values; {AGAIN}")


def environment(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a result depends on besides the recipe: versions (also of `packages`), commit, processor, cores."""
    packages = ("tenfold", "numpy", "onnxruntime", *packages)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": machine.processor(),
        "cores": os.cpu_count(),
        "versions": versions(packages),
        "commit": _commit(),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed distributions among `packages`."""
    found = {}
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _commit() -> str | None:
    """Return the commit of the source tree this runs from, with a + if files differ; None for an installed package.

    Records written by benchmarks do not count as a difference.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        tracked = ["status", "--porcelain", "--", ".", ":!benchmarks/results.json"]
        status = subprocess.run([*git, *tracked], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if status.stdout.strip() else "")
