"""Split a dataset into training and validation pictures. The test set is sealed.

`development` and `split` never read the test files. Only `open_test` does, and it records each opening in a ledger
first.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from tenfold.data import download, idx
from tenfold.data.catalog import Dataset, File
from tenfold.errors import DataError, TenfoldError, UsageError
from tenfold.files import append_line, parse_json
from tenfold.progress import SILENT, Progress

FEWEST = 4  # training pictures that a network needs
LEDGER = "test-ledger.jsonl"
GATE_PICTURES = 10_000
VALIDATION_SIZE = 5_000


@dataclass(frozen=True)
class Samples:
    """Pictures with labels: `images` uint8 `[N, 28, 28]` (0 black to 255 white), `labels` int64 `[N]`."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | slice) -> "Samples":
        """Return the samples at `index`."""
        return Samples(self.images[index], self.labels[index])

    def extended(self, others: "Samples", repeats: int) -> "Samples":
        """Return these samples followed by `repeats` copies of the others."""
        images, labels = (np.repeat(array, repeats, axis=0) for array in (others.images, others.labels))
        return Samples(np.concatenate([self.images, images]), np.concatenate([self.labels, labels]))


@dataclass(frozen=True)
class Split:
    """The development pictures of a dataset in two parts. The test set is not here: see `open_test`."""

    dataset: Dataset
    train: Samples
    validation: Samples


def samples(images: np.ndarray, labels: np.ndarray, classes: int, name: str) -> Samples:
    """Return checked `Samples` from uint8 arrays; raise `DataError` if they do not fit together."""
    if images.shape[1:] != (28, 28):
        raise DataError(f"{name}: pictures must have 28×28 pixels, got {'×'.join(map(str, images.shape[1:]))}")
    if len(images) != len(labels):
        raise DataError(f"{name}: there are {len(images):,} pictures but {len(labels):,} labels")
    if len(labels) and labels.max() >= classes:
        first = int(np.argmax(labels >= classes))
        raise DataError(f"{name}: the label of picture {first} must be below {classes}, got {labels[first]}")
    return Samples(images, labels.astype(np.int64))


def development(dataset: Dataset, progress: Progress = SILENT) -> Samples:
    """Return the development pictures, which may be used freely; for MNIST, the 60,000 of the official training set."""
    return _load(dataset, (dataset.train_images, dataset.train_labels), progress)


