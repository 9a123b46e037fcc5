"""Wrong labels, planted: how many of them cross-validation doubts. `python -m benchmarks.doubt`.

A share of the labels, drawn by a seed, becomes a random other class; then the recipe is cross-validated on them as if
nothing had happened. What the dataset itself has wrong, or what nobody could read, counts against precision here.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import provenance
from tenfold import crossval, doubt, progress, recipes, statistics
from tenfold.data import catalog
from tenfold.data.split import Samples, development
from tenfold.report.figures import doubt as figures
from tenfold.report.figures import style


def plant(labels: np.ndarray, share: float, classes: int, seed: int) -> np.ndarray:
    """Return int64 `[N]` labels of which exactly that share, rounded, is another class."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(labels), round(share * len(labels)), replace=False)
    flipped = labels.copy()
    flipped[chosen] = (labels[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return flipped


def main() -> None:
    """Plant, cross-validate, print; with `--figure`, draw precision and recall along the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=recipes.RECIPES, default="quick")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0, help="of the planted labels")
    parser.add_argument("--figure", type=Path)
    words = parser.parse_args()
    print(provenance())
    recipe = recipes.override(recipes.find(words.recipe), words.assignments)
    known = catalog.find(recipe.dataset)
    samples = development(known)
    labels = plant(samples.labels, words.share, len(known.classes), words.seed)
    wrong = labels != samples.labels
    result = crossval.out_of_fold(
        recipe, Samples(samples.images, labels), words.folds, progress=progress.for_terminal()
    )
    right = result.logits.argmax(1)
    for name, truth in (("the labels with planted errors", labels), ("the labels as published", samples.labels)):
        correct = int((right == truth).sum())
        low, high = statistics.wilson_interval(correct, len(truth))
        print(f"cross-validated accuracy on {name}: {correct / len(truth):.2%} ({low:.2%} to {high:.2%})")
    doubts = doubt.doubtful(statistics.probabilities(result.logits), labels)
    found = wrong[doubts.pictures]
    precision, recall = doubt.precision_and_recall(found, int(wrong.sum()))
    print(f"{int(wrong.sum()):,} of {len(labels):,} labels planted; {len(doubts):,} in doubt: ", end="")
    print(f"precision {precision[-1]:.1%}, recall {recall[-1]:.1%}")
    first = min(int(wrong.sum()), len(doubts))
    print(f"the first {first:,} of the list: precision {precision[first - 1]:.1%}, recall {recall[first - 1]:.1%}")
    mended = int((doubts.suggested[found] == samples.labels[doubts.pictures[found]]).sum())
    print(f"of the {int(found.sum()):,} found, {mended:,} were suggested their published label")
    print(f"{result.seconds.sum():.1f} s for {words.folds} folds")
    if words.figure:
        style.save(figures.planted(found, int(wrong.sum())), words.figure)


if __name__ == "__main__":
    main()
