"""Build, train and run networks as `keras.Model` objects on TensorFlow. Tuned for the CPU.

Importing it raises `UsageError` if the environment variable `KERAS_BACKEND` names another backend.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tenfold.errors import UsageError


@contextmanager
def _silence() -> Iterator[None]:
    """Hide the messages of TensorFlow's native code on standard error while it is loaded."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise UsageError(f"KERAS_BACKEND must be tensorflow, got {os.environ['KERAS_BACKEND']}; unset KERAS_BACKEND")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # only errors
with _silence():
    from tenfold.frameworks.keras.device import choose_device, choose_precision, environment
    from tenfold.frameworks.keras.modules import build, logits
    from tenfold.frameworks.keras.training import prepare, train

__all__ = ["build", "choose_device", "choose_precision", "environment", "logits", "prepare", "train"]
