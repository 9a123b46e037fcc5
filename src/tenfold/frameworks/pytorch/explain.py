"""Which pixels spoke for an answer: integrated gradients, in a few plain lines."""

import numpy as np
import torch
from torch import nn

from tenfold.frameworks.pytorch.modules import normaliser

STEPS = 32  # points on the way from black to the picture
BATCH = 32  # pictures at once, each at all its points


def integrated_gradients(module: nn.Sequential, images: np.ndarray, dataset: str) -> np.ndarray:
    """Return each pixel's share in the logit of the predicted class, float32 `[N, 28, 28]`, for uint8 images.

    The gradient with respect to the pixel, averaged on the straight way from a black picture, times the pixel: positive
    spoke for the class, negative against it. A picture's shares add up to its logit less that of a black one, but for
    what the sum over 32 points misses of the integral. Source: Sundararajan et al. 2017.
    """
    device = next(module.parameters()).device
    normalise = normaliser(dataset)
    was_training = module.training
    module.eval()
    points = (torch.arange(STEPS, device=device).float() + 0.5) / STEPS  # the middle of each step
    shares = np.empty(images.shape, np.float32)
    for start in range(0, len(images), BATCH):
        pixels = torch.from_numpy(images[start : start + BATCH]).to(device).float()  # [B, 28, 28]
        with torch.no_grad():
            predicted = module(normalise(pixels.unsqueeze(1))).argmax(1)  # [B]
        way = (points.view(-1, 1, 1, 1) * pixels).flatten(0, 1).unsqueeze(1).requires_grad_()  # [32·B, 1, 28, 28]
        logits = module(normalise(way)).gather(1, predicted.repeat(STEPS).unsqueeze(1))
        (gradient,) = torch.autograd.grad(logits.sum(), way)
        mean = gradient.view(STEPS, *pixels.shape).mean(0)  # [B, 28, 28]
        shares[start : start + BATCH] = (mean * pixels).cpu().numpy()
    module.train(was_training)
    return shares
