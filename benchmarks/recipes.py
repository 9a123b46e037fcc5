"""Seeds of a recipe, trained on all 60,000 and scored on the test set.

`python -m benchmarks.recipes standard --seeds 3`. The recipe was chosen on validation pictures; here it is frozen. The
figure is the mean over all seeds at the final epoch; the ledger beside the runs says when the test set was opened.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import provenance
from tenfold import console, evaluate, progress, recipes, train


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=recipes.RECIPES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    words = parser.parse_args()
    print(provenance())
    assignments = ["validation_size=0", *words.assignments]
    recipe = recipes.override(recipes.find(words.recipe), assignments)
    folder = words.out / recipe.hash[:12]
    trained = train.train_seeds(recipe, words.seeds, folder, progress=progress.for_terminal())
    results = evaluate.evaluate(trained, test=True, who="benchmarks.recipes")
    print(console.evaluations(results))
    seconds = [run.environment["train_seconds"] for run in trained]
    print(f"\ntraining: median {np.median(seconds):.2f} s, at most {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
