"""PyTorch: build a network, train it, run it. Tuned for the CPU; the same path on a GPU."""

from tenfold.frameworks.pytorch.device import choose_device, choose_precision, environment
from tenfold.frameworks.pytorch.gradients import integrated_gradients
from tenfold.frameworks.pytorch.modules import build, logits
from tenfold.frameworks.pytorch.training import prepare, train

__all__ = ["build", "choose_device", "choose_precision", "environment", "integrated_gradients"]
__all__ += ["logits", "prepare", "train"]
