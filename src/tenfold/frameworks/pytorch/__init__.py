"""Build, train and run networks in PyTorch. Tuned for the CPU; GPUs use the same code."""

from tenfold.frameworks.pytorch.device import choose_device, choose_precision, environment
from tenfold.frameworks.pytorch.gradients import integrated_gradients
from tenfold.frameworks.pytorch.modules import build, logits
from tenfold.frameworks.pytorch.training import prepare, train

__all__ = ["build", "choose_device", "choose_precision", "environment", "integrated_gradients"]
__all__ += ["logits", "prepare", "train"]
