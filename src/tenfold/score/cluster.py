"""Shards answered by Dask: on a cluster that runs somewhere, or on processes that it starts on this machine.

Dask schedules, notices workers that die, and gives their shards to others. Here is only what bounds the client: it
holds as many shards as the workers can be busy with.
"""

import logging
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from tenfold import extras
from tenfold.errors import TenfoldError
from tenfold.score.machine import Numbered
from tenfold.score.shard import Counts, Orders, answer_planned, part_path

LOCAL = "local"  # an address that stands for this machine
PATIENCE = 10  # seconds to reach a scheduler
AHEAD = 3  # shards a thread of a worker: two wait for it
RETRIES = 2  # of a shard whose storage failed for a moment
LOOK = 5.0  # seconds between two questions how many workers there are


def run(
    orders: Orders, shards: Iterable[Numbered], scheduler: str, jobs: int
) -> Generator[tuple[int, Counts], None, None]:
    """Yield the number and the counts of each shard as it is done by the workers of a scheduler.

    Raises `TenfoldError` where none answers at that address, where a shard killed each worker that tried it, and where
    a worker writes to a folder that this machine does not see.
    """
    from distributed import as_completed

    left = iter(shards)
    with _client(scheduler, jobs) as client:
        # A task of its own, so that its result goes to each worker once, and is made anew where that is lost.
        told = client.submit(_same, orders, pure=False)
        numbers: dict[str, int] = {}
        done: Any = as_completed(loop=client.loop)
        room, asked = 0, -LOOK
        while True:
            if time.monotonic() - asked >= LOOK:
                room, asked = AHEAD * max(1, sum(client.nthreads().values())), time.monotonic()
            for number, offset in islice(left, max(0, room - len(numbers))):
                future = client.submit(_answer, told, number, offset, pure=False, retries=RETRIES)
                numbers[future.key] = number
                done.add(future)
            if not numbers:
                return
            future = next(done)
            number = numbers.pop(future.key)
            yield number, _result(orders, number, future)


def _result(orders: Orders, number: int, future: Any) -> Counts:
    """Return the counts of a shard that is done; `TenfoldError` where it cannot be, or is not where it should be."""
    from distributed import KilledWorker

    try:
        counts: Counts = future.result()
    except KilledWorker:
        raise TenfoldError(
            f"shard {number} was given up: every worker that tried it died, of too little memory?\n"
            "What is done is kept; the same command goes on"
        ) from None
    except ImportError as error:
        raise TenfoldError(f"a worker lacks a package: {error}; there: {extras.hint('cluster')}") from None
    if not part_path(Path(orders.out), number).is_file():
        raise TenfoldError(f"a worker wrote to a {orders.out} that is not the one here; all machines must see it")
    return counts


def _client(scheduler: str, jobs: int) -> Any:
    """Return a client of the scheduler at an address, or of one that runs here as long as the client does."""
    from distributed import Client, LocalCluster

    if scheduler != LOCAL:
        try:
            return Client(scheduler, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise TenfoldError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    settings = {"dashboard_address": None, "memory_limit": None, "silence_logs": logging.ERROR}
    return _Here(LocalCluster(n_workers=jobs, threads_per_worker=1, **settings))


class _Here(ExitStack):
    """A client and the cluster that ends with it."""

    def __init__(self, cluster: Any) -> None:
        super().__init__()
        self.cluster = cluster

    def __enter__(self) -> Any:
        """Return the client."""
        from distributed import Client

        self.enter_context(self.cluster)
        return self.enter_context(Client(self.cluster, set_as_default=False))


def _same(orders: Orders) -> Orders:
    return orders


def _answer(orders: Orders, number: int, offset: int) -> Counts:
    return answer_planned(orders, number, offset)
