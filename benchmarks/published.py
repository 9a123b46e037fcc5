"""Published recipes, measured here: records in `results.json`. `python -m benchmarks.published [examples]`.

Without a word: the one-epoch recipe and `quick`, by turns in one process, so that both have the same machine. With
`examples`: the two examples that come with PyTorch and Keras. Each is written anew from its public description, in
PyTorch and float32, and has one visible loop. The clock starts with the pictures in memory (for the published ones: as
floats, made ready beforehand) and ends with trained weights. All of them train on all 60,000; the test set is opened
once, after all training is done.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import provenance, results
from tenfold import recipes, runs
from tenfold.data import catalog
from tenfold.data.split import LEDGER, Samples, development, open_test
from tenfold.files import make_folder
from tenfold.frameworks import pytorch

GOAL = 14  # times as fast as the one-epoch recipe `quick` is to be
Model = Callable[[np.ndarray], np.ndarray]  # uint8 [N, 28, 28] -> logits [N, 10]
Training = Callable[[int], Model]  # a seed -> what was trained


def normalised(images: np.ndarray) -> Tensor:
    """uint8 `[N, 28, 28]` -> float32 `[N, 1, 28, 28]` of mean 0 and standard deviation 1."""
    return (scaled(images) - 0.1307) / 0.3081


def scaled(images: np.ndarray) -> Tensor:
    """uint8 `[N, 28, 28]` -> float32 `[N, 1, 28, 28]`, 0 to 1."""
    return (torch.from_numpy(images).float() / 255).unsqueeze(1)


def one_epoch_network() -> nn.Sequential:
    """Return two convolutions, pooled before the ReLU, and two dense layers."""
    convolutions = [nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10))


def one_epoch(network: nn.Sequential, pixels: Tensor, labels: Tensor, epochs: int) -> None:
    """Train with Adam, betas 0.7 and 0.9, batches of 256, a one-cycle learning rate up to 0.01.

    The pictures come as they lie, which is shuffled once beforehand.
    """
    steps = -(-len(pixels) // 256)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.7, 0.9))
    schedule = OneCycleLR(optimizer, max_lr=0.01, total_steps=epochs * steps, cycle_momentum=False)
    for step in range(epochs * steps):
        at = slice(256 * (step % steps), 256 * (step % steps + 1))
        optimizer.zero_grad()
        loss = F.cross_entropy(network(pixels[at]), labels[at])
        loss.backward()
        optimizer.step()
        schedule.step()


def pytorch_network() -> nn.Sequential:
    """Return two convolutions, pooled once: 9,216 values into a dense layer."""
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]
    dense = [nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    return nn.Sequential(*convolutions, *dense, nn.LogSoftmax(1))


def pytorch_example(network: nn.Sequential, pixels: Tensor, labels: Tensor, epochs: int) -> None:
    """Train with Adadelta, batches of 64, a learning rate of 1 that each epoch has 0.7 of the one before."""
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = StepLR(optimizer, step_size=1, gamma=0.7)
    for _ in range(epochs):
        for at in torch.randperm(len(pixels)).split(64):
            optimizer.zero_grad()
            loss = F.nll_loss(network(pixels[at]), labels[at])
            loss.backward()
            optimizer.step()
        schedule.step()


def keras_network() -> nn.Sequential:
    """Return two convolutions, each pooled, and one dense layer, with the initial weights that Keras draws."""
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*convolutions, nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10))
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
    return network


def keras_example(network: nn.Sequential, pixels: Tensor, labels: Tensor, epochs: int) -> None:
    """Train with Adam in batches of 128 on the first nine tenths: the last is its validation split, not scored here."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7)
    for _ in range(epochs):
        for at in torch.randperm(int(0.9 * len(pixels))).split(128):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(pixels[at]), labels[at])
            loss.backward()
            optimizer.step()


