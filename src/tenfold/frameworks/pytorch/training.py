"""The training loop of PyTorch."""

import time
from collections.abc import Callable, Collection, Iterator

import numpy as np
import torch

from tenfold import machine
from tenfold.data.split import Samples
from tenfold.frameworks import State
from tenfold.frameworks.pytorch.modules import normaliser
from tenfold.frameworks.pytorch.step import Step, augmented, captured
from tenfold.recipes import Recipe

# `torch.manual_seed` seeds every kind of device, and for each that is missing it formats a stack trace: 0.2 to 0.9 ms.
SEEDS: dict[str, Callable[[int], object]] = {
    "cpu": torch.default_generator.manual_seed,
    "cuda": torch.cuda.manual_seed,
    "mps": torch.mps.manual_seed,
}


def train(
    recipe: Recipe,
    samples: Samples,
    device: str = "cpu",
    precision: str = "float32",
    resume: State | None = None,
    stopped: Callable[[], bool] = lambda: False,
    checkpoint_steps: Collection[int] = (),
) -> Iterator[State]:
    """Train; yield the state after each epoch, after each of `checkpoint_steps`, when `stopped`, and at the end.

    All randomness is determined by the recipe's seed and the epoch or step, so a `State` needs no random generator.
    `State.seconds` counts from the first line here to the final weights, without the time in which the caller has the
    state.
    """
    clock = time.perf_counter()
    machine.keep_freed_memory()
    steps, per_epoch = recipe.steps(len(samples)), recipe.steps_per_epoch(len(samples))
    step = Step(recipe, samples, device, precision)
    before, first = 0.0, 0
    if resume is not None:
        step.load(resume)
        before, first = resume.seconds, resume.step
    replay: Callable[[], None] | None = None

    threads = torch.get_num_threads()
    try:
        for number in range(first, steps):
            epoch, batch = divmod(number, per_epoch)
            if batch == 0 or number == first:
                step.begin(epoch)
            if batch == 0:
                step.forget_sums()
            count = min(recipe.batch_size, len(samples) - batch * recipe.batch_size)
            whole = count == recipe.batch_size
            if device == "cuda" and whole and replay is None:
                replay = captured(lambda: step(recipe.batch_size), step.changed())
            SEEDS[device]((recipe.seed << 32) + number)  # for dropout
            if replay is not None and whole:
                replay()
            else:
                step(count)

            if batch + 1 == per_epoch or number + 1 == steps or number + 1 in checkpoint_steps or stopped():
                answered = min((batch + 1) * recipe.batch_size, len(samples))
                arrays, loss_sum, correct = step.arrays(), step.loss_sum.item(), int(step.correct)
                state = State(number + 1, arrays, loss_sum, correct, answered, before + time.perf_counter() - clock)
                torch.set_num_threads(threads)  # the caller's, and not those of a half
                yield state
                before, clock = state.seconds, time.perf_counter()
    finally:
        torch.set_num_threads(threads)


def prepare(images: np.ndarray, maps: np.ndarray | None, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images `[N, 28, 28]` as in training, float32: transformed by their maps, then normalised."""
    moved = augmented(torch.from_numpy(images).unsqueeze(1), None if maps is None else torch.from_numpy(maps))
    return moved.squeeze(1).numpy(), normaliser(dataset)(moved).squeeze(1).numpy()
