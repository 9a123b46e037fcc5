"""Training on a GPU: `python -m benchmarks.gpu`, on a machine that has one. Prints a row per recipe, records nothing.

The clock starts with the pictures in memory and stops with the weights in memory. The published one-epoch recipe (not
captured), `quick` and `instant` train by turns with 30 seeds each; then `standard`, `best` and the whole command
`tenfold train` are timed. All but the command train on all 60,000. The test set is opened once, after the last
training. It needs only the packages that training imports, and no network if the dataset is in the cache.
"float32" is as PyTorch has it on a GPU: convolutions may use TF32.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from benchmarks import provenance
from benchmarks.published import ONE_EPOCH, PUBLISHED, Training, by_turns, of_recipe, ours, scored
from tenfold import frameworks, recipes, runs
from tenfold.data import catalog
from tenfold.data.split import LEDGER, Samples, development
from tenfold.frameworks.pytorch.step import Step, captured

GOALS = {"instant": 0.05, "standard": 1.0, "best": 10.0, "command": 4.0}  # seconds
TOLERANCE = 0.01  # of the weights' norm; kernels of a GPU add in another order each time


def difference(recipe: recipes.Recipe, samples: Samples, steps: int = 8) -> float:
    """Return how far the weights of a captured step are from those of a called one, as a share of their norm.

    The samples must be enough for so many whole batches. Both compute without TF32: the two may run different kernels,
    whose errors in TF32 are a thousandth, and training multiplies them.
    """
    called, replayed = (Step(recipe, samples, "cuda", "float32") for _ in range(2))
    for step in (called, replayed):
        step.begin(0)
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        replay = captured(lambda: replayed(recipe.batch_size), replayed.changed())
        for number in range(steps):
            for train in (lambda: called(recipe.batch_size), replay):
                torch.manual_seed(number)
                train()
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    one, other = (
        np.concatenate([array.ravel() for name, array in step.arrays().items() if name.startswith("weights/")])
        for step in (called, replayed)
    )
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


def check(samples: Samples) -> bool:
    """Print how far captured steps are from called ones, and return whether all are alike."""
    dropped = recipes.override(recipes.quick(), ["network.dropout=0.3"])
    checked = {"quick": recipes.quick(), "quick with dropout": dropped, "standard": recipes.standard()}
    apart = {title: difference(recipe, samples) for title, recipe in checked.items()}
    for title, share in apart.items():
        print(f"{title}: 8 captured steps and 8 called ones, weights {share:.1e} of their norm apart")
    return all(share < TOLERANCE for share in apart.values())


def of_name(name: str, samples: Samples, device: str) -> Training:
    """Return a recipe's training with the precision that `auto` chooses for a GPU, its kernels found beforehand."""
    recipe = ours(name)
    if device == "cpu":  # where this is only tried out, and choosing takes longer than a small training
        recipe = recipes.replace(recipe, precision="float32")
    recipe, _ = frameworks.settled(recipe, device)
    few = samples.take(np.arange(min(2 * recipe.batch_size + len(samples) % recipe.batch_size, len(samples))))
    of_recipe(recipes.replace(recipe, epochs=1), few, recipe.precision, device)(0)
    return of_recipe(recipe, samples, recipe.precision, device)


def command_seconds(device: str) -> float:
    """Return the seconds of `tenfold train --recipe quick`, from the shell to the finished run.

    Without ONNX Runtime, which answers the validation pictures, it trains on all pictures and validates nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "--recipe", "quick", "--device", device, "--out", f"{folder}/run"]
        words += [] if find_spec("onnxruntime") else ["--set", "validation_size=0"]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tenfold", *words], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30, help="of the three fast ones; a tenth of them of `standard`")
    parser.add_argument("--fast", action="store_true", help="without `standard`, `best` and the command")
    parser.add_argument("--device", default="cuda", help="cpu to try this program out")
    parser.add_argument("--pictures", type=int, help="only so many, for a look")
    parser.add_argument("--out", type=Path, default=runs.RUNS, help="where the ledger is")
    words = parser.parse_args()
    device = frameworks.load("pytorch").choose_device(words.device)
    print(provenance())
    if device == "cuda":
        print(torch.cuda.get_device_name(), "; CUDA", torch.version.cuda)
    samples = development(catalog.MNIST)
    alike = device != "cuda" or check(samples)
    samples = samples.take(np.arange(words.pictures)) if words.pictures else samples
    published = PUBLISHED[ONE_EPOCH].training(samples, 1, device)
    published(0)
    fast = {ONE_EPOCH: published} | {name: of_name(name, samples, device) for name in ("quick", "instant")}
    command = [] if words.fast else [command_seconds(device) for _ in range(3)]
    models, seconds = by_turns(fast, words.seeds)
    slow = {} if words.fast else {"standard": max(1, words.seeds // 10), "best": 1}
    for name, seeds in slow.items():
        models_of, seconds_of = by_turns({name: of_name(name, samples, device)}, seeds)
        models, seconds = models | models_of, seconds | seconds_of
    accuracies = scored(models, runs.environment(())["commit"], words.out / LEDGER, "benchmarks.gpu")
    seconds |= {"command": command} if command else {}
    print(f"\n{'':<28}{'seeds':>6}{'seconds: median':>18}{'least':>9}{'goal':>7}{'accuracy: mean ± sd':>25}")
    for name, took in seconds.items():
        goal = f"{GOALS[name]:g}" if name in GOALS else ""
        found = accuracies.get(name)
        accuracy = f"{np.mean(found):.3%}" if found else ""
        if found and len(found) > 1:
            accuracy += f" ± {100 * np.std(found, ddof=1):.3f}"
        print(f"{name:<28}{len(took):>6}{np.median(took):>18.3f}{min(took):>9.3f}{goal:>7}{accuracy:>25}")
    if not alike:
        raise SystemExit(f"a graph does not do what the step does: the weights are more than {TOLERANCE:.0%} apart")


if __name__ == "__main__":
    main()
