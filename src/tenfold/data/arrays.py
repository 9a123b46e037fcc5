"""Make a dataset from files with pictures as arrays: IDX files or tables. The pictures are used as they are.

`keep` writes the four files of any user dataset into the cache, under a name from their content.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from tenfold import files
from tenfold.data import catalog, download, idx, layout, split, table
from tenfold.data.catalog import DESCRIPTION, MNIST, MOST_CLASSES, Dataset, File
from tenfold.errors import DataError
from tenfold.progress import SILENT, Progress

NO_TEST = {  # the test files of a dataset without a test set
    MNIST.test_images.name: idx.encode(np.empty((0, 28, 28), np.uint8)),
    MNIST.test_labels.name: idx.encode(np.empty(0, np.uint8)),
}
LOOKED_AT = 2_000  # pictures used to detect transposition
# The ink of upright characters is 0.6 to 0.9 times as wide as high: MNIST 0.66, printed Latin 0.69, Cyrillic 0.90.
WIDEST = 1.1


def read(path: Path, plain: bool = False, transposed: bool = False, progress: Progress = SILENT) -> Dataset | None:
    """Copy a folder's IDX files, or a table, into the cache, and return the dataset, or None for any other folder.

    A table is a CSV or Parquet file, or the one in a folder with "train" in its name. A file with "test" in its place
    is the test set, if it has labels. With `plain`, mean and standard deviation are those of the pictures, otherwise
    MNIST's. With `transposed`, rows and columns are exchanged. Raises `DataError` if files are missing, damaged or do
    not fit together.
    """
    if path.is_file() and _is_table(path):
        return _of_tables(path, [path], plain, transposed, progress)
    if not path.is_dir():
        return None
    if found := idx.files_in(path):
        return _of_idx(path, found, plain, transposed, progress)
    tables = [one for one in sorted(path.iterdir()) if _is_table(one)]
    train = [one for one in tables if "train" in one.name.casefold()]
    if not train or layout.look(path).files:
        return None
    if len(train) > 1:
        raise DataError(f"{path} has {layout.told(one.name for one in train)}; give the path of the one to train on")
    test = train[0].name.casefold().replace("train", "test")
    return _of_tables(path, train + [one for one in tables if one.name.casefold() == test], plain, transposed, progress)


def _is_table(path: Path) -> bool:
    return table.is_csv(path.name) or table.is_parquet(path.name)


def _of_idx(folder: Path, found: dict[str, Path], plain: bool, transposed: bool, progress: Progress) -> Dataset:
    """Return the dataset of IDX files with MNIST's names. Its classes are the numbers from 0 to the largest label."""
    names = [file.name for file in MNIST.files]
    needed = names if found.keys() & NO_TEST.keys() else names[:2]
    if missing := [name for name in needed if name not in found]:
        raise DataError(f"{folder} has no {missing[0]}, which must accompany its other IDX files")
    ranks = dict(zip(names, (3, 1, 3, 1), strict=True))
    contents = NO_TEST | {name: _content(path, ranks[name]) for name, path in found.items()}
    images, labels, test_images, test_labels = (
        idx.decode(contents[name], ranks[name], str(folder / name)) for name in names
    )
    count = int(labels.max(initial=0)) + 1
    if count < 2:
        raise DataError(f"{folder}: every label is 0; a dataset needs at least two classes")
    split.samples(images, labels, count, str(folder))
    split.samples(test_images, test_labels, count, str(folder))
    if transposed:
        images = images.swapaxes(1, 2)
        contents |= {names[0]: idx.encode(images), names[2]: idx.encode(test_images.swapaxes(1, 2))}
    _warn_of_transposed(images, transposed, progress)
    mean, std = split.pixel_moments(images) if plain else (MNIST.mean, MNIST.std)
    return keep(folder, "a folder of IDX files", tuple(map(str, range(count))), mean, std, contents, plain)


def _content(path: Path, rank: int) -> bytes:
    """Return the content of an IDX file, unzipped up to the size in its header."""
    raw, header = path.read_bytes(), idx.header_size(rank)
    if path.suffix != ".gz":
        return raw
    shape = idx.shape_of(download.gunzip(raw, header, str(path)), rank, str(path))
    return download.gunzip(raw, header + math.prod(shape), str(path))


