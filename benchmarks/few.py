"""The gain from augmentation with few pictures: `python -m benchmarks.few [--data fashion-mnist]`.

A recipe learns from a few pictures of MNIST, in as many steps as `suited` gives it, and is scored on validation
pictures. Each seed has training and validation pictures of its own.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import provenance
from tenfold import evaluate, recipes, train
from tenfold.data import catalog
from tenfold.recipes import Recipe
from tenfold.suited import suited

VALIDATION = 1_000  # pictures of each seed: they are scored after each of the many epochs
MAPS: dict[str, dict[str, Any]] = {
    "none": {"rotation": 0, "shift": 0, "scale": 0, "shear": 0},
    "shift alone": {"rotation": 0, "shift": 1.5, "scale": 0, "shear": 0},
    "standard's": {"rotation": 8, "shift": 1.5, "scale": 0.08, "shear": 0.08},
    "strong's": {"rotation": 12, "shift": 2.5, "scale": 0.12, "shear": 0.12},
    "personal's": {"rotation": 15, "shift": 1.5, "scale": 0.15, "shear": 0.2},
}


def recipe_for(name: str, data: str, pictures: int, maps: str, seed: int) -> Recipe:
    """Return the recipe that learns so many pictures with these random maps."""
    sizes = [f"train_size={pictures}", f"validation_size={VALIDATION}"]
    adapted = suited(recipes.find(name), catalog.find(data), sizes)
    return recipes.replace(adapted, seed=seed, split_seed=seed, **MAPS[maps])


def accuracy(recipe: Recipe) -> float:
    """Return the accuracy on validation pictures of a run of the recipe."""
    with tempfile.TemporaryDirectory() as folder:
        return evaluate.validate(train.train(recipe, Path(folder) / "run")).score.accuracy


def main() -> None:
    """Print a line per number of pictures and kind of augmentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--pictures", type=int, nargs="+", default=[100, 300, 1_000, 3_000, 10_000])
    parser.add_argument("--maps", nargs="+", choices=MAPS, default=list(MAPS))
    parser.add_argument("--seeds", type=int, default=3)
    words = parser.parse_args()
    print(provenance())
    for pictures in words.pictures:
        for maps in words.maps:
            each = [accuracy(recipe_for(words.recipe, words.data, pictures, maps, seed)) for seed in range(words.seeds)]
            spread = f" ± {statistics.stdev(each):.2%}" if len(each) > 1 else ""
            print(f"{pictures:6,} pictures, {maps:12} {statistics.mean(each):.2%}{spread}", flush=True)


if __name__ == "__main__":
    main()
