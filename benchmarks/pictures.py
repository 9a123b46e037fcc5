"""The pictures of README, from a real life: `python -m benchmarks.pictures runs/life-1.json`; without one, makes it."""

import argparse
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks import provenance
from tenfold import lifecycle, progress
from tenfold.data import catalog
from tenfold.files import atomic, make_folder
from tenfold.report.figures import baselines, confusion, style
from tenfold.report.material import gather

DPI, COLOURS = 160, 64  # sharp at twice README's width; few colours make small files


def main() -> None:
    """Draw, and say on what it was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("life", type=Path, nargs="?", help="what `tenfold run` wrote")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    words = parser.parse_args()
    print(provenance())
    life = words.life or lifecycle.live(progress=progress.for_terminal()).file
    found = gather([life])
    assert found.main is not None
    networks = [
        one.entry
        | {
            "name": one.run.name.removeprefix(f"{life.stem}-"),
            "train_seconds": one.run.environment["train_seconds"],
        }
        for one in found.evaluations
    ]
    classes = catalog.find(found.main.run.recipe.dataset).classes
    make_folder(words.out)
    _write(
        baselines.accuracy_against_seconds([*found.baselines, *networks]), words.out / "accuracy-against-seconds.png"
    )
    _write(confusion.matrix(np.array(found.main.entry["confusion"]), classes), words.out / "confusion.png")


def _write(figure: Figure, path: Path) -> None:
    small = Image.open(io.BytesIO(style.png(figure, DPI))).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with atomic(path) as file:
        small.save(file, "png", optimize=True)
    print(f"wrote {path}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
