"""Grey pictures as arrays: reduce them, cut them out, resize them, fit a plane; and the measures of MNIST's."""

import numpy as np
from PIL import Image

SIDE = 28
BOX = 20  # the longer side of a digit
CENTRE = 14  # the pixel of the centre of mass, counted from 0
TOUCHING = np.ones((3, 3), bool)  # neighbours of a pixel, including diagonal ones


def reduced(values: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of squares of `factor` pixels, float32; squares at the right and bottom edges may be smaller."""
    return np.asarray(Image.fromarray(values).reduce(factor)) if factor > 1 else values


def resized(values: np.ndarray, scale: float, corners: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return the area between corners (left, top, right, bottom), resized to `shape`, float32, anti-aliased.

    The corners are in pixels of the reduced picture, each of which is `scale` values long.
    """
    height, width = values.shape
    left, top, right, bottom = (corner * scale for corner in corners)
    box = (left, top, min(right, width), min(bottom, height))
    smooth = values.dtype == np.uint8 and shape[0] > bottom - top
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values).resize((shape[1], shape[0]), how, box), np.float32)


def plane(values: np.ndarray) -> np.ndarray:
    """Return the plane with the least absolute differences from the values, by reweighted least squares."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in values.shape), indexing="ij")
    basis = np.stack([np.ones(values.size), y.ravel(), x.ravel()])  # [3, h · w]
    weights = np.ones(values.size)
    for _ in range(6):
        weighted = basis * weights
        found: np.ndarray = np.linalg.lstsq(weighted @ basis.T, weighted @ values.ravel(), rcond=None)[0] @ basis
        weights = 1 / (np.abs(values.ravel() - found) + 1)
    return found.reshape(values.shape).astype(np.float32)
