"""Fine-tune runs of `best` with synthetic strokes, for the bundled model: `python -m benchmarks.hands FOLDER`.

FOLDER holds a run for each seed: seed0, seed1, … Each goes on for an epoch with the pictures of the recipe `hands`. It
takes a twentieth of the time of training by `hands` from random weights. With --test, the test set is opened for them.
"""

import argparse
from pathlib import Path

from benchmarks import provenance
from tenfold import evaluate, progress, recipes, train
from tenfold.recipes import Recipe
from tenfold.runs import RECIPE, Run

CHANGED = {"epochs": 1, "averaging": 0.998}  # an epoch is too short for the average that best takes


def recipe_for(run: Run) -> Recipe:
    """Return the recipe by which a run of `best` learns other hands, at a tenth of its learning rate."""
    return recipes.replace(train.fine_tuning(run), extra=recipes.hands().extra, **CHANGED)


def main() -> None:
    """Train those that are not trained yet, and score them, each and as a committee."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/hands"))
    parser.add_argument("--test", action="store_true", help="open the test set")
    words = parser.parse_args()
    print(provenance())
    members, told = [], progress.for_terminal()
    for seed in words.seeds:
        start, out = Run(words.folder / f"seed{seed}"), words.out / f"seed{seed}"
        if (out / RECIPE).is_file():
            members.append(train.resume(out, told))
        else:
            members.append(train.train(recipe_for(start), out, progress=told, initial=start.weights()))
    for test in (False, True) if words.test else (False,):
        results = evaluate.evaluate(members, test, "benchmarks.hands")
        together = [evaluate.committee(results, "benchmarks.hands")] if len(members) > 1 else []
        for score in [*(result.score for result in results), *together]:
            print(f"{score.split}, {score.scoring}: {score.correct:,} of {score.total:,} right")


if __name__ == "__main__":
    main()
