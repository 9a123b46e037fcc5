"""Find the digits in a picture, and bring their strokes to the size, place and width of MNIST's."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from tenfold.handwriting import ink, stroke
from tenfold.handwriting.grey import BOX, CENTRE, SIDE, TOUCHING

GAP = 0.04  # of the size: half of the largest gap between pieces of a digit that a scan broke
BESIDE = 0.3  # of the size: largest distance of ink that may be part of the digit
LEAST_LEFT_OUT = 0.25  # of the size: shorter strokes do not turn a digit into another
LEAST_SHARE = 0.4  # of the size of the largest digit; smaller ink is a comma or a note


@dataclass(frozen=True)
class Digit:
    """A digit on a sheet: its group of ink, the mask `own` of that ink in the reduced picture, and its processed forms.

    `cut` is the ink cut out and `strokes` the same with MNIST's width, float32, 0 to 1; `image` is uint8 `[28, 28]`.
    """

    group: ink.Group
    own: np.ndarray
    cut: np.ndarray
    strokes: np.ndarray
    image: np.ndarray

    @property
    def size(self) -> int:
        """The longer side, in pixels of the reduced picture."""
        top, bottom, left, right = self.group.box
        return max(bottom - top, right - left)


def digits(grey: np.ndarray) -> tuple[ink.Sheet | None, list[Digit]]:
    """Return the possible digits in a picture, from left to right, and their sheet, or None without ink."""
    sheet = None
    for sheet in ink.look(grey):
        if found := _on(sheet):
            return sheet, found
    return sheet, []


def _on(sheet: ink.Sheet) -> list[Digit]:
    """Return the possible digits on a sheet, from left to right."""
    found = [digit for group in ink.groups(sheet) if (digit := _digit(sheet, group))]
    largest = max((digit.size for digit in found), default=0)
    return sorted((d for d in found if d.size >= LEAST_SHARE * largest), key=lambda digit: digit.group.box[2])


def character(grey: np.ndarray) -> tuple[ink.Sheet | None, list[Digit]]:
    """Return all ink in a picture as one character, and its sheet; empty without ink."""
    sheet = None
    for sheet in ink.look(grey):
        if (groups := ink.groups(sheet)) and (one := _digit(sheet, ink.together(groups), any_shape=True)):
            return sheet, [one]
    return sheet, []


def _digit(sheet: ink.Sheet, group: ink.Group, any_shape: bool = False) -> Digit | None:
    """Return a group of ink as a digit; None if it lacks the shape of a digit and `any_shape` is False."""
    own = np.isin(sheet.labels, group.parts)
    cut = stroke.cut(sheet, own, group.box)
    strokes = stroke.as_mnist(cut, any_shape)
    return None if strokes is None else Digit(group, own, cut, strokes, _boxed(strokes))


def in_pieces(sheet: ink.Sheet, found: list[Digit]) -> Digit | None:
    """Return several groups of ink as one digit if each nearly touches another, otherwise None."""
    union = ink.together([digit.group for digit in found])
    reach = max(1, round(GAP * max(union.box[1] - union.box[0], union.box[3] - union.box[2])))
    near = ndimage.binary_dilation(np.any([digit.own for digit in found], axis=0), TOUCHING, iterations=reach)
    return None if ndimage.label(near)[1] > 1 else _digit(sheet, union)


def left_out(sheet: ink.Sheet, digit: Digit) -> bool:
    """Return True if strokes too faint to count as ink are in the digit's box or next to it."""
    top, bottom, left, right = digit.group.box
    margin = round(BESIDE * digit.size)
    beside = (slice(max(0, top - margin), bottom + margin), slice(max(0, left - margin), right + margin))
    weak = sheet.strength[beside] > max(ink.FAINTEST * sheet.level, 2 * ink.LEAST_CONTRAST)
    others, _ = ndimage.label(weak & ~ndimage.binary_dilation(digit.own[beside], TOUCHING, iterations=3), TOUCHING)
    spans = [max(down.stop - down.start, over.stop - over.start) for down, over in ndimage.find_objects(others)]
    return max(spans, default=0) > LEAST_LEFT_OUT * digit.size


def _boxed(strokes: np.ndarray) -> np.ndarray:
    """Fit strokes, float32 from 0 to 1, into 20×20 with the centre of mass at the centre: uint8 `[28, 28]`."""
    top, bottom, left, right = stroke.bounds(strokes > 0.4)
    scale = BOX / max(bottom - top, right - left)
    height, width = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
    small = Image.fromarray(strokes).resize((width, height), Image.Resampling.BOX, (left, top, right, bottom))
    pixels = np.asarray(small)
    y, x = ndimage.center_of_mass(pixels)
    down, over = (min(max(round(CENTRE - at), 0), SIDE - side) for at, side in ((y, height), (x, width)))
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[down : down + height, over : over + width] = _shown(pixels)
    return image


def steps(
    grey: np.ndarray, sheet: ink.Sheet | None, found: list[Digit], kind: str
) -> tuple[tuple[str, np.ndarray], ...]:
    """Return the steps of the preprocessing as pictures: up to the ink, and for a single digit up to 28×28."""
    steps = [("the picture", grey)]
    if sheet:
        steps.append(("the ink, without the paper", _shown(sheet.strength / sheet.level)))
    if found:
        steps.append((f"the ink that may be a {kind}", _shown(np.any([digit.own for digit in found], axis=0))))
    if len(found) == 1:
        (digit,) = found
        steps.append((f"the {kind}, cut out", _shown(digit.cut)))
        if digit.strokes is not digit.cut:
            steps.append(("lines of the usual thickness", _shown(digit.strokes)))
        steps.append(("made small, and in the middle", digit.image))
    return tuple(steps)


def _shown(values: np.ndarray) -> np.ndarray:
    """From 0 to 1 -> uint8 of the same shape."""
    return np.asarray(np.rint(np.clip(values, 0, 1) * np.float32(255)), np.uint8)
