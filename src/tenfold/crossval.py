"""k-fold cross-validation: every development picture is classified by a model that never saw it.

The result is an accuracy over all development pictures, and a list of doubtful labels. The folder holds
`crossval.json` (recipe, folds, environment, scores), `probabilities.safetensors` and `doubtful.json`. Until all folds
are finished it also holds `fold-1.safetensors` and so on, so that a killed cross-validation can be resumed.
"""

import time
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tenfold import doubt, files, frameworks, networks, pool, recipes, runs, scores, statistics
from tenfold.data import catalog
from tenfold.data.split import Samples, development, folds, require_enough, split_indices
from tenfold.doubt import Doubts
from tenfold.errors import InterruptError, UsageError
from tenfold.frameworks import State
from tenfold.pool import Pool
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.records import Environment
from tenfold.scores import Score

AGAIN = "copy the folder again, or delete it"
CROSSVAL, PROBABILITIES, DOUBTFUL = "crossval.json", "probabilities.safetensors", "doubtful.json"


@dataclass(frozen=True)
class OutOfFold:
    """The answer to each picture by the one model that never saw it.

    `logits` are float32 `[N, classes]`; `fold`, int64 `[N]` from 0 to k - 1, is the fold that held the picture out;
    `seconds`, float64 `[k]`, is the time of training and answering per fold.
    """

    logits: np.ndarray
    fold: np.ndarray
    seconds: np.ndarray


