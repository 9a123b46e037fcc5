"""Run tasks in parallel: in this process, in worker processes of this machine, or on a Dask cluster.

A task is a function without arguments; it and its result can be pickled. If the worker of a task dies, the task is
submitted again, at most twice. No worker outlives this process.
"""

import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from tenfold import extras, machine
from tenfold.errors import TenfoldError
from tenfold.progress import Progress

LOCAL = "local"  # in place of an address: start a scheduler on this machine
RETRIES = 2  # for a task whose worker died
CONNECT_TIMEOUT = 10  # seconds to connect to a scheduler
REFRESH = 5.0  # seconds between two counts of a cluster's workers
WORKER = 500_000_000  # bytes of an idle worker process: the interpreter, a framework, a dataset
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
ALONE = threading.RLock()  # for tasks that must run one at a time: PyTorch's random state is per process

K = TypeVar("K")
T = TypeVar("T")
Task = Callable[[], T]


class KilledError(TenfoldError):
    """Every worker that tried a task died."""

    def __init__(self) -> None:
        super().__init__(
            f"a task was abandoned: its worker died {1 + RETRIES} times, perhaps out of memory; "
            "run the same command to resume"
        )


def affordable(jobs: int | None, scheduler: str | None, each: int, progress: Progress) -> int:
    """Return the number of processes to start on this machine: `jobs` (default: one per core) or fewer.

    Each takes `each` bytes besides `WORKER`. If cores or memory do not suffice for all, a line says so. A cluster
    elsewhere has its own workers.
    """
    jobs, cores, memory = jobs or machine.cores(), machine.cores(), machine.memory()
    if scheduler not in (None, LOCAL):
        return jobs
    most = max(1, min(cores, memory // (WORKER + each)))
    if jobs > most:
        progress.line(
            f"starting {most} of {jobs:,} processes: this machine has {cores} cores and "
            f"{machine.gigabytes(memory)} of memory, and each process takes {machine.gigabytes(WORKER + each)}"
        )
    return min(jobs, most)


@contextmanager
def started(jobs: int, scheduler: str | None = None) -> Iterator["Pool"]:
    """Yield a pool of `jobs` processes that share the cores, or of the workers of the Dask cluster at `scheduler`.

    With one job, tasks run in this process. "local" starts `jobs` Dask workers on this machine. When the block ends,
    running tasks are stopped. Raises `TenfoldError` if no scheduler answers.
    """
    if scheduler is not None:
        extras.require("cluster", "a cluster")
        with _client(jobs, scheduler) as client:
            yield Pool(client.get_executor(pure=False), _counted(client), scheduler)
    elif jobs == 1:
        yield HERE
    else:
        with _Processes(jobs) as executor:
            yield Pool(executor, lambda: jobs)


@dataclass(frozen=True)
class Pool:
    """An executor (None: this process), the number of tasks it runs at the same time, and the address of a cluster."""

    executor: Executor | None
    slots: Callable[[], int]
    scheduler: str | None = None

    def call(self, task: Task[T]) -> T:
        """Run one task and return its result."""
        return self.begin(task)()

    def begin(self, task: Task[T]) -> Callable[[], T]:
        """Start a task in a worker and return a function that waits for its result.

        Without workers, that function runs the task.
        """
        return task if self.executor is None else partial(self._result, self.executor.submit(task))

    def completed(
        self, next_task: Callable[[], tuple[K, Task[T]] | None], ahead: int = 1
    ) -> Iterator[tuple[K, Callable[[], T]]]:
        """Run tasks with keys; yield the key of each finished task, and a function that returns its result or raises.

        At most `ahead` unfinished tasks per slot are submitted. `next_task` returns None if it has no task now. The
        iterator ends when it has none and all submitted tasks are finished.
        """
        running: dict[Future[T], K] = {}
        while True:
            while (self.executor is None or len(running) < ahead * self.slots()) and (keyed := next_task()):
                key, task = keyed
                if self.executor is None:
                    yield key, task
                else:
                    running[self.executor.submit(task)] = key
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), partial(self._result, future)

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except CancelledError:
            raise TenfoldError(f"lost the scheduler at {self.scheduler}; run the same command to resume") from None
        except ImportError as error:
            if self.scheduler is None:
                raise
            raise TenfoldError(f"a worker lacks a package: {error}; run there: {extras.hint('cluster')}") from None
        except Exception as error:
            if type(error).__name__ == "KilledWorker":  # Dask's
                raise KilledError from None
            raise


HERE = Pool(None, lambda: 1)  # tasks run in this process


# Not loky or the standard library's pool: when one worker is killed, they fail every task, so nobody knows which task
# killed it, and their workers outlive a killed parent until the task ends. Tried with loky 3.6: all of four tasks
# failed, and a worker was alive 8 s after the parent's SIGKILL. Loky would also be new to the base installation.
class _Processes(ThreadPoolExecutor):
    """Threads with one worker process each, so that a killed worker does not fail other tasks."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        self.environment = os.environ | dict.fromkeys(THREADS, str(max(1, machine.cores() // jobs)))
        self.of_thread = threading.local()
        self.workers: list[subprocess.Popen[bytes]] = []
        self.starting, self.closed = threading.Lock(), False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Submit a task to the next free worker."""
        return super().submit(self._run, pickle.dumps(partial(fn, *args, **kwargs)))

    def _run(self, task: bytes) -> Any:
        for _ in range(1 + RETRIES):
            worker: Any = getattr(self.of_thread, "worker", None) or self._start()
            self.of_thread.worker = worker
            try:
                pickle.dump(task, worker.stdin)
                worker.stdin.flush()
                answer = pickle.load(worker.stdout)  # noqa: S301
            except (EOFError, OSError, pickle.UnpicklingError):  # it was killed
                worker.kill()
                worker.wait()
                self.of_thread.worker = None
                continue
            succeeded, value = pickle.loads(answer)  # noqa: S301
            if succeeded:
                return value
            raise value
        raise KilledError

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.starting:
            if self.closed:
                raise CancelledError
            # In its own session, Ctrl-C does not reach the worker; it ends when its standard input ends.
            command, pipe = [sys.executable, "-m", "tenfold.pool"], subprocess.PIPE
            worker = subprocess.Popen(command, env=self.environment, stdin=pipe, stdout=pipe, start_new_session=True)
            self.workers.append(worker)
            return worker

    def __exit__(self, *_: object) -> None:
        """Kill the workers. Running the same command again repeats their unfinished tasks."""
        with self.starting:
            self.closed = True
            for worker in self.workers:
                worker.kill()
        self.shutdown(cancel_futures=True)
        for worker in self.workers:
            with suppress(BrokenPipeError), worker:
                pass


@contextmanager
def _client(jobs: int, scheduler: str) -> Iterator[Any]:
    """Yield a client of the scheduler at an address, or of one that is started here and ends with the block."""
    from distributed import Client, LocalCluster

    with ExitStack() as opened:
        cluster: Any = scheduler
        if scheduler == LOCAL:
            # A free port; with None, distributed asks for 8787 and warns if another cluster has it.
            settings = {"dashboard_address": "127.0.0.1:0", "memory_limit": None, "silence_logs": 40}
            cluster = opened.enter_context(LocalCluster(n_workers=jobs, threads_per_worker=1, **settings))
        try:
            client = opened.enter_context(Client(cluster, timeout=CONNECT_TIMEOUT, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise TenfoldError(f"no Dask scheduler answers at {scheduler}: {error}") from None
        try:
            yield client
        finally:
            if scheduler == LOCAL:  # a cluster that is closed while it replaces a dead worker fails
                with suppress(TimeoutError, OSError):
                    client.wait_for_workers(jobs, CONNECT_TIMEOUT)


def _counted(client: Any) -> Callable[[], int]:
    """Return a function that returns the current number of threads of a cluster's workers."""
    count, asked = 1, -REFRESH

    def threads() -> int:
        nonlocal count, asked
        if time.monotonic() - asked >= REFRESH:
            try:
                count, asked = max(1, sum(client.nthreads().values())), time.monotonic()
            except OSError as error:
                raise TenfoldError(f"lost the scheduler: {error}; run the same command to resume") from None
        return count

    return threads


def _work() -> None:
    """Run the tasks that arrive on standard input, and write their results to standard output."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # text that a library prints is not a result
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()
    while True:
        try:
            answer = pickle.dumps((True, pickle.loads(tasks.get())()))  # noqa: S301
        except Exception as error:
            if not isinstance(error, TenfoldError):
                error.add_note(traceback.format_exc())
            answer = pickle.dumps((False, error))
        pickle.dump(answer, results)
        results.flush()


def _receive(tasks: SimpleQueue[bytes]) -> None:
    """Read tasks until the parent ends; then end at once, even in the middle of a task."""
    try:
        while True:
            tasks.put(pickle.load(sys.stdin.buffer))  # noqa: S301
    finally:
        os._exit(0)


if __name__ == "__main__":
    _work()
