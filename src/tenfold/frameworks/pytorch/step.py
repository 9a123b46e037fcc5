"""One training step that reads and writes only tensors on its device, so that CUDA can record and replay it."""

import copy
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold import augment, hardest
from tenfold.data.split import Samples
from tenfold.frameworks import State, flattened
from tenfold.frameworks.pytorch.device import autocast
from tenfold.frameworks.pytorch.halves import Halves, can_halve
from tenfold.frameworks.pytorch.modules import arrays_of, build, fill, named_tensors, normaliser
from tenfold.frameworks.pytorch.optimizer import Optimizer
from tenfold.networks import initial_weights
from tenfold.recipes import Recipe

WARM_UP = 2  # steps before a recording, which choose kernels and allocate memory


class Step:
    """The tensors of a training on its device. A call trains on one batch.

    The number of the step, the learning rate and the decay of the average are tensors too. So nothing within an epoch
    waits for the device, and one recorded step can be replayed for all others.
    """

    def __init__(self, recipe: Recipe, samples: Samples, device: str, precision: str) -> None:
        steps = recipe.steps(len(samples))
        real = torch.float64 if device == "cpu" else torch.float32  # as in Python, if the device supports it
        self.recipe, self.precision, self.device = recipe, precision, device
        self.batches = recipe.steps_per_epoch(len(samples))
        self.normalise = normaliser(recipe.dataset)
        self.module = build(recipe.layers(), initial_weights(recipe.layers(), recipe.seed), device)
        self.halves = Halves(self.module) if can_halve(self.module, recipe.batch_size, device) else None
        averaged = named_tensors(copy.deepcopy(self.module)) if recipe.averaging else {}
        self.optimizer = Optimizer(self.module, recipe)
        # All tensors that training changes, by prefix of `State.tensors` and name of the weight.
        self.groups = {"weights": named_tensors(self.module), "average": averaged} | self.optimizer.moments
        self.images = torch.from_numpy(samples.images).unsqueeze(1).to(device)  # uint8 [N, 1, 28, 28]
        self.labels = torch.from_numpy(samples.labels).to(device)  # int64 [N]
        self.chosen = hardest.chosen(recipe, samples)
        self.order = torch.empty_like(self.labels)
        self.maps = torch.empty((len(samples), 2, 3), device=device) if recipe.augments else None
        self.within = torch.arange(recipe.batch_size, device=device)
        self.number = torch.zeros(1, dtype=torch.int64, device=device)  # number of the step in the training
        self.shares = torch.from_numpy(recipe.schedule_shares(steps)).to(real).to(device)
        self.renewals = torch.from_numpy(1 - recipe.averaging_decays(steps)).float().to(device)
        self.loss_sum = torch.zeros((), device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, count: int) -> None:
        """Train on the next `count` pictures in the epoch's order."""
        places = self.number.remainder(self.batches) * self.recipe.batch_size + self.within[:count]
        compute = partial(self._pass, count=count)
        loss, correct = self.halves(compute, places) if self.halves else compute(self.module, places)
        self.optimizer.step(self.shares.index_select(0, self.number).squeeze(0))
        with torch.no_grad():
            renewal = self.renewals.index_select(0, self.number).squeeze(0)
            for name, average in self.groups["average"].items():
                average.lerp_(self.groups["weights"][name], renewal)
            self.loss_sum += loss * count
            self.correct += correct
            self.number += 1

    def _pass(self, module: nn.Sequential, places: Tensor, count: int) -> list[Tensor]:
        """Add these places' share of the gradients; return their share of the mean loss, and the correct answers."""
        chosen = self.order.index_select(0, places)
        target = self.labels.index_select(0, chosen)  # [B]
        maps = None if self.maps is None else self.maps.index_select(0, places)
        pictures = augmented(self.images.index_select(0, chosen), maps)  # [B, 1, 28, 28]
        with autocast(self.precision, self.device):
            output = module(self.normalise(pictures))  # [B, classes]
        loss = F.cross_entropy(output.float(), target, label_smoothing=self.recipe.label_smoothing)
        if len(places) < count:
            loss = loss * (len(places) / count)
        loss.backward()
        with torch.no_grad():
            return [loss.detach(), (output.argmax(1) == target).sum()]

    def begin(self, epoch: int) -> None:
        """Draw the order and the maps of an epoch."""
        order, maps = augment.epoch(self.recipe, len(self.order), epoch, self.chosen)
        self.order.copy_(torch.from_numpy(order))
        if self.maps is not None and maps is not None:
            self.maps.copy_(torch.from_numpy(maps))

    def forget_sums(self) -> None:
        """Set the epoch's sums to zero."""
        self.loss_sum.zero_()
        self.correct.zero_()

    def load(self, state: State) -> None:
        """Resume from `state`."""
        for prefix, tensors in self.groups.items():
            fill(tensors, state.group(prefix))
        for count in self.optimizer.counts.values():
            count.fill_(state.step)
        self.number.fill_(state.step)
        self.loss_sum.fill_(state.loss_sum)
        self.correct.fill_(state.correct)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return copies of all tensors, as in `State.tensors`."""
        return flattened({prefix: arrays_of(tensors) for prefix, tensors in self.groups.items()})

    def changed(self) -> list[Tensor]:
        """Return all tensors that a call changes, except the batch counts of norms, which nothing reads."""
        tensors = [tensor for group in self.groups.values() for tensor in group.values()]
        return [*tensors, *self.optimizer.counts.values(), self.number, self.loss_sum, self.correct]


def captured(step: Callable[[], None], changed: Iterable[Tensor]) -> Callable[[], None]:
    """Record a step as a CUDA graph, and return the function that replays it.

    A replay launches all kernels at once, instead of a few hundred one by one from Python. Afterwards the tensors in
    `changed` have their old values again.
    """
    before = [(tensor, tensor.detach().clone()) for tensor in changed]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    measures = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True  # the warm-up measures the fastest kernels for these sizes
    try:
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                step()
                with torch.no_grad():  # now, because the next step reads its position from them
                    for tensor, value in before:
                        tensor.copy_(value)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            step()
    finally:
        torch.backends.cudnn.benchmark = measures  # smaller last batches are not worth it
    replay: Callable[[], None] = graph.replay
    return replay


def augmented(images: Tensor, maps: Tensor | None) -> Tensor:
    """Return uint8 `[B, 1, 28, 28]` as float32, 0 to 255, each picture transformed by its map `[B, 2, 3]`, if any.

    This comes before normalisation, so that new pixels from outside are black.
    """
    pictures = images.float()
    if maps is None:
        return pictures
    grid = F.affine_grid(maps, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False)