def _of_tables(path: Path, tables: list[Path], plain: bool, transposed: bool, progress: Progress) -> Dataset:
    """Return the dataset of a table, with a second table as test set if it has labels."""
    samples = {}
    with progress.task(f"reading {tables[0]}", 1):
        for part, (images, labels) in zip(("train", "test"), map(table.read, tables), strict=False):
            if labels is not None:  # Kaggle's test file has no labels
                samples[part] = (images.swapaxes(1, 2) if transposed else images, labels)
    if "train" not in samples:
        raise DataError(f"{tables[0]} has no column named label")
    images, labels = samples["train"]
    classes = tuple(sorted(set(labels.tolist()), key=layout.natural))
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(f"{tables[0]} must have from 2 to {MOST_CLASSES} different labels, got {len(classes):,}")
    _warn_of_transposed(images, transposed, progress)
    contents = dict(NO_TEST)
    for (pictures, names), two in zip(samples.values(), (MNIST.files[:2], MNIST.files[2:]), strict=False):
        if more := set(names.tolist()).difference(classes):
            raise DataError(f"{tables[1]} has labels that {tables[0]} lacks: {layout.told(more)}")
        unique, place = np.unique(names, return_inverse=True)
        numbers = np.array([classes.index(name) for name in unique.tolist()], np.uint8)[place]
        contents |= {two[0].name: idx.encode(pictures), two[1].name: idx.encode(numbers)}
    mean, std = split.pixel_moments(images) if plain else (MNIST.mean, MNIST.std)
    return keep(path, "a table of pictures", classes, mean, std, contents, plain)


def looks_transposed(images: np.ndarray) -> bool:
    """Return True if the ink of uint8 images `[N, 28, 28]`, white on black, is wider than that of upright characters.

    Width and height are standard deviations of the ink along the axes. The geometric mean of their ratio is compared.
    """
    some = images[:: max(1, len(images) // LOOKED_AT)].astype(np.float64)
    spreads = []
    for axis in (1, 2):
        profile = some.sum(axis)  # [N, 28]: first of columns, then of rows
        profile /= np.maximum(profile.sum(1, keepdims=True), 1)
        mean = profile @ np.arange(28.0)
        spreads.append(np.sqrt(np.maximum(profile @ np.arange(28.0) ** 2 - mean**2, 0)))
    width, height = (spread[(spreads[0] > 0) & (spreads[1] > 0)] for spread in spreads)
    return bool(len(width) and np.log(width / height).mean() > np.log(WIDEST))


def _warn_of_transposed(images: np.ndarray, transposed: bool, progress: Progress) -> None:
    if looks_transposed(images):
        remedy = "leave --transposed out" if transposed else "fix this with --transposed"
        progress.line(f"warning: rows and columns of the pictures seem to be exchanged; {remedy}")


def keep(
    path: Path,
    kind: str,
    classes: tuple[str, ...],
    mean: float,
    std: float,
    contents: Mapping[str, bytes],
    plain: bool,
    validation_size: int = 0,
) -> Dataset:
    """Write the contents of the four files into the cache, and return the dataset, which is named by them."""
    if not std:
        raise DataError(f"{path}: the pictures are empty, every pixel is {mean:.0f}")
    name = layout.printable(path.resolve().name)
    described = [File(file.name, len(body := contents[file.name]), download.sha256(body)) for file in MNIST.files]
    dataset = Dataset(
        name=layout.slug(name),
        title=f"{name}, {kind}",
        classes=classes,
        mean=mean,
        std=std,
        train_images=described[0],
        train_labels=described[1],
        test_images=described[2],
        test_labels=described[3],
        mirrors=(),
        licence="not stated",
        credit="its owner",
        plain=plain,
        validation_size=validation_size,
    )
    dataset = replace(dataset, name=f"{dataset.name}-{catalog.fingerprint(dataset)}")
    place = download.keep(dataset, contents)
    files.write_json(place / DESCRIPTION, catalog.described(dataset))  # written last: it registers the dataset
    return catalog.find(dataset.name)
