"""Adversarial pictures: the least visible change that the network itself says is worst.

White-box and untargeted, within a budget on each pixel (the L∞ norm) in pixel values, 0 to 255, and never outside
them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.frameworks.pytorch.modules import logits, normaliser

BUDGETS = (0, 4, 8, 16, 24, 32, 48)  # of 255; digits stay easy to read for people at all of them
STEPS = 10  # of PGD; 20 and 40 fool no more digits of `quick` and `standard`, within 2 in 100
REACH = 2.5  # budgets that PGD's steps would go in a straight line: enough to cross the box and turn round
BATCH = 100  # pictures a pass: their maps stay in the cache


def accuracies(
    module: nn.Sequential, images: np.ndarray, labels: np.ndarray, dataset: str, budgets: Sequence[float] = BUDGETS
) -> dict[str, list[float]]:
    """Return the accuracy under `FGSM` and `PGD` at each budget, for uint8 images `[N, 28, 28]`.

    The module is what `build` returned; a picture costs `STEPS` + 1 gradients at each budget.
    """
    result = {}
    for name, attack in (("FGSM", fgsm), ("PGD", pgd)):
        worst = [attack(module, images, labels, dataset, budget) for budget in budgets]
        result[name] = [float((logits(module, one, dataset).argmax(1) == labels).mean()) for one in worst]
    return result


def fgsm(module: nn.Sequential, images: np.ndarray, labels: np.ndarray, dataset: str, budget: float) -> np.ndarray:
    """Return pictures a whole budget along the gradient's sign, float32 `[N, 28, 28]`.

    Source: Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples".
    """
    parts = []
    for pictures, target in _batches(module, images, labels):
        moved = pictures + budget * _gradient(module, pictures, target, dataset).sign()
        parts.append(moved.clamp(0, 255).squeeze(1).cpu())
    return torch.cat(parts).numpy()


def pgd(module: nn.Sequential, images: np.ndarray, labels: np.ndarray, dataset: str, budget: float) -> np.ndarray:
    """Return pictures after 10 steps of a quarter budget from a random start, each cut back into the budget.

    Float32 `[N, 28, 28]`. Source: Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks".
    """
    parts = []
    generator = torch.Generator().manual_seed(0)  # on the CPU: the same start on every device
    for pictures, target in _batches(module, images, labels):
        low, high = (pictures - budget).clamp(min=0), (pictures + budget).clamp(max=255)
        start = torch.rand(pictures.shape, generator=generator).to(pictures.device)
        moved = low + (high - low) * start
        for _ in range(STEPS):
            moved = moved + budget * REACH / STEPS * _gradient(module, moved, target, dataset).sign()
            moved = moved.clamp(low, high)
        parts.append(moved.squeeze(1).cpu())
    return torch.cat(parts).numpy()


def _batches(module: nn.Sequential, images: np.ndarray, labels: np.ndarray) -> list[tuple[Tensor, Tensor]]:
    """Return float32 pixels `[B, 1, 28, 28]` and labels `[B]`, where the module is."""
    device = next(module.parameters()).device
    pixels = torch.from_numpy(images).to(device).unsqueeze(1).float()
    return list(zip(pixels.split(BATCH), torch.from_numpy(labels).to(device).split(BATCH), strict=True))


def _gradient(module: nn.Sequential, pixels: Tensor, target: Tensor, dataset: str) -> Tensor:
    """Return the loss's gradient with respect to the pixels; the module's own gradients are left alone."""
    was_training = module.training
    module.eval()
    pixels = pixels.detach().requires_grad_()
    loss = F.cross_entropy(module(normaliser(dataset)(pixels)), target, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    module.train(was_training)
    return gradient
