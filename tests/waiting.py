"""Other processes, started for as long as a test takes; waits until something is done; interruptions."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from tenfold.progress import Progress

Result = TypeVar("Result")


class Spy(Progress):
    """Keeps what was said, and presses Ctrl-C after so many lines."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.lines: list[str] = []
        self.stop_after = stop_after

    def line(self, text: str) -> None:
        self.lines.append(text)
        if len(self.lines) == self.stop_after:
            os.kill(os.getpid(), signal.SIGINT)


def until(
    condition: Callable[[], Result], process: subprocess.Popen[str] | None = None, patience: float = 60
) -> Result:
    """Return what a condition gives as soon as it gives something; a process that ends before is a failure.

    So is that it takes longer than `patience`, in seconds, which nothing does if all is well.
    """
    deadline = time.monotonic() + patience
    while not (result := condition()):
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    return result


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program and wait for its end, as `Popen` does; but where the test fails, nobody waits: it is killed."""
    with subprocess.Popen(command, **how) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


@contextmanager
def interrupted(step: int) -> Iterator[None]:
    """Send this process a Ctrl-C while a network of PyTorch is in this step of its training."""
    from torch import nn

    steps = itertools.count(1)

    def count(module: nn.Module, _: object) -> None:
        if isinstance(module, nn.Sequential) and module.training and next(steps) == step:
            os.kill(os.getpid(), signal.SIGINT)

    hook = nn.modules.module.register_module_forward_pre_hook(count)
    try:
        yield
    finally:
        hook.remove()
