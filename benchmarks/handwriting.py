"""Digits as people hand them in: how many are read as the original is. `python -m benchmarks.handwriting [RUN]`.

Validation pictures of MNIST, each handed in in every way of `benchmarks.sheets`, go through the preprocessing contract;
the model answers to what comes out, and to the original. Then rows of 3 to 9 of them, and milliseconds a picture.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import provenance, sheets
from tenfold import recipes, statistics, train
from tenfold.data import catalog, split
from tenfold.evaluate import predict
from tenfold.handwriting import line, picture
from tenfold.runs import Run

Answers = Callable[[np.ndarray], np.ndarray]  # uint8 [N, 28, 28] -> int64 [N]
OVERLAP = 0.7  # of a box that is found and the true one, intersection over union, at least


def shares(images: np.ndarray, answers: Answers, ways: list[str]) -> None:
    """Print, a way, how many pictures get the answer of the original."""
    original = answers(images)
    print(
        f"{'handed in':14} {'same answer':>12} {'95% interval':>18} {'none found':>11} {'several':>8} {'mean ink':>9}"
    )
    print(f"{'as they are':14} {'':43} {images.mean():18.1f}")
    for name in ways:
        rng = np.random.default_rng([0, list(sheets.WAYS).index(name)])
        readings = [picture.read(sheets.WAYS[name](image, rng)) for image in images]
        found = np.array([reading.image is not None for reading in readings])
        read = np.stack([reading.image for reading in readings if reading.image is not None])
        same = int((answers(read) == original[found]).sum())
        low, high = statistics.wilson_interval(same, len(images))
        several = sum(reading.verdict == "several digits" for reading in readings)
        print(
            f"{name:14} {same / len(images):12.2%} {f'{low:.2%} to {high:.2%}':>18} "
            f"{len(images) - int(found.sum()) - several:11} {several:8} {read.mean():9.1f}",
            flush=True,
        )


def rows(images: np.ndarray, answers: Answers, count: int) -> None:
    """Print how many rows are cut right, and how many are read as their digits are."""
    rng = np.random.default_rng(0)
    cut = read = 0
    for _ in range(count):
        digits = images[rng.integers(0, len(images), rng.integers(3, 10))]
        grey, boxes = sheets.row(digits, rng)
        pieces = line.page(grey).pieces
        if is_cut(pieces, boxes):
            cut += 1
            found = np.stack([piece.reading.image for piece in pieces if piece.reading.image is not None])
            read += bool((answers(found) == answers(digits)).all())
    print(f"{count} rows of 3 to 9: {cut / count:.2%} cut right, {read / count:.2%} read whole as the originals")


def is_cut(pieces: list[line.Piece], boxes: list[tuple[int, int, int, int]]) -> bool:
    """Return True if exactly these pieces are found, each in its box."""
    return len(pieces) == len(boxes) and all(
        overlap(piece.box, box) >= OVERLAP for piece, box in zip(pieces, boxes, strict=True)
    )


def overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Return intersection over union of two boxes (left, top, width, height)."""
    sides = [min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1)]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def speed(image: np.ndarray) -> None:
    """Print milliseconds of decoding and reading: the median of 50."""
    rng = np.random.default_rng(0)
    large = sheets.placed(sheets.resized(image, 18), rng, np.array([800 / 504, 1000 / 504]))
    kinds = {
        "28×28 PNG, as MNIST's": (image, "PNG"),
        "28×28 PNG, another": (np.roll(image, 3, 1), "PNG"),
        "300×300 PNG": (255 - sheets.resized(image, 300 / 28), "PNG"),
        "1000×800 PNG": (255 - large, "PNG"),
        "1000×800 JPEG": (255 - large, "JPEG"),
    }
    for name, (grey, form) in kinds.items():
        file = io.BytesIO()
        Image.fromarray(grey).save(file, form)
        took = []
        for _ in range(50):
            start = time.perf_counter()
            decoded = picture.decode(file.getvalue())
            between = time.perf_counter()
            picture.read(decoded)
            took.append((between - start, time.perf_counter() - between))
        decode, read = np.median(took, axis=0) * 1000
        print(f"{name:22} decode {decode:6.2f} ms, read {read:6.2f} ms")


def main() -> None:
    """Measure a run, or one of `quick` that is trained for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="a run folder; without one, `quick` is trained")
    parser.add_argument("--first", type=int, default=1_000, help="the contract was designed on those before it")
    parser.add_argument("--pictures", type=int, default=4_000)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--ways", nargs="+", choices=sheets.WAYS, default=list(sheets.WAYS))
    parser.add_argument("--speed", action="store_true", help="milliseconds, nothing else")
    words = parser.parse_args()
    print(provenance())
    with tempfile.TemporaryDirectory() as folder:
        run = Run(words.run) if words.run else train.train(recipes.quick(), Path(folder) / "quick-seed0")
        images = split.split(catalog.MNIST, 5_000).validation.images[words.first :][: words.pictures]
        if words.speed:
            speed(images[0])
            return
        shares(images, lambda pictures: predict(run, pictures).argmax(1), words.ways)
        rows(images, lambda pictures: predict(run, pictures).argmax(1), words.rows)


if __name__ == "__main__":
    main()
