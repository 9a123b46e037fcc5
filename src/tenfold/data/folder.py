"""Make a dataset for every stage from a folder with one folder of pictures per class, `my-digits/7/*.png`.

`picture.py` preprocesses the pictures, or with `plain` they are only resized. They are stored in the cache as four IDX
files with a `dataset.json`, under a name from their content (`my-digits-3fa9c2d1`). Runs use that name, so they can be
resumed, scored and searched even if the folder changes. The rules are in `docs/own-pictures.md`.
"""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from tenfold import files
from tenfold.data import arrays, catalog, download, idx, layout
from tenfold.data.catalog import MNIST, Dataset
from tenfold.data.layout import Layout, Skipped, told
from tenfold.data.split import Samples
from tenfold.errors import DataError, UsageError
from tenfold.progress import SILENT, Progress

MOST_BYTES = 64 << 20  # largest file; four million pixels take less in any format
SEALED = 5  # one in five pictures of a class goes into the test set
NEEDED = 5  # pictures per class: one for test, one for validation, three for training
SHOWN = 20  # skipped files to report
NOTES = "folders"  # folder of the cache with notes about folders that were read


def find(
    given: str, plain: bool = False, transposed: bool = False, progress: Progress = SILENT
) -> tuple[Dataset, Skipped]:
    """Return the dataset that a command names: a known one, or a user dataset, which is read from its files.

    Raises `UsageError` for anything else.
    """
    if re.search(r"[/\\]", given) or (given not in catalog.CATALOG and Path(given).exists()):
        if known := arrays.read(Path(given), plain, transposed, progress):
            return known, []
        return read(Path(given), plain, transposed, progress=progress)
    if plain or transposed:
        raise UsageError(f"--{'plain' if plain else 'transposed'} needs a folder or file of pictures, got {given}")
    try:
        return catalog.find(given), []
    except UsageError as error:
        raise UsageError(f"folder or file {given} does not exist, and {error}") from None


def read(
    folder: Path,
    plain: bool = False,
    transposed: bool = False,
    like: Dataset | None = None,
    progress: Progress = SILENT,
) -> tuple[Dataset, Skipped]:
    """Read a folder into the cache; return its dataset, and the skipped files, each with path and reason.

    The parts are those of `layout.look`. Without a test folder, a fifth of each class of `train/` is sealed as the test
    set. It is chosen by content, so that it changes little when pictures are added. With `transposed`, rows and columns
    of each picture are exchanged first. With `like`, the dataset is made for a model of that dataset: it has the same
    classes, mean, standard deviation and `plain`; a class may be empty, and nothing is sealed. An unchanged folder is
    not decoded again. Raises `UsageError` for a wrong layout or wrong classes, `DataError` for too few pictures.
    """
    found = layout.look(folder)
    if like and (strange := [name for name in found.parts["train"] if name not in like.classes]):
        raise UsageError(f"{folder} has folders {told(strange)}; {like.name} has only the classes {told(like.classes)}")
    classes = like.classes if like else layout.classes(found)
    plain = plain or (like is not None and like.plain)
    note = catalog.folder_of(NOTES) / f"{_stamp(found, plain, transposed, like)}.json"
    if noted := _noted(note):
        _tell(folder, noted[1], progress)
        return noted
    parts = _decoded(found, classes, plain, transposed, progress)
    skipped = found.skipped
    _tell(folder, skipped, progress)
    _check_counts(found, classes, parts["train"].labels, 0 if like else NEEDED - len(parts) + 1)
    if "test" not in parts:
        everything = parts["train"]
        sealed = np.zeros(len(everything), bool) if like else _sealed(everything)
        parts |= {"train": everything.take(~sealed), "test": everything.take(sealed)}
    train, test = parts["train"], parts["test"]
    mean, std = MNIST.mean, MNIST.std  # preprocessed pictures look like MNIST's
    if like:
        mean, std = like.mean, like.std
    elif plain:
        mean, std = float(train.images.mean()), float(train.images.std())
    validation = parts.get("validation", train.take(slice(0)))
    development = train.extended(validation, 1)
    four = (development.images, development.labels, test.images, test.labels)
    contents = {file.name: idx.encode(array.astype(np.uint8)) for file, array in zip(MNIST.files, four, strict=True)}
    kind = "a folder of pictures " + ("only resized" if plain else "brought to MNIST's form")
    dataset = arrays.keep(folder, kind, classes, mean, std, contents, plain, len(validation))
    files.make_folder(note.parent)
    files.write_json(note, {"dataset": dataset.name, "skipped": skipped})
    return dataset, skipped


