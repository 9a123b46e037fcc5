"""The training loop. Pictures are one uint8 tensor; a batch is an index, an affine map and a normalisation."""

import copy
import time
from collections.abc import Callable, Collection, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tenfold import augment
from tenfold.data.split import Samples
from tenfold.frameworks import State, flattened
from tenfold.frameworks.pytorch.machine import autocast
from tenfold.frameworks.pytorch.modules import arrays_of, build, fill, named_tensors, normaliser
from tenfold.frameworks.pytorch.optimizer import Optimizer
from tenfold.networks import initial_weights
from tenfold.recipes import Recipe


def train(
    recipe: Recipe,
    samples: Samples,
    device: str = "cpu",
    precision: str = "float32",
    resume: State | None = None,
    stopped: Callable[[], bool] = lambda: False,
    pauses: Collection[int] = (),
) -> Iterator[State]:
    """Train, yielding the state at the end of each epoch, of training, after the steps in `pauses`, when `stopped`.

    All that is random follows from the recipe's seed and the epoch or step, so a `State` needs no generator. The clock
    of `State.seconds` runs from the first line here to the weights, but not while the caller has the state.
    """
    clock = time.perf_counter()
    steps, per_epoch = recipe.steps(len(samples)), recipe.steps_per_epoch(len(samples))
    shares, decays = recipe.schedule_shares(steps), recipe.averaging_decays(steps).tolist()
    normalise = normaliser(recipe.dataset)
    module = build(recipe.layers(), initial_weights(recipe.layers(), recipe.seed)).to(device)
    average = copy.deepcopy(module) if recipe.averaging else None
    live = [*named_tensors(module).values()]
    averaged = [*named_tensors(average).values()] if average is not None else []
    optimizer = Optimizer(module, recipe)
    if resume is not None:
        _restore(resume, module, average, optimizer)
    loss_sum = torch.tensor(resume.loss_sum if resume else 0.0, device=device)
    correct = torch.tensor(resume.correct if resume else 0, device=device)
    before, first = (resume.seconds, resume.step) if resume else (0.0, 0)
    images = torch.from_numpy(samples.images).unsqueeze(1).to(device)  # uint8 [N, 1, 28, 28]
    labels = torch.from_numpy(samples.labels).to(device)  # int64 [N]

    for step in range(first, steps):
        epoch, batch = divmod(step, per_epoch)
        if batch == 0 or step == first:
            order, maps = _epoch(recipe, len(samples), epoch, device)
        if batch == 0:
            loss_sum, correct = torch.zeros_like(loss_sum), torch.zeros_like(correct)
        at = slice(batch * recipe.batch_size, (batch + 1) * recipe.batch_size)
        target = labels.index_select(0, order[at])  # [B]
        chosen = images.index_select(0, order[at])  # in a third of the time that images[order[at]] takes
        pictures = _augmented(chosen, None if maps is None else maps[at])  # [B, 1, 28, 28]
        torch.manual_seed((recipe.seed << 32) + step)  # for dropout

        with autocast(precision, device):
            output = module(normalise(pictures))  # [B, classes]
        loss = F.cross_entropy(output.float(), target, label_smoothing=recipe.label_smoothing)
        loss.backward()
        optimizer.step(shares[step])
        if averaged:
            get_ema_multi_avg_fn(decays[step])(averaged, live, step)

        loss_sum += loss.detach() * len(target)
        correct += (output.argmax(1) == target).sum()
        if batch + 1 == per_epoch or step + 1 == steps or step + 1 in pauses or stopped():
            state = _capture(step + 1, module, average, optimizer)
            state.loss_sum, state.correct = loss_sum.item(), int(correct)
            state.pictures = min((batch + 1) * recipe.batch_size, len(samples))
            state.seconds = before + time.perf_counter() - clock
            yield state
            before, clock = state.seconds, time.perf_counter()


def _epoch(recipe: Recipe, count: int, number: int, device: str) -> tuple[Tensor, Tensor | None]:
    """Return the order of an epoch's pictures, int64 `[N]`, and their maps in that order, if the recipe augments."""
    order, maps = augment.epoch(recipe, count, number)
    return torch.from_numpy(order).to(device), None if maps is None else torch.from_numpy(maps).to(device)


def prepare(images: np.ndarray, maps: np.ndarray | None, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images `[N, 28, 28]` as training makes them, float32: through their maps, and then normalised."""
    augmented = _augmented(torch.from_numpy(images).unsqueeze(1), None if maps is None else torch.from_numpy(maps))
    return augmented.squeeze(1).numpy(), normaliser(dataset)(augmented).squeeze(1).numpy()


def _augmented(images: Tensor, maps: Tensor | None) -> Tensor:
    """Return uint8 `[B, 1, 28, 28]` as float32, 0 to 255, each picture through its map `[B, 2, 3]` if there are any.

    This comes before normalising: what comes in from outside is black.
    """
    pictures = images.float()
    if maps is None:
        return pictures
    grid = F.affine_grid(maps, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False)


def _capture(step: int, module: nn.Sequential, average: nn.Sequential | None, optimizer: Optimizer) -> State:
    groups = _groups(module, average, optimizer)
    return State(step, flattened({prefix: arrays_of(tensors) for prefix, tensors in groups.items()}))


def _restore(state: State, module: nn.Sequential, average: nn.Sequential | None, optimizer: Optimizer) -> None:
    for prefix, tensors in _groups(module, average, optimizer).items():
        fill(tensors, state.group(prefix))
    for count in optimizer.counts.values():
        count.fill_(state.step)


def _groups(module: nn.Sequential, average: nn.Sequential | None, optimizer: Optimizer) -> dict[str, dict[str, Tensor]]:
    """Return all tensors that training changes, by the prefix of `State.tensors` and the name of the weight."""
    averaged = {} if average is None else named_tensors(average)
    return {"weights": named_tensors(module), "average": averaged} | optimizer.moments
