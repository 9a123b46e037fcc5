"""Any picture → 28×28 as MNIST was made: the preprocessing contract of files, service, page and notebooks.

MNIST's digits were scaled to fit 20×20 pixels with their aspect kept, anti-aliased, and moved so that their centre of
mass is at the centre of 28×28 (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document
Recognition", section III.A).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from scipy import ndimage

from tenfold.data.decode import MAX_PIXELS, FormatError, PictureError, TooLargeError, decode

__all__ = ["MAX_PIXELS", "FormatError", "PictureError", "Reading", "TooLargeError", "decode", "plain", "read"]

SIDE = 28
BOX = 20
CENTRE = 14  # the pixel on which MNIST has the centre of mass, counted from 0

Verdict = Literal["digit", "no digit found", "several digits"]


@dataclass(frozen=True)
class Reading:
    """What was found in a picture: `image` uint8 `[28, 28]`, white on black, where the verdict is "digit", else None.

    `steps` are the pictures in between, (title, uint8 `[h, w]`), when they were asked for.
    """

    image: np.ndarray | None
    verdict: Verdict
    steps: tuple[tuple[str, np.ndarray], ...] = ()


def plain(grey: np.ndarray) -> np.ndarray:
    """Return uint8 `[H, W]` resized to uint8 `[28, 28]`, and nothing else."""
    return np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BOX))


def read(grey: np.ndarray, steps: bool = False) -> Reading:
    """Return the digit in a picture, uint8 `[H, W]`, as MNIST would have it."""
    small = np.asarray(Image.fromarray(grey).reduce(-(-max(grey.shape) // 256))).astype(np.float32)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ink = np.abs(small - np.median(border))
    shown = [("the ink", ink.astype(np.uint8))]
    if ink.max() < 32:
        return Reading(None, "no digit found", tuple(shown) if steps else ())
    mask = ink > ink.max() / 2
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    boxes = ndimage.find_objects(labels)
    heights = np.array([box[0].stop - box[0].start for box in boxes])
    sizes = np.array([max(s.stop - s.start for s in box) for box in boxes])
    if count > 20 or sizes.max() < 4 or mask.mean() > 0.5:
        return Reading(None, "no digit found", tuple(shown) if steps else ())
    if (heights > 0.6 * heights.max()).sum() > 1:
        return Reading(None, "several digits", tuple(shown) if steps else ())
    kept = np.isin(labels, np.flatnonzero(sizes > sizes.max() / 4) + 1)
    ink = np.where(ndimage.binary_dilation(kept, iterations=2), ink, 0) * (255 / ink.max())
    shown.append(("the digit", ink.astype(np.uint8)))
    image = boxed(ink)
    return Reading(image, "digit", tuple(shown) if steps else ())


def boxed(ink: np.ndarray) -> np.ndarray:
    """Fit ink, float32 `[H, W]` from 0 to 255, into 20×20, its centre of mass on the centre: uint8 `[28, 28]`."""
    rows, columns = (np.flatnonzero((ink > 80).any(axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    scale = BOX / max(bottom - top, right - left)
    height, width = (max(1, round((b - a) * scale)) for a, b in ((top, bottom), (left, right)))
    cut = Image.fromarray(ink[top:bottom, left:right].astype(np.float32))
    digit = np.asarray(cut.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR))
    y, x = ndimage.center_of_mass(digit)
    down = int(np.clip(round(CENTRE - y), 0, SIDE - height))
    over = int(np.clip(round(CENTRE - x), 0, SIDE - width))
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[down : down + height, over : over + width] = np.rint(np.clip(digit, 0, 255))
    return image
