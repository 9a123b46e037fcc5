"""Shards answered on this machine: a process a core, each with one thread for the model and one that reads ahead.

A process that is killed ends the job; what was done stays done. None outlives the command, whatever ends it.
"""

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from typing import Any

from tenfold.errors import TenfoldError
from tenfold.score.shard import Counts, Orders, StoppedError, answer_planned

AHEAD = 2  # shards a process that are handed out: while one is done, the next is there

Numbered = tuple[int, int]  # a shard, and the byte at which its line of the plan begins

# What a worker process was told when it started: the orders, and how it learns that the work was stopped.
_TOLD: dict[str, Any] = {}


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(orders: Orders, shards: Iterable[Numbered], jobs: int) -> Generator[tuple[int, Counts], None, None]:
    """Yield the number and the counts of each shard as it is done, by `jobs` processes; one is this process itself."""
    if jobs == 1:
        for number, offset in shards:
            yield number, answer_planned(orders, number, offset)
        return
    context = get_context("spawn")  # a fork would copy the locks of threads
    stopped, others = context.Event(), set(active_children())
    left = iter(shards)
    pool = ProcessPoolExecutor(jobs, context, _begin, (orders, stopped))
    waiting: dict[Future[Counts], int] = {}
    try:
        with _deaf():
            waiting.update(_handed(pool, left, AHEAD * jobs))
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()
            waiting.update(_handed(pool, left, len(done)))
    except BrokenProcessPool:
        for process in set(active_children()) - others:  # the pool forgets those that were just being started
            process.kill()
        raise TenfoldError(
            "a process that answered pictures was killed; had the machine no memory left?\n"
            "What is done is kept; the same command goes on"
        ) from None
    except BaseException:
        stopped.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _handed(pool: ProcessPoolExecutor, left: Iterator[Numbered], count: int) -> dict[Future[Counts], int]:
    return {pool.submit(_answer, number, offset): number for number, offset in islice(left, count)}


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that a Ctrl-C does not reach: the terminal sends it to all, and this one tells the others."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(orders: Orders, stopped: Any) -> None:
    """Prepare a worker process: it ends with its parent, even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _TOLD.update(orders=orders, stopped=stopped)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(number: int, offset: int) -> Counts:
    try:
        return answer_planned(_TOLD["orders"], number, offset, _TOLD["stopped"].is_set)
    except StoppedError:
        return {}