class _File(BaseModel):
    """A `crossval.json`. If it has scores, all folds are finished."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    folds: int = Field(ge=2)
    seed: int
    environment: Environment
    scores: list[Score] = Field([], max_length=1)
    fold_accuracies: list[float] = []
    seconds: float = Field(0, ge=0)

    def write(self, folder: Path) -> None:
        """Write the file atomically."""
        files.write_json(folder / CROSSVAL, self.model_dump(mode="json"))


@dataclass(frozen=True)
class CrossValidation:
    """A finished cross-validation: its folder, recipe and score, and the arrays behind the score.

    `probabilities` are float64 `[N, classes]`, `labels` and `fold` int64 `[N]`, in the order of the dataset's file.
    `seconds` is the time of training and answering over all folds. The score's interval is Wilson's over all N answers.
    """

    folder: Path
    recipe: Recipe
    score: Score
    seconds: float
    probabilities: np.ndarray
    labels: np.ndarray
    fold: np.ndarray

    @property
    def fold_accuracies(self) -> list[float]:
        """The accuracy of each fold, in order."""
        right = self.probabilities.argmax(1) == self.labels
        return _fold_accuracies(right, self.fold)

    @property
    def doubts(self) -> Doubts:
        """The doubtful labels, the most doubtful first."""
        return doubt.doubtful(self.probabilities, self.labels)


def crossval(
    recipe: Recipe,
    k: int = 10,
    out: Path | None = None,
    device: str = "auto",
    jobs: int = 1,
    scheduler: str | None = None,
    progress: Progress = SILENT,
) -> CrossValidation:
    """Cross-validate over all development pictures into `out` (by default `runs/<network>-crossval<k>`).

    `jobs` processes share the cores, or the folds are trained on the Dask cluster at `scheduler`. The same call again
    resumes with the unfinished folds, or returns the finished result; `UsageError` is raised if the folder belongs to
    another recipe or number of folds. With `train_size`, each fold trains on that many pictures of the other folds.
    `validation_size` is ignored. The recipe's `split_seed` determines the folds.
    """
    folder = out or runs.RUNS / f"{recipe.network}-crossval{k}"
    document: _File | None = None
    if not (folder / CROSSVAL).exists():
        samples = development(catalog.find(recipe.dataset), progress)
        _parts(recipe, samples.labels, k)  # before the folder is made, so that an error leaves nothing behind
        here = frameworks.environment(recipe, device)
        document = _File(recipe=recipe, folds=k, seed=recipe.split_seed, environment=here)
        files.make_folder(folder)
    with runs.locked(folder):
        if document and not (folder / CROSSVAL).exists():
            document.write(folder)
        document = _read(folder)
        if (document.recipe, document.folds) != (recipe, k):
            raise UsageError(
                f"{folder} holds the cross-validation of another recipe or number of folds; choose another --out"
            )
        if document.scores:
            progress.line(f"{folder} is already finished")
        else:
            jobs = pool.affordable(jobs, scheduler, frameworks.memory(recipe, device), progress)
            begun = files.all_or_nothing(folder, (CROSSVAL, runs.LOCK), "fold-*.safetensors")
            with begun, pool.started(jobs, scheduler) as workers:
                _finish(document, folder, workers, progress)
        for path in folder.glob("fold-*.safetensors"):
            path.unlink()
    return load(folder)


def load(folder: Path) -> CrossValidation:
    """Return the finished cross-validation in a folder; raise `UsageError` if there is none or it is not finished."""
    document = _read(folder)
    if not document.scores:
        raise UsageError(f"{folder} is an unfinished cross-validation; to resume, run its command again")
    (score,) = document.scores
    arrays, _ = runs.read_tensors(folder / PROBABILITIES)
    count, classes = score.total, len(catalog.find(document.recipe.dataset).classes)
    kinds = {"probabilities": ("float64", (count, classes)), "labels": ("int64", (count,)), "fold": ("int64", (count,))}
    below = {"probabilities": 1.001, "labels": classes, "fold": document.folds}
    runs.require_kinds(folder / PROBABILITIES, arrays, kinds, below)
    return CrossValidation(folder, document.recipe, score, document.seconds, **arrays)


def out_of_fold(
    recipe: Recipe,
    samples: Samples,
    k: int,
    device: str = "auto",
    progress: Progress = SILENT,
    keep: Path | None = None,
    workers: Pool | None = None,
    known: Samples | None = None,
    begun: State | None = None,
) -> OutOfFold:
    """Train `k` models, each on all folds but one, and classify the held-out fold with ONNX Runtime.

    With `keep`, finished folds are stored in that folder and not repeated; pictures, recipe and `k` must be the same.
    With `workers`, folds run there, and `samples` must be the dataset's development pictures. With `known`, every model
    is also trained on these samples, and each picture of its folds is used `extra_repeats` times per epoch. With
    `begun`, training starts from that state. Raises `DivergedError` if a loss is no longer a finite number.
    """
    recipe, device = frameworks.settled(recipe, device)
    parts = _parts(recipe, samples.labels, k)
    logits = np.empty((len(samples), len(catalog.find(recipe.dataset).classes)), np.float32)
    fold, seconds = np.empty(len(samples), np.int64), np.empty(k)
    finished = 0

    def add(number: int, answers: np.ndarray, took: float) -> None:
        nonlocal finished
        held_out = parts[number][1]
        logits[held_out], fold[held_out], seconds[number] = answers, number, took
        finished += 1
        accuracy = float((answers.argmax(1) == samples.labels[held_out]).mean())
        progress.line(f"fold {number + 1} of {k}: {accuracy:.2%} of {len(held_out):,}, {took:.1f} s")
        done(finished)

    title = f"{k} folds of {len(samples):,} pictures: {recipe.network}, {recipe.precision} on {device}"
    with progress.task(title, k) as done:
        left = []
        for number in range(k):
            if keep and _fold_path(keep, number).is_file():
                add(number, *_kept_fold(_fold_path(keep, number), (len(parts[number][1]), logits.shape[1])))
            else:
                own = samples if workers is None else None
                left.append((number, partial(answer_fold, recipe, k, number, device, own, known, begun)))
        tasks = iter(left)
        for number, result in (workers or pool.HERE).completed(lambda: next(tasks, None)):
            answers, took = result()
            if keep:
                runs.write_tensors(_fold_path(keep, number), {"logits": answers}, {"seconds": took})
            add(number, answers, took)
    return OutOfFold(logits, fold, seconds)


def answer_fold(
    recipe: Recipe,
    k: int,
    number: int,
    device: str,
    samples: Samples | None,
    known: Samples | None,
    begun: State | None,
) -> tuple[np.ndarray, float]:
    """Train on all folds but one; return float32 logits for the held-out fold, and the seconds. See `out_of_fold`.

    Without `samples`, the folds are those of the dataset's development pictures.
    """
    from tenfold.frameworks import onnx

    with pool.ALONE:
        samples = _development(recipe.dataset) if samples is None else samples
        start = time.perf_counter()
        train, held_out = _parts(recipe, samples.labels, k)[number]
        pictures = samples.take(train)
        if known is not None:
            pictures = known.extended(pictures, recipe.extra_repeats)
        *_, state = frameworks.fit(recipe, pictures, device, begun)
        answers = onnx.answer(recipe, state.weights(), samples.images[held_out])
        return answers, time.perf_counter() - start


@lru_cache(1)
def _development(dataset: str) -> Samples:
    return development(catalog.find(dataset))


def _fold_path(folder: Path, number: int) -> Path:
    return folder / f"fold-{number + 1}.safetensors"


def _kept_fold(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Return the logits of a finished fold, of this shape, and its seconds."""
    tensors, numbers = runs.read_tensors(path, dict[str, float])
    networks.check_arrays({"logits": shape}, tensors, str(path))
    return tensors["logits"], numbers.get("seconds", 0.0)


