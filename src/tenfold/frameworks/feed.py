"""The pictures of each epoch in the order in which they are trained on: all from memory, or window after window.

Where the training set lies in memory, an epoch is one window of all of it, in a random order. Where it does not, single
pictures from all over a file would each cost a page of the disk, so the order is drawn twice: blocks of pictures that
lie side by side are permuted over the whole file, and dealt into windows; each window is read at once, and its pictures
are permuted. The next window is read while one is trained on. Every picture comes once an epoch, and an order follows
from the seed, the epoch and the number of the window alone, so training goes on from any step.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from tenfold import augment
from tenfold.data import mapped
from tenfold.data.split import Samples
from tenfold.recipes import Recipe

BLOCK = 128  # pictures side by side, 100 kB: disks read as much for one picture
WINDOW = 1 << 16  # pictures, 51 MB; two are in memory, and a third while one takes another's place


@dataclass(frozen=True)
class Window:
    """Pictures in memory, uint8 `[W, 28, 28]` and int64 `[W]`, and the steps that are trained on them.

    `order`, int64, are places in them, those of step `begin` first, `batch_size` a step; `maps`, float32 `[N, 2, 3]`,
    are theirs, if the recipe augments.
    """

    images: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    maps: np.ndarray | None
    begin: int
    batch_size: int
    steps: range

    def batch(self, step: int) -> slice:
        """Return where the pictures of a step are in `order` and `maps`."""
        start = (step - self.begin) * self.batch_size
        return slice(start, min(start + self.batch_size, len(self.order)))


def windows(recipe: Recipe, samples: Samples, first: int, last: int) -> Iterator[Window]:
    """Yield the windows of the steps from `first` up to `last`, one after the other."""
    per_epoch = recipe.steps_per_epoch(len(samples))
    if mapped.too_many(len(samples)):
        plan = _plan(per_epoch, max(1, WINDOW // recipe.batch_size), first, last)
        yield from _ahead(partial(_read, recipe, samples, *part) for part in plan)
    else:
        for epoch, _, begin, steps in _plan(per_epoch, per_epoch, first, last):
            order, maps = augment.epoch(recipe, len(samples), epoch)
            yield Window(samples.images, samples.labels, order, maps, begin, recipe.batch_size, steps)


def _plan(per_epoch: int, per_window: int, first: int, last: int) -> Iterator[tuple[int, int, int, range]]:
    """Yield the epoch, the number in it, the first step and the steps to take of each window."""
    while first < last:
        epoch, step = divmod(first, per_epoch)
        number = step // per_window
        begin = epoch * per_epoch + number * per_window
        end = min(begin + per_window, (epoch + 1) * per_epoch, last)
        yield epoch, number, begin, range(first, end)
        first = end


def _read(recipe: Recipe, samples: Samples, epoch: int, number: int, begin: int, steps: range) -> Window:
    """Return a window of pictures that are not in memory yet, in its own order and with its own maps."""
    size, per_epoch = recipe.batch_size, recipe.steps_per_epoch(len(samples))
    start = (begin - epoch * per_epoch) * size
    chosen = places(recipe.seed, len(samples), epoch, start, start + max(1, WINDOW // size) * size)
    rng = np.random.default_rng([recipe.seed, 1 + epoch, 1 + number])  # a last 0 would be as if it were not there
    order = rng.permutation(len(chosen))
    maps = augment.draw(recipe, len(chosen), rng) if recipe.augments else None
    images = mapped.picked(samples.images, chosen)
    return Window(images, samples.labels[chosen], order, maps, begin, size, steps)


def places(seed: int, count: int, epoch: int, start: int, stop: int) -> np.ndarray:
    """Return which of `count` pictures are from `start` up to `stop` in an epoch of permuted blocks, int64, sorted."""
    blocks = np.random.default_rng([seed, 1 + epoch]).permutation(-(-count // BLOCK)) * BLOCK
    ends = np.minimum(BLOCK, count - blocks).cumsum()  # of each block in the epoch; the file's last may be shorter
    first, last = np.searchsorted(ends, [start, min(stop, count) - 1], "right")
    laid = (blocks[first : last + 1, None] + np.arange(BLOCK)).ravel()
    before = ends[first - 1] if first else 0
    return np.sort(laid[laid < count][start - before : stop - before])


def _ahead(tasks: Iterator[Callable[[], Window]]) -> Iterator[Window]:
    """Yield what the tasks return; while a window is in use, a thread works at the one after it."""
    with ThreadPoolExecutor(1, "read-ahead") as reader:
        coming = None
        for task in tasks:
            ready, coming = coming, reader.submit(task)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()
