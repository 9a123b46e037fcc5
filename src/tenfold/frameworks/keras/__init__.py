"""Keras on TensorFlow: build a network as a `keras.Model`, train it, run it. Tuned for the CPU.

Importing it raises `UsageError` where the environment (`KERAS_BACKEND`) names another backend.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tenfold.errors import UsageError


@contextmanager
def _silence() -> Iterator[None]:
    """Hide what TensorFlow's native code writes to standard error while it is loaded."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise UsageError(f"Tenfold runs Keras on TensorFlow, not on {os.environ['KERAS_BACKEND']}; unset KERAS_BACKEND")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors alone
with _silence():
    from tenfold.frameworks.keras.device import choose_device, choose_precision, environment
    from tenfold.frameworks.keras.modules import build, logits
    from tenfold.frameworks.keras.training import prepare, train

__all__ = ["build", "choose_device", "choose_precision", "environment", "logits", "prepare", "train"]
