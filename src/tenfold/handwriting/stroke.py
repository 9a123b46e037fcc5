"""A digit's strokes: cut out of their sheet, measured, and brought to a width that MNIST has."""

import numpy as np
from scipy import ndimage

from tenfold.handwriting import ink
from tenfold.handwriting.grey import resized

SIZE = 80  # pixels of a digit that is cut out: four for one of MNIST's 20
UNIT = SIZE // 20
MARGIN = 4 * UNIT
THINNEST, THICKEST = 2.0, 4.5  # in pixels of MNIST; nine in ten of its own strokes are from 2.0 to 4.5
BLUR = 0.8  # evens out lines thinner than a pixel
FAINT = 0.05  # of the level of ink: shadows of paper

# What a digit's shape is at most. Of 5,000 of MNIST the widest stroke is a third of the size, the longest three and a
# half sizes; the widest is 1.7 times as wide as high; an 8 has two holes, and carelessness adds one or two.
WIDEST_STROKE = 0.42
LENGTHS = (0.8, 4.5)
WIDEST, WIDEST_LOOP = 2.5, 4.0  # a 0 may lie on its side
MOST_HOLES = 4


def cut(sheet: ink.Sheet, own: np.ndarray, box: ink.Bounds) -> np.ndarray:
    """Return a digit cut out of a sheet, its longer side 80 pixels, with a margin: float32, 0 paper to 1 ink.

    `own` is a mask of its ink in the reduced picture, `box` the digit's box there. Other ink is wiped out.
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
    for _ in range(2):  # where thin lines meet they are stronger than elsewhere
        level = float(np.percentile(strength[strength >= level / 2], 70))
    if level == 0:  # all of it was taken for other ink
        return np.zeros(shape, np.float32)
    if (sheet.faint & own).any():  # a stroke that goes on fainter is as much ink
        nearby = ndimage.gaussian_filter(ndimage.maximum_filter(strength, 3 * UNIT), UNIT)
        mine = ndimage.binary_dilation(resized(own.astype(np.float32), 1, corners, shape) > 0.5, iterations=2)
        strength = np.where(mine, strength / np.clip(nearby / level, ink.FAINTEST, 1), 0)
    near = ndimage.binary_dilation(strength > level / 2, iterations=UNIT)
    relative = np.clip((strength / level - FAINT) / (1 - FAINT), 0, 1)
    return np.pad(np.where(near, relative, np.float32(0)), 3 * UNIT)


def as_mnist(digit: np.ndarray, any_shape: bool = False) -> np.ndarray | None:
    """Return a cut-out digit with strokes of a width that MNIST has, or None if its shape is no digit's.

    With `any_shape` it is another character, whose shape may be any.
    Strokes within MNIST's range stay as they are: the very same array is returned.
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
    # The size changes with the width, so that the share of the one in the other is solved for.
    wanted = min(max(strokes / size, THINNEST / 20), THICKEST / 20)
    more = (wanted * size - strokes) / (1 - wanted) / 2
    return widened(inside, more) if abs(more) > 0.25 else digit


def width(inside: np.ndarray) -> float:
    """Return the mean width of the strokes of a mask, in pixels.

    Across a stroke the distance to its edge rises from 0 to half the width and falls again: on average a quarter of it.
    """
    distance = ndimage.distance_transform_edt(inside)
    return max(1.0, 4 * float(distance[inside].mean()) - 2)  # from the middle of a pixel to its edge is half of one


def widened(inside: np.ndarray, pixels: float) -> np.ndarray:
    """Return the strokes of a mask wider by so many pixels on each side, or thinner: anti-aliased, float32, 0 to 1."""
    if pixels > 0:
        away = ndimage.distance_transform_edt(~inside)
        return np.asarray(np.clip(pixels + 1 - away, 0, 1), np.float32)
    depth = ndimage.distance_transform_edt(inside)
    return np.asarray(np.clip(depth + pixels, 0, 1), np.float32)


def bounds(mask: np.ndarray) -> ink.Bounds:
    """Return top, bottom, left and right of what is set in a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
