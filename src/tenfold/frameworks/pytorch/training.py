"""The training loop. Pictures are one uint8 tensor; a batch is an index, an affine map and a normalisation."""

import copy
import time
from collections.abc import Callable, Collection, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tenfold import augment
from tenfold.data.split import Samples
from tenfold.frameworks import State, flattened
from tenfold.frameworks.pytorch.device import autocast
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
    checkpoint_steps: Collection[int] = (),
) -> Iterator[State]:
    """Train; yield the state after each epoch, after each of `checkpoint_steps`, when `stopped`, and at the end.

    All that is random follows from the recipe's seed and the epoch or step, so a `State` needs no generator. The clock
    of `State.seconds` runs from the first line here to the weights, but not while the caller has the state.
    """
    clock = time.perf_counter()
    steps, per_epoch = recipe.steps(len(samples)), recipe.steps_per_epoch(len(samples))
    shares, decays = recipe.schedule_shares(steps), recipe.averaging_decays(steps).tolist()
    normalise = normaliser(recipe.dataset)
    module = build(recipe.layers(), initial_weights(recipe.layers(), recipe.seed)).to(device)
    averaged = named_tensors(copy.deepcopy(module)) if recipe.averaging else {}
    optimizer = Optimizer(module, recipe)
    # All tensors that training changes, by the prefix of `State.tensors` and the name of the weight.
    groups = {"weights": named_tensors(module), "average": averaged} | optimizer.moments
    if resume is not None:
        for prefix, tensors in groups.items():
            fill(tensors, resume.group(prefix))
        for count in optimizer.counts.values():
            count.fill_(resume.step)
    loss_sum = torch.tensor(resume.loss_sum if resume else 0.0, device=device)
    correct = torch.tensor(resume.correct if resume else 0, device=device)
    before, first = (resume.seconds, resume.step) if resume else (0.0, 0)
    images = torch.from_numpy(samples.images).unsqueeze(1).to(device)  # uint8 [N, 1, 28, 28]
    labels = torch.from_numpy(samples.labels).to(device)  # int64 [N]

    for step in range(first, steps):
        epoch, batch = divmod(step, per_epoch)
        if batch == 0 or step == first:
            places, matrices = augment.epoch(recipe, len(samples), epoch)
            order = torch.from_numpy(places).to(device)  # int64 [N]
            maps = None if matrices is None else torch.from_numpy(matrices).to(device)
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
            get_ema_multi_avg_fn(decays[step])([*averaged.values()], [*groups["weights"].values()], step)

        loss_sum += loss.detach() * len(target)
        correct += (output.argmax(1) == target).sum()
        if batch + 1 == per_epoch or step + 1 == steps or step + 1 in checkpoint_steps or stopped():
            arrays = flattened({prefix: arrays_of(tensors) for prefix, tensors in groups.items()})
            answered = min((batch + 1) * recipe.batch_size, len(samples))
            seconds = before + time.perf_counter() - clock
            state = State(step + 1, arrays, loss_sum.item(), int(correct), answered, seconds)
            yield state
            before, clock = state.seconds, time.perf_counter()


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
