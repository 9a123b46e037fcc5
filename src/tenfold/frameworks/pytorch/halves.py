"""Both halves of a batch at the same time, each on its own thread with half of the cores.

OpenMP divides every operation among the cores instead, and after each one waits for the slowest core. In a small
network the waiting takes as long as the second core saves. These threads wait for each other once a step.
"""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

SMALLEST = 32  # pictures in a half: norms need enough for their means
Pass = Callable[[nn.Sequential, Tensor], list[Tensor]]  # adds to the gradients; returns sums over the places


def can_halve(module: nn.Sequential, batch_size: int, device: str) -> bool:
    """Return True if batches of this size can be halved: on a CPU, with two threads, and without dropout.

    Dropout draws from one random generator, and which thread would draw first is not certain.
    """
    cores = device == "cpu" and torch.get_num_threads() > 1
    return cores and batch_size >= 2 * SMALLEST and not any(isinstance(part, nn.Dropout) for part in module.modules())


class Halves:
    """A module and its twin, which has the same weights but its own gradients and statistics.

    Norms normalise each half by its own mean and variance. The running ones are the means of both.
    """

    def __init__(self, module: nn.Sequential) -> None:
        self.module, self.twin = module, copy.deepcopy(module)
        for weight, twins in zip(module.parameters(), self.twin.parameters(), strict=True):
            twins.data = weight.data
        self.threads = torch.get_num_threads() // 2  # of each half
        self.executor = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(self.threads,))

    def __call__(self, compute: Pass, places: Tensor) -> list[Tensor]:
        """Compute both halves of the places `[B]`; leave the gradients in the module, and return the sums.

        Afterwards PyTorch still has half of its threads: the optimizer's small operations are faster so, and so are
        the next halves.
        """
        torch.set_num_threads(self.threads)
        if len(places) < 2 * SMALLEST:
            return compute(self.module, places)
        first, second = places.chunk(2)
        for running, others in zip(self.module.buffers(), self.twin.buffers(), strict=True):
            others.copy_(running)
        other = self.executor.submit(compute, self.twin, second)
        sums = compute(self.module, first)
        sums = [one + another for one, another in zip(sums, other.result(), strict=True)]
        self._merge()
        return sums

    @torch.no_grad()
    def _merge(self) -> None:
        for weight, twins in zip(self.module.parameters(), self.twin.parameters(), strict=True):
            if weight.grad is not None and twins.grad is not None:
                weight.grad.add_(twins.grad)
            twins.grad = None
        for running, others in zip(self.module.buffers(), self.twin.buffers(), strict=True):
            if running.is_floating_point():
                running.lerp_(others, 0.5)
