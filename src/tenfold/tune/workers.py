"""Worker processes of this machine: started, waited for, and never left behind."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from tenfold.errors import DataError, InterruptError, TenfoldError, UsageError
from tenfold.tune.worker import STOPPED, Orders, encoded

REFRESH = 0.5  # seconds between two looks
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Process:
    """A worker, and the file that its standard error goes to."""

    popen: subprocess.Popen[bytes]
    errors: IO[bytes]

    @property
    def loss(self) -> TenfoldError | None:
        """Why the worker ended before its work did; None if it did not."""
        status = self.popen.returncode
        if not status:
            return None
        if status < 0:
            return TenfoldError(f"a worker was killed by signal {-status}; the same command goes on")
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        kinds = {kind.status: kind for kind in (TenfoldError, UsageError, DataError, InterruptError)}
        return kinds.get(status, TenfoldError)(text)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def started(orders: Orders, jobs: int) -> Iterator[list[Process]]:
    """Start workers that share the cores; when the block ends they are told to stop, and waited for."""
    environment = os.environ | dict.fromkeys(THREADS, str(orders.threads))
    command = [sys.executable, "-m", "tenfold.tune.worker"]
    with ExitStack() as files:
        errors = [files.enter_context(tempfile.TemporaryFile()) for _ in range(jobs)]
        processes = [
            Process(subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=file), file)
            for file in errors
        ]
        try:
            for process in processes:
                if process.popen.stdin is not None:
                    with suppress(BrokenPipeError):  # it has ended already, and says why
                        process.popen.stdin.write(encoded(orders).encode())
                        process.popen.stdin.flush()
            yield processes
        finally:
            for process in processes:
                process.popen.terminate()
            for process in processes:
                process.popen.communicate()


def wait(processes: list[Process], refresh: Callable[[], object]) -> list[TenfoldError]:
    """Wait for workers, calling `refresh` now and then; return why some ended early. `InterruptError` on Ctrl-C."""
    try:
        while any(process.popen.poll() is None for process in processes):
            refresh()
            time.sleep(REFRESH)
    except KeyboardInterrupt:
        raise InterruptError(STOPPED) from None
    return [loss for process in processes if (loss := process.loss)]