def pixel_moments(images: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of the pixels of uint8 images, from the counts of the 256 values.

    The counts are exact, and taking a few thousand pictures at a time needs little memory.
    """
    counts = np.zeros(256, np.int64)
    for start in range(0, len(images), 2_000):
        counts += np.bincount(images[start : start + 2_000].ravel(), minlength=256)
    values = np.arange(256)
    mean = float(counts @ values / counts.sum())
    return mean, float(counts @ (values - mean) ** 2 / counts.sum()) ** 0.5


def gate_pictures(dataset: Dataset, progress: Progress = SILENT) -> np.ndarray:
    """Return the pictures that compare engines: uint8 `[10,000, 28, 28]`, spread evenly over the development ones."""
    images = development(dataset, progress).images
    return images[:: max(1, len(images) // GATE_PICTURES)].copy()


def usual_validation_size(dataset: Dataset) -> int:
    """Return the default number of validation pictures.

    It is that of the dataset's own validation pictures or, if it has none, 5,000, but at most a fifth.
    """
    return dataset.validation_size or min(VALIDATION_SIZE, dataset.development_size // 5)


def split(
    dataset: Dataset,
    validation_size: int,
    seed: int = 0,
    train_size: int | None = None,
    progress: Progress = SILENT,
) -> Split:
    """Split the development pictures by class: `validation_size` for validation, the rest or `train_size` for training.

    The same sizes and seed give the same pictures, in the order of the file. With a validation size of 0, all are
    training pictures. If the dataset has its own validation pictures and `validation_size` is their number, they are
    used. Raises `UsageError` if there are not enough pictures.
    """
    everything = development(dataset, progress)
    own = dataset.validation_size
    train, validation = split_indices(everything.labels, validation_size, seed, train_size, own)
    # Without validation pictures the array itself is returned, which saves a copy of 47 MB.
    whole = len(train) == len(everything)
    return Split(dataset, everything if whole else everything.take(train), everything.take(validation))


def split_indices(
    labels: np.ndarray, validation_size: int, seed: int, train_size: int | None = None, own: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted int64 indices (train, validation) into `labels`, disjoint and stratified by class.

    `own` is the dataset's `validation_size`. If that number is requested, the last pictures are used.
    """
    available = len(labels) - validation_size
    if validation_size < 0 or available <= 0:
        raise UsageError(f"validation_size={validation_size} must be below {len(labels)}, the number of pictures")
    if train_size is not None and not 0 < train_size <= available:
        raise UsageError(f"train_size={train_size} must be from 1 to {available:,}, the number of pictures left")
    order = np.random.default_rng([seed, len(labels)]).permutation(len(labels))
    last = np.arange(available, len(labels))
    validation = last if validation_size == own else stratified(labels, order, validation_size)
    rest = order[~np.isin(order, validation)]
    train = rest if train_size is None else stratified(labels, rest, train_size)
    return np.sort(train), np.sort(validation)


def stratified(labels: np.ndarray, order: np.ndarray, size: int) -> np.ndarray:
    """Return the first `size` of `order`, stratified by class: quotas by largest remainder, ties to the lower class."""
    of_class = [order[labels[order] == label] for label in np.unique(labels[order])]
    exact = np.array([len(members) for members in of_class]) * (size / max(len(order), 1))
    quota = np.floor(exact).astype(np.int64)
    short = np.argsort(-(exact - quota), kind="stable")[: size - quota.sum()]
    quota[short] += 1
    return np.concatenate([members[:count] for members, count in zip(of_class, quota, strict=True)] or [order[:0]])


def require_enough(pictures: int) -> None:
    """Raise `UsageError` if there are too few pictures to train a network."""
    if pictures < FEWEST:
        raise UsageError(f"{pictures} training pictures are too few; a network needs at least {FEWEST}")


def counts(dataset: Dataset, labels: np.ndarray, validation_size: int) -> dict[str, list[int]]:
    """Return the number of pictures per class in the training and the validation part."""
    train, validation = split_indices(labels, validation_size, seed=0, own=dataset.validation_size)
    parts = {"train": train, "validation": validation}
    return {part: np.bincount(labels[index], minlength=len(dataset.classes)).tolist() for part, index in parts.items()}


def folds(labels: np.ndarray, k: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield `k` pairs of sorted indices (train, held out), stratified by class; each picture is held out once."""
    if not 2 <= k <= len(labels):
        raise UsageError(f"the number of folds must be from 2 to {len(labels):,}, the number of pictures, got {k}")
    order = np.random.default_rng([seed, len(labels)]).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_class] = np.arange(len(labels)) % k  # dealt in turn like cards, class by class
    for fold in range(k):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)


def open_test(
    dataset: Dataset,
    ledger: Path,
    who: str,
    runs: Sequence[dict[str, str | None]],
    progress: Progress = SILENT,
) -> Samples:
    """Return the sealed test set, after recording the time, `who`, and the runs in `ledger`.

    Each of `runs` has a run's name, the hash of its recipe, and the commit that trained it. The line is on the disk
    before the pictures are read. If it cannot be written, the set stays sealed.
    """
    content = (dataset.test_images, dataset.test_labels)
    record_opening(dataset, ledger, who, runs)
    return _load(dataset, content, progress)


class Opening(BaseModel):
    """A line of the ledger."""

    when: str
    who: str
    dataset: str
    runs: list[dict[str, str | None]]


def openings(ledger: Path) -> list[dict[str, Any]]:
    """Return the lines of a ledger, oldest first; empty if it does not exist.

    An incomplete line is left out, because the set was not opened after it.
    """
    lines = []
    for line in ledger.read_bytes().splitlines() if ledger.is_file() else ():
        with suppress(TenfoldError):
            lines.append(parse_json(line, Opening, ledger, "").model_dump())
    return lines


def record_opening(dataset: Dataset, ledger: Path, who: str, runs: Sequence[dict[str, str | None]]) -> None:
    """Append the line of an opening of the test set, or of another evaluation of its kept answers."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(ledger, {"when": now, "who": who, "dataset": dataset.name, "runs": list(runs)})


def _load(dataset: Dataset, files: tuple[File, File], progress: Progress) -> Samples:
    images, labels = download.contents(dataset, files, progress)
    return samples(
        idx.decode(images, 3, files[0].name),
        idx.decode(labels, 1, files[1].name),
        len(dataset.classes),
        dataset.name,
    )
