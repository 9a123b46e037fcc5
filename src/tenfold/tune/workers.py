"""Worker processes of this machine: started, waited for, and never left behind."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from tenfold.errors import DataError, InterruptError, TenfoldError, UsageError
from tenfold.tune.worker import STOPPED, Orders, encoded

REFRESH = 0.5  # seconds between two looks
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Process:
    """A worker, and the file that all it says goes to."""

    popen: subprocess.Popen[bytes]
    said: IO[bytes]

    def tell(self, line: str) -> None:
        """Give the worker its orders."""
        with suppress(BrokenPipeError):  # it has ended already, and says why
            if self.popen.stdin:
                self.popen.stdin.write(line.encode())
                self.popen.stdin.flush()

    def stop(self) -> None:
        """End the worker's input, and so its work."""
        with suppress(BrokenPipeError):
            if self.popen.stdin:
                self.popen.stdin.close()

    @property
    def loss(self) -> TenfoldError | None:
        """Why the worker ended before its work did; None if it did not."""
        status = self.popen.returncode
        if not status:
            return None
        if status < 0:
            return TenfoldError(f"a worker was killed by signal {-status}; the same command goes on")
        self.said.seek(0)
        text = self.said.read().decode(errors="replace").strip()
        kinds = {kind.status: kind for kind in (TenfoldError, UsageError, DataError, InterruptError)}
        return kinds.get(status, TenfoldError)(text)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def started(orders: Sequence[Orders]) -> Iterator[list[Process]]:
    """Start a worker for each of `orders`; they share the cores, and when the block ends they stop and are waited for.

    What ends them is the end of their input, and not a signal: with the one that Ctrl-C sends to all processes of a
    terminal that would be the second, which does not wait for a trial to be put back.
    """
    environment = os.environ | dict.fromkeys(THREADS, str(max(1, cores() // max(1, len(orders)))))
    command = [sys.executable, "-m", "tenfold.tune.worker"]
    with ExitStack() as files:
        processes: list[Process] = []
        try:
            for one in orders:
                file = files.enter_context(tempfile.TemporaryFile())
                process = Process(
                    subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=file, stderr=file), file
                )
                processes.append(process)
                process.tell(encoded(one))
            yield processes
        finally:
            for process in processes:
                process.stop()
            for process in processes:
                process.popen.wait()


def wait(processes: list[Process], refresh: Callable[[], object]) -> list[TenfoldError]:
    """Wait for workers, calling `refresh` now and then; return why some ended early. `InterruptError` on Ctrl-C."""
    try:
        while alive := [process for process in processes if process.popen.poll() is None]:
            refresh()
            with suppress(subprocess.TimeoutExpired):
                alive[0].popen.wait(REFRESH)
    except KeyboardInterrupt:
        raise InterruptError(STOPPED) from None
    return [loss for process in processes if (loss := process.loss)]
