"""Datasets that are drawn on this machine instead of downloaded.

Results may differ by a pixel between processors, so the program cannot contain their hashes. Instead, the cache holds
the hashes of the drawn files and of the code that drew them. When the code changes, they are drawn again.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np

from tenfold.data import idx
from tenfold.data.catalog import Dataset
from tenfold.files import atomic, write_json
from tenfold.progress import Progress

DRAWN = "drawn.json"  # hashes of the drawn files, and of the code that drew them


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files in `folder` that this code drew, by name; empty if there are none."""
    try:
        noted = json.loads((folder / DRAWN).read_text())
        found: dict[str, str] = noted["sha256"] if noted["code"] == _code() else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return found


def draw(dataset: Dataset, folder: Path, progress: Progress) -> None:
    """Draw all of a dataset's files into `folder`: the development pictures with seed 0, the test pictures with 1."""
    from tenfold.handwriting import synthetic

    made = {}
    with progress.task(f"drawing {dataset.name}", 2) as done:
        for seed, (images_file, labels_file) in enumerate((dataset.files[:2], dataset.files[2:])):
            images, labels = synthetic.samples(labels_file.size - idx.header_size(1), seed)
            for file, array in ((images_file, images), (labels_file, labels.astype(np.uint8))):
                content = idx.encode(array)
                made[file.name] = hashlib.sha256(content).hexdigest()
                with atomic(folder / file.name) as out:
                    out.write(content)
            done(seed + 1)
    write_json(folder / DRAWN, {"code": _code(), "sha256": made})


@cache
def _code() -> str:
    """Return the SHA-256 of the code that draws and reads handwriting."""
    sources = sorted((Path(__file__).parents[1] / "handwriting").glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
