"""Keras: build a network as a `keras.Model` and run it; with TensorFlow below it, train it. Tuned for the CPU.

The backend is TensorFlow unless the environment (`KERAS_BACKEND`) says otherwise before Keras is first imported. On
another one, JAX say, a network is built and answers just the same, but the training loop is TensorFlow's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _silence() -> Iterator[None]:
    """Keep from the user what TensorFlow's native code says to standard error of itself while it is loaded."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors alone
with _silence():
    import keras

from tenfold.frameworks.keras.modules import build, logits

__all__ = ["build", "logits"]

if keras.config.backend() == "tensorflow":
    from tenfold.frameworks.keras.machine import choose_device, choose_precision, environment
    from tenfold.frameworks.keras.training import prepare, train

    __all__ += ["choose_device", "choose_precision", "environment", "prepare", "train"]
