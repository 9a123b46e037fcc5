"""How wide a digit's strokes are, and strokes of another width."""

import numpy as np
from scipy import ndimage

def width(inside: np.ndarray) -> float:
    """Return the mean width of strokes, in pixels, of a mask.

    Along a straight stroke the distance to its edge rises from 0 to half its width and falls again: a mean of a quarter.
    """
    distance = ndimage.distance_transform_edt(inside)
    return 4 * (float(distance[inside].mean()) - 0.5) if inside.any() else 0.0


def widened(inside: np.ndarray, pixels: float) -> np.ndarray:
    """Return strokes wider by so many pixels a side (thinner, below 0), anti-aliased: float32, 0 to 1."""
    if pixels > 0:
        return np.clip(pixels + 1 - ndimage.distance_transform_edt(~inside), 0, 1).astype(np.float32)
    return np.clip(ndimage.distance_transform_edt(inside) + pixels, 0, 1).astype(np.float32)
