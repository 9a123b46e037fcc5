"""Cut the strokes of a digit out of their sheet, measure them, and adjust their width to MNIST's."""

import numpy as np
from scipy import ndimage

from tenfold.handwriting import ink
from tenfold.handwriting.grey import resized

SIZE = 80  # pixels of a digit that was cut out: four times MNIST's 20
UNIT = SIZE // 20
MARGIN = 4 * UNIT
THINNEST, THICKEST = 2.0, 4.5  # in pixels of MNIST; 90% of its strokes are in this range
BLUR = 0.8  # evens out lines thinner than a pixel
FAINT = 0.05  # of the level of ink; fainter pixels are shadows on the paper

# Limits for the shape of a digit. Of 5,000 MNIST digits, the widest stroke has a third of the size and the longest 3.5
# times the size; the widest digit is 1.7 times as wide as high. An 8 has two holes; careless writing adds one or two.
WIDEST_STROKE = 0.42
LENGTHS = (0.8, 4.5)
WIDEST, WIDEST_LOOP = 2.5, 4.0  # a 0 may be very wide
MOST_HOLES = 4


def cut(sheet: ink.Sheet, own: np.ndarray, box: ink.Bounds) -> np.ndarray:
    """Return a digit cut out of a sheet, with a longer side of 80 pixels and a margin: float32, 0 paper to 1 ink.

    `own` is the mask of its ink in the reduced picture, `box` its box there. Other ink is removed.
    """
    top, bottom, left, right = box
    height, width = own.shape
    margin = max(bottom - top, right - left) * MARGIN / SIZE
    corners = (max(0, left - margin), max(0, top - margin), min(width, right + margin), min(height, bottom + margin))
    scale = SIZE / max(bottom - top, right - left)
    shape = (max(1, round((corners[3] - corners[1]) * scale)), max(1, round((corners[2] - corners[0]) * scale)))

    light = ndimage.gaussian_filter(resized(sheet.light, sheet.factor, corners, shape), BLUR)
    paper, gain = (resized(values, 1, corners, shape) for values in (sheet.paper, sheet.gain))
    strength = np.maximum(light - paper, 0) * gain
    others = sheet.taken | (sheet.labels > 0) & ~own
    if others.any():
        nearby = resized(others.astype(np.float32), 1, corners, shape)
        strength[ndimage.binary_dilation(nearby > 0.05, iterations=2)] = 0
    level = 0.7 * float(strength.max())
    for _ in range(2):  # thin lines are stronger where they meet
        level = float(np.percentile(strength[strength >= level / 2], 70))
    if level == 0:  # everything was removed as other ink
        return np.zeros(shape, np.float32)
    if (sheet.faint & own).any():  # a fainter continuation of a stroke counts as full ink
        nearby = ndimage.gaussian_filter(ndimage.maximum_filter(strength, 3 * UNIT), UNIT)
        mine = ndimage.binary_dilation(resized(own.astype(np.float32), 1, corners, shape) > 0.5, iterations=2)
        strength = np.where(mine, strength / np.clip(nearby / level, ink.FAINTEST, 1), 0)
    near = ndimage.binary_dilation(strength > level / 2, iterations=UNIT)
    relative = np.clip((strength / level - FAINT) / (1 - FAINT), 0, 1)
    return np.pad(np.where(near, relative, np.float32(0)), 3 * UNIT)


def as_mnist(digit: np.ndarray, any_shape: bool = False) -> np.ndarray | None:
    """Return a digit that was cut out with strokes of MNIST's width, or None if it does not have the shape of a digit.

    With `any_shape`, it is another character, and its shape is not checked. If the strokes are within MNIST's range,
    the same array is returned.
    """
    inside = digit > 0.5
    if not inside.any():
        return None
    top, bottom, left, right = bounds(inside)
    tall, wide = bottom - top, right - left
    size = max(tall, wide)
    strokes = width(inside)
    length = inside.sum() / strokes / size
    holes = ndimage.label(~inside)[1] - 1
    if not any_shape and (
        strokes > WIDEST_STROKE * size
        or not LENGTHS[0] < length < LENGTHS[1]
        or wide > (WIDEST_LOOP if holes else WIDEST) * tall
        or holes > MOST_HOLES
    ):
        return None
    # Widening also changes the size, so the equation for the ratio of the two is solved.
    wanted = min(max(strokes / size, THINNEST / 20), THICKEST / 20)
    more = (wanted * size - strokes) / (1 - wanted) / 2
    return widened(inside, more) if abs(more) > 0.25 else digit


def width(inside: np.ndarray) -> float:
    """Return the mean width of the strokes in a mask, in pixels.

    Across a stroke, the distance to the edge rises from 0 to half the width and falls again; its mean is a quarter.
    """
    distance = ndimage.distance_transform_edt(inside)
    return max(1.0, 4 * float(distance[inside].mean()) - 2)  # distances start at a pixel's centre


def widened(inside: np.ndarray, pixels: float) -> np.ndarray:
    """Return the strokes of a mask, wider by `pixels` on each side or narrower: anti-aliased, float32, 0 to 1."""
    if pixels > 0:
        away = ndimage.distance_transform_edt(~inside)
        return np.asarray(np.clip(pixels + 1 - away, 0, 1), np.float32)
    depth = ndimage.distance_transform_edt(inside)
    return np.asarray(np.clip(depth + pixels, 0, 1), np.float32)


def bounds(mask: np.ndarray) -> ink.Bounds:
    """Return top, bottom, left and right of the set pixels of a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
