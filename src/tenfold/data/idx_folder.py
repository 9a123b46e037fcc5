"""A folder with IDX files, named as MNIST's are, becomes a dataset: the way in for millions of pictures.

`train-images-idx3-ubyte` and `train-labels-idx1-ubyte` must be there; `t10k-images-idx3-ubyte` and its labels are the
test set where there is one. They stay where they are, and the cache has links to them. See `docs/large-data.md`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tenfold import files
from tenfold.data import catalog, download, idx, layout, mapped, split
from tenfold.data.catalog import DESCRIPTION, MNIST, Dataset, File
from tenfold.errors import DataError
from tenfold.progress import SILENT, Progress


def holds(folder: Path) -> bool:
    """Return whether a folder is one of IDX files."""
    return (folder / MNIST.train_images.name).is_file()


def read(folder: Path, plain: bool = False, progress: Progress = SILENT) -> Dataset:
    """Return the dataset that a folder's IDX files are: its classes are the numbers from 0 to the largest label.

    With `plain` mean and deviation are those of its pictures, else MNIST's. Hashing is done once. Raises `DataError`
    where files are missing, damaged or do not belong together.
    """
    test = (folder / MNIST.test_images.name).is_file()
    wanted = MNIST.files if test else MNIST.files[:2]
    for file in wanted:
        if not (folder / file.name).is_file():
            raise DataError(f"{folder} has no {file.name}, which belongs to its other IDX files")
    sources = {file.name: folder / file.name for file in wanted}
    if sum(path.stat().st_size for path in sources.values()) > mapped.LARGE:
        progress.line(f"looking at the files of {folder}; new ones are read once, which takes some seconds a GB")
    arrays = [_array(path, rank) for path, rank in zip(sources.values(), (3, 1, 3, 1), strict=False)]
    images, labels = arrays[:2]
    classes = int(labels.max(initial=0)) + 1
    if classes < 2:
        raise DataError(f"{folder}: every label is 0, so there is nothing to tell apart")
    for part in range(0, len(arrays), 2):
        split.samples(arrays[part], arrays[part + 1], classes, str(folder))
    mean, std = MNIST.mean, MNIST.std
    if plain:
        first = sources[MNIST.train_images.name]
        mean, std = mapped.remembered(first, "moments", lambda: mapped.pixel_moments(images))
    if not std:
        raise DataError(f"{folder}: there is nothing to see, every pixel is {mean:.0f}")

    empty = {} if test else dict(zip((file.name for file in MNIST.files[2:]), _no_pictures(), strict=True))
    described = [_described(file.name, sources, empty) for file in MNIST.files]
    dataset = Dataset(
        name=layout.slug(layout.printable(folder.resolve().name)),
        title=f"{layout.printable(folder.resolve().name)}, a folder of IDX files",
        classes=tuple(str(number) for number in range(classes)),
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
    )
    dataset = replace(dataset, name=f"{dataset.name}-{catalog.fingerprint(dataset)}")
    download.keep(dataset, empty)
    place = download.refer(dataset, sources)
    files.write_json(place / DESCRIPTION, catalog.described(dataset))  # the last: with it, the dataset is known
    return catalog.find(dataset.name)


def _array(path: Path, rank: int) -> np.ndarray:
    if not path.stat().st_size:
        raise DataError(f"{path} is empty")  # what cannot be mapped
    return idx.decode(np.asarray(np.memmap(path, np.uint8, "r")), rank, str(path))


def _no_pictures() -> tuple[bytes, bytes]:
    return idx.encode(np.empty((0, 28, 28), np.uint8)), idx.encode(np.empty(0, np.uint8))


def _described(name: str, sources: dict[str, Path], empty: dict[str, bytes]) -> File:
    if name in empty:
        return File(name, len(empty[name]), download.sha256(empty[name]))
    return File(name, sources[name].stat().st_size, mapped.sha256(sources[name]))
