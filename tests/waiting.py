"""Waiting for what other processes do: until it is so, and not for a time that somebody guessed."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

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
