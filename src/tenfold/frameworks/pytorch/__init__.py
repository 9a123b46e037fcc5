"""PyTorch: build a network, train it, run it. Tuned for the CPU; the same path on a GPU."""

from tenfold.frameworks.pytorch import attack
from tenfold.frameworks.pytorch.explain import integrated_gradients
from tenfold.frameworks.pytorch.machine import choose_device, choose_precision, environment
from tenfold.frameworks.pytorch.modules import build, load_weights, logits, weights_of
from tenfold.frameworks.pytorch.training import prepare, train

__all__ = [
    "attack",
    "build",
    "choose_device",
    "choose_precision",
    "environment",
    "integrated_gradients",
    "load_weights",
    "logits",
    "prepare",
    "train",
    "weights_of",
]