@dataclass(frozen=True)
class Published:
    """A recipe of others: where it is told, its network and published size, its loop, and the pictures as it has them.

    `share` is that of the pictures which it trains on.
    """

    source: str
    parameters: int
    epochs: int
    network: Callable[[], nn.Sequential]
    fit: Callable[[nn.Sequential, Tensor, Tensor, int], None]
    pixels: Callable[[np.ndarray], Tensor]
    share: float = 1.0

    def training(self, samples: Samples, epochs: int, device: str = "cpu") -> Training:
        """Return the training on these pictures, made ready now, on the device, and shuffled once."""
        shuffled = samples.take(np.random.default_rng(0).permutation(len(samples)))
        pixels, labels = self.pixels(shuffled.images).to(device), torch.from_numpy(shuffled.labels).to(device)

        def train(seed: int) -> Model:
            torch.manual_seed(seed)
            network = self.network().to(device)
            assert sum(parameter.numel() for parameter in network.parameters()) == self.parameters
            self.fit(network, pixels, labels, epochs)
            return self._model(network.eval().cpu())

        return train

    def multiply_adds(self, training: bool = False) -> int:
        """Return those of convolutions and dense layers for one picture as PyTorch counts them, with the way back."""
        with FlopCounterMode(display=False) as counter:
            logits = self.network()(torch.zeros(1, 1, 28, 28))
            if training:
                logits.sum().backward()
        return int(counter.get_total_flops()) // 2

    def _model(self, network: nn.Sequential) -> Model:
        def logits(images: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                parts = [network(self.pixels(part)) for part in np.array_split(images, max(1, len(images) // 1_000))]
            answers: np.ndarray = torch.cat(parts).numpy()
            return answers

        return logits


ONE_EPOCH = "published one-epoch recipe"
PUBLISHED = {
    ONE_EPOCH: Published(  # 99.041 ± 0.066 over 30 seeds, 0.76 s on a laptop's GPU
        "github.com/tuomaso/train_mnist_fast", 215_194, 1, one_epoch_network, one_epoch, normalised
    ),
    "published PyTorch example, 4 of 14 epochs": Published(
        "github.com/pytorch/examples/tree/main/mnist", 1_199_882, 4, pytorch_network, pytorch_example, normalised
    ),
    "published Keras example": Published(
        "keras.io/examples/vision/mnist_convnet", 34_826, 15, keras_network, keras_example, scaled, share=0.9
    ),
}


def ours(name: str = "quick") -> recipes.Recipe:
    """Return Tenfold's recipe of that name, for all pictures."""
    return recipes.replace(recipes.find(name), validation_size=0)


def of_recipe(recipe: recipes.Recipe, samples: Samples, precision: str, device: str = "cpu") -> Training:
    """Return the training of Tenfold's recipe on the same pictures."""

    def train(seed: int) -> Model:
        *_, state = pytorch.train(recipes.replace(recipe, seed=seed), samples, device, precision)
        weights = state.weights()
        return lambda images: pytorch.logits(pytorch.build(recipe.layers(), weights), images, recipe.dataset)

    return train


def by_turns(trainings: Mapping[str, Training], seeds: int) -> tuple[dict[str, list[Model]], dict[str, list[float]]]:
    """Return what each seed of each training made, and its seconds; one of the one, then one of the other."""
    models: dict[str, list[Model]] = {name: [] for name in trainings}
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    for seed in range(seeds):
        for name, train in trainings.items():
            start = time.perf_counter()
            models[name].append(train(seed))
            seconds[name].append(time.perf_counter() - start)
            print(f"seed {seed}: {name} {seconds[name][-1]:.2f} s", flush=True)
    return models, seconds


def scored(
    models: Mapping[str, list[Model]], commit: str | None, ledger: Path, who: str = "benchmarks.published"
) -> dict[str, list[float]]:
    """Open the test set, once, and return the accuracies of each training's seeds."""
    make_folder(ledger.parent)
    asked = [
        {
            "run": f"{name}, {len(members)} seeds",
            "recipe": ours(name).hash if name in recipes.RECIPES else None,
            "commit": commit,
        }
        for name, members in models.items()
    ]
    test = open_test(catalog.MNIST, ledger, who, asked)
    return {
        name: [float((model(test.images).argmax(1) == test.labels).mean()) for model in members]
        for name, members in models.items()
    }


def main() -> None:
    """Train by turns, score, record, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("one-epoch", "examples"), default="one-epoch")
    parser.add_argument("--seeds", type=int, help="10; of the examples 1")
    parser.add_argument("--epochs", type=int, help="fewer or more than published; 4 of PyTorch's example")
    parser.add_argument("--pictures", type=int, help="only so many, for a look")
    parser.add_argument("--out", type=Path, default=runs.RUNS, help="where the ledger is")
    parser.add_argument("--results", type=Path, default=results.FILE)
    words = parser.parse_args()
    beside = words.what == "one-epoch"
    seeds = words.seeds or (10 if beside else 1)
    changes = [f"{name}={value}" for name in ("epochs", "pictures") if (value := getattr(words, name))]
    print(provenance())
    environment: dict[str, Any] = runs.environment(("torch",)) | pytorch.environment("cpu") | {"precision": "float32"}
    samples = development(catalog.MNIST)
    samples = samples.take(np.arange(words.pictures)) if words.pictures else samples
    few = samples.take(np.arange(min(512, len(samples))))
    chosen = {name: one for name, one in PUBLISHED.items() if (name == ONE_EPOCH) == beside}
    trainings = {name: one.training(samples, words.epochs or one.epochs) for name, one in chosen.items()}
    for one in chosen.values():
        one.training(few, 1)(0)  # imports and kernels are found before the clock starts, for all
    if beside:
        precision = pytorch.choose_precision(ours().layers(), ours().batch_size, "cpu")
        of_recipe(ours(), few, precision)(0)
        trainings["quick"] = of_recipe(ours(), samples, precision)
    models, seconds = by_turns(trainings, seeds)
    accuracies = scored(models, environment["commit"], words.out / LEDGER)
    for name, one in chosen.items():
        record = results.make(
            results.named(name, changes),
            "mnist",
            results.named(name, changes),
            accuracies=accuracies[name],
            train_seconds=seconds[name],
            command_seconds=[],
            parameters=one.parameters,
            multiply_adds=one.multiply_adds(),
            training_multiply_adds=one.multiply_adds(training=True),
            pictures=int(one.share * len(samples)) * (words.epochs or one.epochs),
            commit=environment["commit"],
            machine=results.machine(environment),
        ) | {"source": one.source}
        if beside:
            took = results.in_short(seconds["quick"])
            record |= {"quick_seconds": took, "times_quick": record["train_seconds"]["median"] / took["median"]}
        results.save(record, words.results)
        print(results.told(record))
    if beside:
        print(f"quick, {precision}: mean {np.mean(accuracies['quick']):.3%}, {results.seconds(took)} s: ", end="")
        print(f"{record['times_quick']:.1f} times as fast (at least {GOAL})")


if __name__ == "__main__":
    main()
