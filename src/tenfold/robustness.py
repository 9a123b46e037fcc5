"""Accuracy under ten perturbations at five strengths each.

Functions of uint8 arrays `[N, 28, 28]`, white on black, 0 to 255. All randomness comes from a seeded generator, so
every model gets the same pictures. Based on Hendrycks and Dietterich 2019 ("Benchmarking Neural Network Robustness to
Common Corruptions and Perturbations"), with perturbations that suit written characters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tenfold.data.split import Samples


@dataclass(frozen=True)
class Perturbation:
    """A perturbation: `apply(images, strength, rng)` returns changed pictures. It has five increasing `strengths`.

    A strength of 0 changes nothing.
    """

    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    strengths: tuple[float, float, float, float, float]
    unit: str


def shift(images: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """Move each picture by `pixels` in a random direction; new pixels are black."""
    angle = rng.uniform(0, 2 * np.pi, len(images))
    return _mapped(images, _rotations(np.zeros(len(images))), pixels * np.array([np.sin(angle), np.cos(angle)]).T)


def rotate(images: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """Rotate each picture around its centre, to the left or to the right at random."""
    return _mapped(images, _rotations(np.radians(degrees) * _signs(images, rng)))


def scale(images: np.ndarray, percent: float, rng: np.random.Generator) -> np.ndarray:
    """Enlarge each picture, or shrink it by the same factor, at random: 100 percent is twice or half the size."""
    factor = (1 + percent / 100) ** _signs(images, rng)
    return _mapped(images, np.eye(2) / factor[:, None, None])


def blur(images: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Blur with a Gaussian of standard deviation `sigma` pixels."""
    return _pixels(ndimage.gaussian_filter(images.astype(np.float32), (0, sigma, sigma), mode="constant"))


def noise(images: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise of that standard deviation, in pixel values, to each pixel."""
    return _pixels(images + np.float32(deviation) * rng.standard_normal(images.shape, np.float32))


def thicken(images: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """Widen strokes by `pixels` on each side: grey dilation with a disc, blended between whole numbers of pixels."""
    whole = int(pixels)
    thinner, thicker = (_dilated(images, radius).astype(np.float32) for radius in (whole, whole + 1))
    return _pixels(thinner + (thicker - thinner) * np.float32(pixels - whole))


def thin(images: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """Narrow strokes by `pixels` on each side: grey erosion, which is dilation of the background."""
    return 255 - thicken(255 - images, pixels, rng)


def contrast(images: np.ndarray, lost: float, rng: np.random.Generator) -> np.ndarray:
    """Move each pixel towards the mean of its picture by a share `lost` of the difference."""
    mean = images.mean((1, 2), keepdims=True, dtype=np.float32)
    return _pixels(images + (mean - images) * np.float32(lost))


def occlude(images: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """Set a square of `side` pixels at a random position in the picture to black."""
    size = images.shape[1]
    top, left = rng.integers(0, size - int(side) + 1, (2, len(images), 1))
    at = np.arange(size)
    rows, columns = ((start <= at) & (at < start + int(side)) for start in (top, left))  # [N, 28] each
    return np.where(rows[:, :, None] & columns[:, None, :], np.uint8(0), images)


def invert(images: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Blend with the negative: a share of 0.5 is uniform grey, 1 is black on white."""
    return _pixels(images + (255 - 2 * images.astype(np.float32)) * np.float32(share))


PERTURBATIONS = {
    "shift": Perturbation(shift, (1, 2, 3, 4, 6), "pixels"),
    "rotation": Perturbation(rotate, (10, 20, 30, 45, 60), "degrees"),
    "scale": Perturbation(scale, (10, 20, 35, 50, 75), "% larger or smaller"),
    "blur": Perturbation(blur, (0.5, 1, 1.5, 2, 2.5), "σ in pixels"),
    "noise": Perturbation(noise, (25, 50, 75, 100, 150), "σ in pixel values"),
    "thick strokes": Perturbation(thicken, (0.5, 1, 1.5, 2, 3), "pixels per side"),
    "thin strokes": Perturbation(thin, (0.25, 0.5, 0.75, 1, 1.25), "pixels per side"),
    "contrast": Perturbation(contrast, (0.2, 0.4, 0.6, 0.8, 0.9), "share lost"),
    "occlusion": Perturbation(occlude, (4, 6, 8, 10, 12), "pixels per side"),
    "inversion": Perturbation(invert, (0.05, 0.1, 0.2, 0.4, 1), "share of the negative"),
}


def perturbed(images: np.ndarray, name: str, seed: int = 0) -> np.ndarray:
    """Return the images unchanged and at the five strengths of a perturbation, uint8 `[6, N, 28, 28]`."""
    perturbation = PERTURBATIONS[name]
    kind = list(PERTURBATIONS).index(name)
    spoilt = [
        perturbation.apply(images, strength, np.random.default_rng([seed, kind, level]))
        for level, strength in enumerate(perturbation.strengths)
    ]
    return np.stack([images, *spoilt])


def curves(logits_of: Callable[[np.ndarray], np.ndarray], samples: Samples, seed: int = 0) -> dict[str, np.ndarray]:
    """Return a model's accuracies under each perturbation, float64 `[6]`: unchanged, then at five strengths.

    `logits_of` is any function from uint8 images `[N, 28, 28]` to logits `[N, classes]`.
    """
    clean = float((logits_of(samples.images).argmax(1) == samples.labels).mean())
    result = {}
    for name in PERTURBATIONS:
        spoilt = perturbed(samples.images, name, seed)[1:]
        right = logits_of(spoilt.reshape(-1, *samples.images.shape[1:])).argmax(1).reshape(len(spoilt), -1)
        result[name] = np.array([clean, *(right == samples.labels).mean(1)])
    return result


def _mapped(images: np.ndarray, linear: np.ndarray, offset: np.ndarray | None = None) -> np.ndarray:
    """Return images whose pixel at p, from the centre, is read at linear · p + offset, `[N, 2, 2]` and `[N, 2]` (y, x).

    Bilinear; pixels outside are black.
    """
    count, height, width = images.shape
    middle = np.array([height - 1, width - 1]) / 2
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")) - middle[:, None, None]
    at = np.einsum("nij,jhw->inhw", linear, grid) + middle[:, None, None, None]  # [2, N, 28, 28]
    if offset is not None:
        at -= offset.T[:, :, None, None]
    picture = np.broadcast_to(np.arange(count)[:, None, None], images.shape)
    return _pixels(ndimage.map_coordinates(images.astype(np.float32), [picture, *at], order=1, mode="constant"))


def _rotations(angle: np.ndarray) -> np.ndarray:
    """Radians `[N]` -> matrices `[N, 2, 2]`."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)


def _signs(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return -1 or 1 per picture, float64 `[N]`."""
    signs: np.ndarray = rng.integers(0, 2, len(images)) * 2.0 - 1
    return signs


def _dilated(images: np.ndarray, radius: int) -> np.ndarray:
    """Return the largest neighbour of each pixel within `radius`, ignoring positions beyond the border."""
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = rows**2 + columns**2 <= radius**2
    dilated: np.ndarray = ndimage.grey_dilation(images, footprint=disc[None], mode="constant", cval=0)
    return dilated


def _pixels(values: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels
