"""Other processes: to start them for as long as a test takes, and to wait until they have done something."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


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