def _decoded(
    found: Layout, classes: tuple[str, ...], plain: bool, transposed: bool, progress: Progress
) -> dict[str, Samples]:
    """Return the pictures of each part, class by class in the order of the files; add unusable files to skipped."""
    images: dict[str, list[np.ndarray]] = {part: [] for part in found.parts}
    labels: dict[str, list[int]] = {part: [] for part in found.parts}
    number = {name: label for label, name in enumerate(classes)}
    paths = sorted(found.files, key=lambda file: number[file[1]])
    with progress.task(f"reading {len(paths):,} pictures from {found.folder}", len(paths)) as done:
        for at, (part, name, path) in enumerate(paths):
            try:
                images[part].append(_image(path, plain, transposed, classes))
                labels[part].append(number[name])
            except OSError as error:
                found.skipped.append((found.within(path), f"cannot be read: {error.strerror}"))
            except DataError as error:
                found.skipped.append((found.within(path), str(error)))
            done(at + 1)
    return {
        part: Samples(np.array(images[part], np.uint8).reshape(-1, 28, 28), np.array(labels[part], np.int64))
        for part in found.parts
    }


def _image(path: Path, plain: bool, transposed: bool, classes: tuple[str, ...]) -> np.ndarray:
    from tenfold.handwriting import picture  # takes 0.2 s to import, and a cached dataset does not need it

    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"larger than {MOST_BYTES >> 20} MB")
    grey = picture.decode(path.read_bytes())
    grey = grey.T if transposed else grey
    if plain:
        return picture.plain(grey)
    reading = picture.read(grey, digits_only=picture.are_digits(classes))
    if reading.image is None:
        raise DataError(reading.verdict)
    return reading.image


def _sealed(samples: Samples) -> np.ndarray:
    """Return the mask of sealed pictures, bool `[N]`: the fifth of each class with the lowest hashes."""
    sealed = np.zeros(len(samples), bool)
    hashes = np.array([hashlib.sha256(image).hexdigest() for image in samples.images])
    for label in np.unique(samples.labels):
        members = np.flatnonzero(samples.labels == label)
        sealed[members[np.argsort(hashes[members], kind="stable")[: len(members) // SEALED]]] = True
    return sealed


def _tell(folder: Path, skipped: Skipped, progress: Progress) -> None:
    for path, reason in skipped[:SHOWN]:
        progress.line(f"skipped {path}: {reason}")
    if len(skipped) > SHOWN:
        progress.line(f"skipped {len(skipped) - SHOWN:,} more; to list all: tenfold data {folder} --json")


def _check_counts(found: Layout, classes: tuple[str, ...], labels: np.ndarray, needed: int) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    short = [f"{name} has {count}" for name, count in zip(classes, counts, strict=True) if count < needed]
    again = "; some were skipped" if found.skipped else ""
    if short:
        raise DataError(
            f"{found.folder}: each class needs at least {needed} training pictures, but {told(short)}{again}.\n"
            "Add pictures, or move the class's folder elsewhere"
        )
    if not len(labels):
        raise DataError(f"{found.folder} has no pictures in its class folders{again}")


def _stamp(found: Layout, plain: bool, transposed: bool, like: Dataset | None) -> str:
    """Return a hash that changes with the name, size or time of any file, with the options, and with the code."""
    digest = hashlib.sha256(repr((found.name, plain, transposed, like and like.name, found.skipped)).encode())
    package = Path(__file__).parents[1]
    for source in sorted((*package.glob("data/*.py"), *package.glob("handwriting/*.py"))):
        digest.update(source.read_bytes())
    for part, label, path in found.files:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{found.folder} changed while it was read ({path}: {error.strerror}); try again") from None
        digest.update(repr((part, label, path.name, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()[:32]


def _noted(note: Path) -> tuple[Dataset, Skipped] | None:
    """Return the earlier result of reading a folder, if all its files are still in the cache."""
    try:
        document = json.loads(note.read_text())
        dataset = catalog.find(document["dataset"])
        download.contents(dataset, dataset.files)
        return dataset, [(path, reason) for path, reason in document["skipped"]]
    except (OSError, ValueError, LookupError, TypeError, DataError, UsageError):
        return None
