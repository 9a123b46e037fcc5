"""Several processes train one network: each takes its share of every batch, and gradients are averaged over all.

The steps are those of one process, of the same batches in the same order with the same maps. Two things differ: batch
norm takes its statistics of each process's share (the running ones are averaged at every step), and each process has
its own dropout. All that is averaged travels in one message a step, so weights are the same in all processes, always.
"""

import atexit
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from tenfold.errors import TenfoldError

LEAST = 2  # pictures a process: batch norm has no statistics of one


@dataclass(frozen=True)
class Group:
    """The processes that train together, and which of them this one is; alone it does nothing."""

    rank: int = 0
    size: int = 1

    def part(self, batch: slice) -> slice:
        """Return this process's part of a batch; of a last one that is too small to share, each has the whole."""
        count = batch.stop - batch.start
        if count < LEAST * self.size:
            return batch
        return slice(*(batch.start + count * number // self.size for number in (self.rank, self.rank + 1)))

    def merge(
        self, tensors: Sequence[Tensor], batch: slice, loss: Tensor, correct: Tensor, stop: bool
    ) -> tuple[Tensor, Tensor, bool]:
        """Average over the processes what they made of their shares of a batch, each weighted by its share.

        That is the gradient of those `tensors` that have one, and the others themselves. Returns the mean loss and the
        number of correct answers of the whole batch, and whether any process was told to stop.
        """
        mine, whole = self.part(batch), batch.stop - batch.start
        count = mine.stop - mine.start
        report = torch.stack([loss, correct / count, torch.tensor(float(stop))])
        averaged = [*(t if t.grad is None else t.grad for t in tensors), report]
        flat = torch.cat([tensor.reshape(-1) for tensor in averaged])
        flat *= 1 / self.size if mine == batch else count / whole
        with _neighbours_alive():
            distributed.all_reduce(flat)
        for tensor, part in zip(averaged, flat.split([tensor.numel() for tensor in averaged]), strict=True):
            tensor.copy_(part.view(tensor.shape))
        return report[0], (report[1] * whole).round().long(), bool(report[2] > 0)


def group() -> Group:
    """Return the processes that have come together, or this one alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Group()
    return Group(distributed.get_rank(), distributed.get_world_size())


def hand_out(orders: Any = None) -> Any:
    """Come together with the other processes, and return the orders that the first of them gives."""
    with _neighbours_alive():
        distributed.init_process_group("gloo")
        atexit.register(distributed.destroy_process_group)  # its threads, still running at the end, abort the process
        box = [orders]
        distributed.broadcast_object_list(box, src=0)
    return box[0]


@contextmanager
def _neighbours_alive() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        lost = re.search(r"[Cc]onnection [a-z ]+ by peer", str(error))  # gloo says much before and after
        reason = lost[0] if lost else str(error).splitlines()[0]
        raise TenfoldError(
            f"another of the processes that train together has ended ({reason}); what the run folder has of the "
            "training stands.\nStart all of them again, with --resume"
        ) from None
