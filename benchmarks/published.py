"""`quick` beside the published one-epoch recipe, by turns in one process. `python -m benchmarks.published`.

The published recipe (github.com/tuomaso/train_mnist_fast, its final notebook: 99.041 ± 0.066 over 30 seeds, 0.76 s on
a laptop GPU) written anew from its description: convolution 24×5×5, pool, ReLU, convolution 32×3×3, pool, ReLU, dense
256, ReLU, dense 10; Adam with betas 0.7 and 0.9, one-cycle learning rate up to 0.01; one epoch of batches of 256, the
pictures shuffled once beforehand; float32. The clock starts with the pictures in memory (for it: as shuffled and
normalised floats, as published) and ends with trained weights. Both train on all 60,000; the test set is opened after
all training is done.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from benchmarks import provenance
from tenfold import recipes, runs, statistics
from tenfold.data import catalog
from tenfold.data.split import LEDGER, Samples, development, open_test
from tenfold.frameworks import pytorch


def normalised(images: np.ndarray) -> Tensor:
    """uint8 `[N, 28, 28]` -> float32 `[N, 1, 28, 28]`."""
    return ((torch.from_numpy(images).float() / 255 - 0.1307) / 0.3081).unsqueeze(1)


def published(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """Train the published recipe."""
    torch.manual_seed(seed)
    convolutions = [nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()]
    network = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10))
    steps = -(-len(images) // 256)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.7, 0.9))
    schedule = OneCycleLR(optimizer, max_lr=0.01, total_steps=steps, cycle_momentum=False)
    for batch in range(steps):
        at = slice(256 * batch, 256 * (batch + 1))
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images[at]), labels[at])
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


def quick(samples: Samples, seed: int, precision: str) -> dict[str, np.ndarray]:
    """Train Tenfold's `quick` on the same pictures."""
    recipe = recipes.replace(recipes.quick(), seed=seed, validation_size=0)
    *_, state = pytorch.train(recipe, samples, precision=precision)
    return state.weights()


def _accuracy(logits: np.ndarray, samples: Samples) -> float:
    return float((logits.argmax(1) == samples.labels).mean())


def main() -> None:
    """Train both by turns, then score all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    print(provenance())
    samples = development(catalog.MNIST)
    shuffled = samples.take(np.random.default_rng(0).permutation(len(samples)))
    images, labels = normalised(shuffled.images), torch.from_numpy(shuffled.labels)
    recipe = recipes.quick()
    precision = pytorch.choose_precision(recipe.layers(), recipe.batch_size, "cpu")
    published(images[:512], labels[:512], 0)  # imports and kernels are found before the clock starts, for both
    quick(samples.take(np.arange(512)), 0, precision)
    theirs, ours, their_seconds, our_seconds = [], [], [], []
    for seed in range(seeds):
        start = time.perf_counter()
        theirs.append(published(images, labels, seed))
        middle = time.perf_counter()
        ours.append(quick(samples, seed, precision))
        end = time.perf_counter()
        their_seconds.append(middle - start)
        our_seconds.append(end - middle)
        print(f"seed {seed}: published {their_seconds[-1]:.2f} s, quick {our_seconds[-1]:.2f} s", flush=True)
    runs.RUNS.mkdir(exist_ok=True)
    who = f"benchmarks.published, {seeds} seeds"
    asked = [{"run": "quick", "recipe": recipes.replace(recipe, validation_size=0).hash, "commit": None}]
    test = open_test(catalog.MNIST, Path(runs.RUNS) / LEDGER, who, asked)
    pixels = normalised(test.images)
    with torch.inference_mode():
        their_accuracy = [_accuracy(network(pixels).numpy(), test) for network in theirs]
    modules = [pytorch.build(recipe.layers(), weights) for weights in ours]
    our_accuracy = [_accuracy(pytorch.logits(module, test.images, "mnist"), test) for module in modules]
    rows = (
        ("published, float32", their_seconds, their_accuracy),
        (f"quick, {precision}", our_seconds, our_accuracy),
    )
    for name, seconds, accuracies in rows:
        line = f"{name}: median {np.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
        if seeds > 1:
            spread = statistics.over_seeds(np.array(accuracies))
            line += f"; test {spread.mean:.3%} ± {spread.sd:.3%}, 95% interval of the mean "
            line += "{:.3%} to {:.3%}".format(*spread.interval)
        print(line)
    print(f"quick is {np.median(their_seconds) / np.median(our_seconds):.1f} times as fast (at least 3)")


if __name__ == "__main__":
    main()
