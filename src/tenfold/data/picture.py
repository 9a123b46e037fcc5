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

from tenfold.data import ink, stroke
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
    if _is_made(grey):
        return Reading(grey.copy(), "digit", (("as it is", grey),) if steps else ())
    verdict: Verdict = "no digit found"
    for sheet in ink.sheets(grey):
        found = ink.groups(sheet)
        if len(found.groups) == 1 and found.share > 0.5:
            group = found.groups[0]
            soft = cut(sheet, found, group)
            image, shown = shaped(soft)
            if image is not None:
                return Reading(image, "digit", shown if steps else ())
        elif 1 < len(found.groups) <= 12 and found.share > 0.5:
            verdict = "several digits"
            break
    return Reading(None, verdict, ())


UNIT = 4  # working pixels a pixel of MNIST
MARGIN = 4  # of MNIST


def cut(sheet: ink.Sheet, found: ink.Found, group: ink.Group) -> np.ndarray:
    """Return a group's ink, 0 to 1, float32, 20 of MNIST's pixels are BOX * UNIT."""
    top, bottom, left, right = (edge * sheet.factor for edge in group.box)
    size = max(bottom - top, right - left)
    margin = size * MARGIN / BOX
    height, width = sheet.light.shape
    box = (max(0, left - margin), max(0, top - margin), min(width, right + margin), min(height, bottom + margin))
    scale = BOX * UNIT / size
    shape = (max(1, round((box[3] - box[1]) * scale)), max(1, round((box[2] - box[0]) * scale)))
    filt = Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.BICUBIC
    light = np.asarray(Image.fromarray(sheet.light).resize(shape[::-1], filt, box=box), np.float32)
    py, px = sheet.paper.shape[0] / height, sheet.paper.shape[1] / width
    pbox = (box[0] * px, box[1] * py, box[2] * px, box[3] * py)
    paper = np.asarray(Image.fromarray(sheet.paper).resize(shape[::-1], Image.Resampling.BILINEAR, box=pbox))
    strength = np.maximum(ndimage.gaussian_filter(light, BLUR) - paper, 0)
    mine = np.isin(found.labels, group.members)
    lh, lw = mine.shape
    mbox = (box[0] * lw / width, box[1] * lh / height, box[2] * lw / width, box[3] * lh / height)
    mbox = (max(0, mbox[0]), max(0, mbox[1]), min(lw, mbox[2]), min(lh, mbox[3]))
    if len(set(found.labels.ravel().tolist())) > 2:
        others = ~mine & (found.labels > 0)
        others = np.asarray(Image.fromarray(others.astype(np.float32)).resize(shape[::-1], Image.Resampling.BILINEAR, box=mbox)) > 0.05
        strength[ndimage.binary_dilation(others, iterations=2)] = 0
    level = START * 2 * float(strength.max())
    for _ in range(2):  # where thin lines meet they are darker than ink is elsewhere
        level = float(np.percentile(strength[strength > level / 2], LEVEL))
    inside = strength > level / 2
    inside = ndimage.binary_dilation(inside, iterations=int(NEAR))
    strength = np.where(inside, np.clip((strength / level - LOW) / (1 - LOW), 0, 1), 0)
    return np.pad(strength, UNIT * 3)

BLUR = 0.8
LEVEL = 70
START = 0.35
LOW = 0.1
NEAR=4
THIN, THICK = 2.2, 4.0
TIGHT = 0.25

def shaped(soft: np.ndarray):
    shown = [("cut", np.uint8(soft * 255))]
    inside = soft > 0.5
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    size = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    width = stroke.width(inside)
    length = inside.sum() / max(width, 0.5) / size
    if width / size > 0.45 or length > 6 or length < 0.7:
        return None, shown
    wanted = np.clip(width / size * BOX, THIN, THICK)
    delta = (wanted / BOX * size - width) / 2 / (1 - wanted / BOX)
    if abs(delta) > 0.25:
        soft = stroke.widened(inside, delta)
        shown.append(("stroke", np.uint8(soft * 255)))
    return boxed(soft * 255), shown


def _is_made(grey: np.ndarray) -> bool:
    """Whether a picture is as MNIST makes them: 20 pixels large, on black, its centre of mass at the centre."""
    if grey.shape != (SIDE, SIDE):
        return False
    rows, columns = np.flatnonzero(grey.any(1)), np.flatnonzero(grey.any(0))
    if not len(rows) or max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 != BOX:
        return False
    return max(abs(at - CENTRE) for at in ndimage.center_of_mass(grey)) < 0.52


def boxed(soft: np.ndarray) -> np.ndarray:
    """Fit ink, float32 `[H, W]` from 0 to 255, into 20×20, its centre of mass on the centre: uint8 `[28, 28]`."""
    rows, columns = (np.flatnonzero((soft > 255 * TIGHT).any(axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    scale = BOX / max(bottom - top, right - left)
    height, width = (max(1, round((b - a) * scale)) for a, b in ((top, bottom), (left, right)))
    cut = Image.fromarray(soft.astype(np.float32))
    digit = np.asarray(cut.resize((width, height), Image.Resampling.BOX, box=(left, top, right, bottom)))
    y, x = ndimage.center_of_mass(digit)
    down = int(np.clip(round(CENTRE - y), 0, SIDE - height))
    over = int(np.clip(round(CENTRE - x), 0, SIDE - width))
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[down : down + height, over : over + width] = np.rint(np.clip(digit, 0, 255))
    return image