def _parts(recipe: Recipe, labels: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds (train, held out), with at most `train_size` training pictures each."""
    parts = []
    for train, held_out in folds(labels, k, recipe.split_seed):
        chosen, _ = split_indices(labels[train], 0, recipe.split_seed, recipe.train_size)
        require_enough(len(chosen))
        parts.append((train[chosen], held_out))
    return parts


def _finish(document: _File, folder: Path, workers: Pool, progress: Progress) -> None:
    """Train the remaining folds, and write the results of all."""
    recipe, begun = document.recipe, document.environment
    samples = development(catalog.find(recipe.dataset), progress)
    exact = recipes.replace(recipe, precision=begun.precision)  # the precision of the start, also on another machine
    try:
        result = out_of_fold(exact, samples, document.folds, begun.device, progress, folder, workers)
    except KeyboardInterrupt:
        raise InterruptError(f"stopped; finished folds are kept in {folder}, run the same command to resume") from None
    labels = samples.labels
    probabilities = statistics.probabilities(result.logits)
    arrays = {"probabilities": probabilities, "labels": labels, "fold": result.fold}
    runs.write_tensors(folder / PROBABILITIES, arrays)
    doubts = doubt.doubtful(probabilities, labels)
    rows = zip(doubts.pictures, doubts.given, doubts.suggested, doubts.margin, strict=True)
    files.write_json(
        folder / DOUBTFUL,
        [
            {"picture": int(picture), "given": int(given), "suggested": int(suggested), "margin": float(margin)}
            for picture, given, suggested, margin in rows
        ],
    )
    scored = {
        "scores": [scores.of_logits("crossval", result.logits, labels)],
        "fold_accuracies": _fold_accuracies(result.logits.argmax(1) == labels, result.fold),
        "seconds": round(float(result.seconds.sum()), 3),
    }
    document.model_copy(update=scored).write(folder)  # written last: with scores, the cross-validation is finished


def _fold_accuracies(right: np.ndarray, fold: np.ndarray) -> list[float]:
    shares: list[float] = (np.bincount(fold, right) / np.maximum(np.bincount(fold), 1)).tolist()
    return shares


def _read(folder: Path) -> _File:
    path = folder / CROSSVAL
    if not path.is_file():
        raise UsageError(f"{folder} is not a cross-validation: it has no {CROSSVAL}")
    return files.read_json(path, _File, AGAIN)
