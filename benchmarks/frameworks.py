"""PyTorch and TensorFlow side by side, by turns in one process. `python -m benchmarks.frameworks --seeds 5`.

Both train the same recipe on the same 55,000 pictures, in the precision that each finds best here. First a few epochs,
one of the one and one of the other: the first has TensorFlow's compilation in it, the median is of those after it.
Then, if asked for, whole trainings over seeds, scored on the 5,000 validation pictures.
"""

import argparse
from types import ModuleType

import numpy as np

from benchmarks import provenance
from tenfold import frameworks, recipes, statistics
from tenfold.data import catalog
from tenfold.data.split import Samples, Split, split
from tenfold.recipes import Recipe

NAMES = ("pytorch", "tensorflow")


def epochs(recipe: Recipe, train: Samples, precisions: dict[str, str]) -> dict[str, np.ndarray]:
    """Return the seconds of each epoch, float64 `[epochs]`, of each framework, trained by turns."""
    trainings = [frameworks.load(name).train(recipe, train, "cpu", precisions[name]) for name in NAMES]
    ends = np.array([[state.seconds for state in states] for states in zip(*trainings, strict=True)])
    return dict(zip(NAMES, np.diff(ends, axis=0, prepend=0).T, strict=True))


def trained(framework: ModuleType, recipe: Recipe, pictures: Split, precision: str) -> tuple[float, float]:
    """Return the accuracy on validation pictures after a whole training, and its seconds."""
    *_, state = framework.train(recipe, pictures.train, "cpu", precision)
    model = framework.build(recipe.layers(), state.weights())
    right = framework.logits(model, pictures.validation.images, recipe.dataset).argmax(1) == pictures.validation.labels
    return float(right.mean()), state.seconds


def main() -> None:
    """Time both, then score both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=["quick", "standard"], help="quick, standard; both if none")
    parser.add_argument("--epochs", type=int, default=6, help="for the time of one; at least 2")
    parser.add_argument("--seeds", type=int, default=0, help="whole trainings for the accuracy")
    words = parser.parse_args()
    print(provenance(*NAMES))
    for recipe in map(recipes.find, words.recipes):
        pictures = split(catalog.find(recipe.dataset), recipe.validation_size)
        chosen = {name: frameworks.settled(recipes.replace(recipe, framework=name), "cpu")[0] for name in NAMES}
        precisions: dict[str, str] = {name: one.precision for name, one in chosen.items()}
        seconds = epochs(recipes.replace(recipe, epochs=words.epochs), pictures.train, precisions)
        for name, each in seconds.items():
            print(f"{recipe.network}, {name}, {precisions[name]}: first epoch {each[0]:.2f} s, ", end="")
            print(f"then median {np.median(each[1:]):.2f} s ({each[1:].min():.2f} to {each[1:].max():.2f})")
        ours, theirs = (np.median(seconds[name][1:]) for name in reversed(NAMES))
        print(
            f"{recipe.network}: an epoch takes TensorFlow {ours / theirs:.2f} times as long (at most 1.6)", flush=True
        )
        accuracies: dict[str, list[float]] = {name: [] for name in NAMES}
        for seed in range(words.seeds):
            for name in NAMES:
                one = recipes.replace(recipe, seed=seed)
                accuracy, whole = trained(frameworks.load(name), one, pictures, precisions[name])
                accuracies[name].append(accuracy)
                print(f"{recipe.network}, {name}, seed {seed}: validation {accuracy:.2%}, {whole:.2f} s", flush=True)
        if words.seeds > 1:
            for name in NAMES:
                _print(f"{recipe.network}, {name}: validation", np.array(accuracies[name]))
            first, second = (np.array(accuracies[name]) for name in NAMES)
            difference = second - first
            _print(f"{recipe.network}: TensorFlow less PyTorch, seed by seed", difference)


def _print(what: str, values: np.ndarray) -> None:
    spread = statistics.over_seeds(values)
    low, high = spread.interval
    print(f"{what} {spread.mean:.3%} ± {spread.sd:.3%}, 95% interval of the mean {low:.3%} to {high:.3%}", flush=True)


if __name__ == "__main__":
    main()
