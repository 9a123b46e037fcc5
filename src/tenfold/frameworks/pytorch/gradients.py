"""Gradients with respect to pixels: adversarial attacks, and integrated gradients as the saliency of an answer.

Attacks are white-box and untargeted. Each pixel may change by at most a budget (L∞ norm), in pixel values 0 to 255.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.frameworks.pytorch.modules import logits, normaliser

STEPS = 10  # of PGD; 20 and 40 steps fool no more digits of `quick` and `standard`, within 2 in 100
REACH = 2.5  # total length of PGD's steps in budgets: enough to cross the allowed range and return
BATCH = 100  # pictures per pass of an attack, so that their maps stay in the processor's cache
POINTS = 32  # points of integrated gradients between black and the picture
EXPLAINED = 32  # pictures per pass, each at all its points


def accuracies(
    module: nn.Sequential, images: np.ndarray, labels: np.ndarray, dataset: str, budgets: Sequence[float]
) -> dict[str, list[float]]:
    """Return the accuracy under `FGSM` and `PGD` at each budget, for uint8 images `[N, 28, 28]`.

    The module comes from `build`. Each picture takes `STEPS` + 1 gradients per budget.
    """
    result = {}
    for name, attack in (("FGSM", fgsm), ("PGD", pgd)):
        worst = [attack(module, images, labels, dataset, budget) if budget else images for budget in budgets]
        result[name] = [float((logits(module, one, dataset).argmax(1) == labels).mean()) for one in worst]
    return result


def fgsm(module: nn.Sequential, images: np.ndarray, labels: np.ndarray, dataset: str, budget: float) -> np.ndarray:
    """Return pictures moved by a full budget along the sign of the gradient, float32 `[N, 28, 28]`.

    Source: Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples".
    """
    parts = []
    for pictures, target in _batches(module, images, labels):
        moved = pictures + budget * _gradient(module, pictures, target, dataset).sign()
        parts.append(moved.clamp(0, 255).squeeze(1).cpu())
    return torch.cat(parts).numpy()


def pgd(module: nn.Sequential, images: np.ndarray, labels: np.ndarray, dataset: str, budget: float) -> np.ndarray:
    """Return pictures after 10 steps of a quarter budget from a random start, each clipped to the budget.

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
    """Return float32 pixels `[B, 1, 28, 28]` and labels `[B]`, on the module's device."""
    device = next(module.parameters()).device
    pixels = torch.from_numpy(images).to(device).unsqueeze(1).float()
    return list(zip(pixels.split(BATCH), torch.from_numpy(labels).to(device).split(BATCH), strict=True))


def _gradient(module: nn.Sequential, pixels: Tensor, target: Tensor, dataset: str) -> Tensor:
    """Return the gradient of the loss with respect to the pixels, without changing the module's own gradients."""
    was_training = module.training
    module.eval()
    pixels = pixels.detach().requires_grad_()
    loss = F.cross_entropy(module(normaliser(dataset)(pixels)), target, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    module.train(was_training)
    return gradient


def integrated_gradients(module: nn.Sequential, images: np.ndarray, dataset: str) -> np.ndarray:
    """Return each pixel's share in the logit of the predicted class, float32 `[N, 28, 28]`, for uint8 images.

    A share is the gradient with respect to the pixel, averaged on the straight line from a black picture, times the
    pixel. Positive shares support the class, negative ones oppose it. The shares of a picture add up to its logit minus
    that of a black picture, up to the error of summing over 32 points. Source: Sundararajan et al. 2017.
    """
    device = next(module.parameters()).device
    normalise = normaliser(dataset)
    was_training = module.training
    module.eval()
    points = (torch.arange(POINTS, device=device).float() + 0.5) / POINTS  # the middle of each step
    shares = np.empty(images.shape, np.float32)
    for start in range(0, len(images), EXPLAINED):
        pixels = torch.from_numpy(images[start : start + EXPLAINED]).to(device).float()  # [B, 28, 28]
        with torch.no_grad():
            predicted = module(normalise(pixels.unsqueeze(1))).argmax(1)  # [B]
        way = (points.view(-1, 1, 1, 1) * pixels).flatten(0, 1).unsqueeze(1).requires_grad_()  # [32·B, 1, 28, 28]
        logits = module(normalise(way)).gather(1, predicted.repeat(POINTS).unsqueeze(1))
        (gradient,) = torch.autograd.grad(logits.sum(), way)
        mean = gradient.view(POINTS, *pixels.shape).mean(0)  # [B, 28, 28]
        shares[start : start + EXPLAINED] = (mean * pixels).cpu().numpy()
    module.train(was_training)
    return shares
