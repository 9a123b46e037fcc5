"""A folder of class-named folders of pictures, `my-digits/7/*.png`, becomes a dataset for every stage.

Pictures go through the contract of `picture.py`, or with `plain` are only resized. They are laid into the cache as four
IDX files with a `dataset.json`, named by their content (`my-digits-3fa9c2d1`), so what was learnt from them is resumed,
scored and searched by that name, whatever becomes of the folder. The rules are in `docs/own-pictures.md`.
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

MOST_BYTES = 64 << 20  # of a file; four million pixels are less in any format
SEALED = 5  # of so many pictures of a class, one goes into the test set
NEEDED = 5  # pictures a class: one is sealed, one chosen on, three trained on
SHOWN = 20  # skipped files that are told of
NOTES = "folders"  # where the cache notes which folder it read as what


def find(
    given: str, plain: bool = False, transposed: bool = False, progress: Progress = SILENT
) -> tuple[Dataset, Skipped]:
    """Return the dataset that a command names: a known one, or files of one's own, which are read.

    Raises `UsageError` where it is none of these.
    """
    if re.search(r"[/\\]", given) or (given not in catalog.CATALOG and Path(given).exists()):
        if known := arrays.read(Path(given), plain, transposed, progress):
            return known, []
        return read(Path(given), plain, transposed, progress=progress)
    if plain or transposed:
        raise UsageError(f"--{'plain' if plain else 'transposed'} says how a folder is read, and {given} is none")
    try:
        return catalog.find(given), []
    except UsageError as error:
        raise UsageError(f"there is no folder or file {given}, and {error}") from None


def read(
    folder: Path,
    plain: bool = False,
    transposed: bool = False,
    like: Dataset | None = None,
    progress: Progress = SILENT,
) -> tuple[Dataset, Skipped]:
    """Read a folder into the cache, and return the dataset that it is, and what was skipped: path and reason.

    Its parts are those of `layout.look`. Without a test folder a fifth of each class of `train/` is sealed as the test
    set, chosen by content, so that it stays the same but for a few when pictures are added. With `transposed` rows and
    columns of each picture are exchanged first. With `like` it is made for a model of
    that dataset: it has its classes, mean and deviation, and is plain if that is; a class may be empty, and nothing is
    sealed. A folder that did not change is not decoded again. Raises `UsageError` where the layout or the classes are
    wrong, `DataError` where there are too few pictures.
    """
    found = layout.look(folder)
    if like and (strange := [name for name in found.parts["train"] if name not in like.classes]):
        raise UsageError(f"{folder} has {told(strange)}; {like.name} has only the classes {told(like.classes)}")
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
    mean, std = MNIST.mean, MNIST.std  # pictures that went through the contract look as MNIST's do
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
    """Return the pictures of each part, class after class in the order of the files; others join the skipped."""
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
    from tenfold.handwriting import picture  # takes 0.2 s to import, and a dataset in the cache needs none of it

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
    """Return which pictures are sealed, bool `[N]`: of each class a fifth, those with the lowest hashes."""
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
        progress.line(f"skipped {len(skipped) - SHOWN:,} more; all of them: tenfold data {folder} --json")


def _check_counts(found: Layout, classes: tuple[str, ...], labels: np.ndarray, needed: int) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    short = [f"{name} has {count}" for name, count in zip(classes, counts, strict=True) if count < needed]
    again = "; some were skipped" if found.skipped else ""
    if short:
        raise DataError(
            f"{found.folder}: each class needs {needed} pictures to train on, but {told(short)}{again}.\n"
            "Add pictures, or move the class's folder elsewhere"
        )
    if not len(labels):
        raise DataError(f"{found.folder} has no pictures in its class folders{again}")


def _stamp(found: Layout, plain: bool, transposed: bool, like: Dataset | None) -> str:
    """Return a hash that changes with any file's name, size or time, with what is wanted, and with the code."""
    digest = hashlib.sha256(repr((found.name, plain, transposed, like and like.name, found.skipped)).encode())
    package = Path(__file__).parents[1]
    for source in sorted((*package.glob("data/*.py"), *package.glob("handwriting/*.py"))):
        digest.update(source.read_bytes())
    for part, label, path in found.files:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{found.folder} changes while it is read ({path}: {error.strerror}); try again") from None
        digest.update(repr((part, label, path.name, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()[:32]


def _noted(note: Path) -> tuple[Dataset, Skipped] | None:
    """Return what a folder was read as before, if all of that is still in the cache."""
    try:
        document = json.loads(note.read_text())
        dataset = catalog.find(document["dataset"])
        download.contents(dataset, dataset.files)
        return dataset, [(path, reason) for path, reason in document["skipped"]]
    except (OSError, ValueError, LookupError, TypeError, DataError, UsageError):
        return None
