"""Any picture → 28×28 as MNIST was made: the preprocessing contract of files, service, page and notebooks.

MNIST's digits were scaled to fit 20×20 pixels with their aspect kept, anti-aliased, and moved so that their centre of
mass is at the centre of 28×28 (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document
Recognition", section III.A).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from scipy import ndimage

from tenfold.handwriting import ink, stroke
from tenfold.handwriting.decode import MAX_PIXELS, FormatError, PictureError, TooLargeError, decode
from tenfold.handwriting.grey import TOUCHING

__all__ = [
    "MAX_PIXELS",
    "FormatError",
    "PictureError",
    "Reading",
    "TooLargeError",
    "are_digits",
    "as_mnist",
    "decode",
    "plain",
    "read",
]

SIDE = 28
BOX = 20
CENTRE = 14  # the pixel on which MNIST has the centre of mass, counted from 0
GAP = 0.04  # of the size: half of what may part the pieces of a digit that was broken by a scan
BESIDE = 0.3  # of the size: so far from a digit ink may be a part of it
LEAST_LEFT_OUT = 0.25  # of the size: shorter strokes change no digit into another
LEAST_SHARE = 0.4  # of the size of the largest digit: what is smaller is a comma or a note

Verdict = Literal["digit", "no digit found", "several digits", "no character found"]


@dataclass(frozen=True)
class Reading:
    """The digit found in a picture: `image` uint8 `[28, 28]`, white on black, where the verdict is "digit", else None.

    `doubts` are reasons not to be sure of what was read, however sure the model is of the image. `steps` are the
    pictures in between, (title, uint8 `[h, w]`), where they were asked for.
    """

    image: np.ndarray | None
    verdict: Verdict
    steps: tuple[tuple[str, np.ndarray], ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Digit:
    """A digit found on a sheet: its group, its ink there, that ink cut out, in strokes of MNIST's width, and `image`.

    `own` is a mask of the reduced picture; `cut` and `strokes` are float32, 0 to 1; `image` is uint8 `[28, 28]`.
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


def plain(grey: np.ndarray) -> np.ndarray:
    """Return uint8 `[H, W]` resized to uint8 `[28, 28]`, and nothing else."""
    return np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BOX))


def are_digits(classes: Collection[str]) -> bool:
    """Return whether classes are digits, whose shapes are known; all others are characters of any shape."""
    return set(classes) <= set("0123456789")


def read(grey: np.ndarray, steps: bool = False, digits_only: bool = True) -> Reading:
    """Return the digit in a picture, uint8 `[H, W]`, as MNIST would have it.

    A picture that is as MNIST's are, or the negative of one, comes back pixel for pixel. Without `digits_only` all ink
    of the picture is one character, of whatever shape and however many pieces: ы, い, or an i with its dot.
    """
    if grey.shape == (SIDE, SIDE):
        images, are = as_mnist(grey[None])
        if are[0]:
            return Reading(images[0], "digit", (("the picture, made as MNIST's are", grey),) if steps else ())
    sheet, found = digits(grey) if digits_only else _character(grey)
    doubts = []
    if sheet and len(found) > 1 and (one := _in_pieces(sheet, found)):
        found = [one]
        doubts.append("it is in pieces")
    shown = _steps(grey, sheet, found, "digit" if digits_only else "character") if steps else ()
    if sheet is None or len(found) != 1:
        nothing: Verdict = "no digit found" if digits_only else "no character found"
        return Reading(None, "several digits" if found else nothing, shown)
    if (sheet.faint & found[0].own).any():
        doubts.append("some of its strokes are faint")
    if _left_out(sheet, found[0]):
        doubts.append("fainter ink beside it was left out")
    return Reading(found[0].image, "digit", shown, tuple(doubts))


def as_mnist(greys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 `[N, 28, 28]` made white on black, and which of them, bool `[N]`, are as MNIST's are.

    Those are 20 pixels large, on black, with their centre of mass on the centre; `read` returns them as they are here.
    """
    light = greys.copy()
    dark = greys[:, 0, 0] > 127
    light[dark] = 255 - greys[dark]
    fits, longest = np.ones(len(light), bool), np.zeros(len(light), int)
    for axis in (2, 1):
        profile = light.sum(axis, dtype=np.uint16)  # [N, 28], 7,140 at most
        inked = profile > 0
        longest = np.maximum(longest, SIDE - inked.argmax(1) - inked[:, ::-1].argmax(1))
        centre = profile @ np.arange(float(SIDE)) / np.maximum(profile.sum(1), 1)
        fits &= abs(centre - CENTRE) < 0.52  # it was moved by whole pixels
    return light, fits & (longest == BOX)


def digits(grey: np.ndarray) -> tuple[ink.Sheet | None, list[Digit]]:
    """Return what could be digits in a picture, from left to right, and the sheet they are on, if there is ink."""
    sheet = None
    for sheet in ink.look(grey):
        if found := _on(sheet):
            return sheet, found
    return sheet, []


def _on(sheet: ink.Sheet) -> list[Digit]:
    """Return what could be digits on a sheet, from left to right."""
    found = [digit for group in ink.groups(sheet) if (digit := _digit(sheet, group))]
    largest = max((digit.size for digit in found), default=0)
    return sorted((d for d in found if d.size >= LEAST_SHARE * largest), key=lambda digit: digit.group.box[2])


def _character(grey: np.ndarray) -> tuple[ink.Sheet | None, list[Digit]]:
    """Return all ink of a picture as one character, and the sheet it is on; none where there is no ink."""
    sheet = None
    for sheet in ink.look(grey):
        if (groups := ink.groups(sheet)) and (one := _digit(sheet, ink.together(groups), any_shape=True)):
            return sheet, [one]
    return sheet, []


def _digit(sheet: ink.Sheet, group: ink.Group, any_shape: bool = False) -> Digit | None:
    """Return a group of ink as a digit, or None if its shape is no digit's and may not be any."""
    own = np.isin(sheet.labels, group.parts)
    cut = stroke.cut(sheet, own, group.box)
    strokes = stroke.as_mnist(cut, any_shape)
    return None if strokes is None else Digit(group, own, cut, strokes, _boxed(strokes))


def _in_pieces(sheet: ink.Sheet, found: list[Digit]) -> Digit | None:
    """Return the one digit that several groups of ink are, if each nearly touches another one."""
    union = ink.together([digit.group for digit in found])
    reach = max(1, round(GAP * max(union.box[1] - union.box[0], union.box[3] - union.box[2])))
    near = ndimage.binary_dilation(np.any([digit.own for digit in found], axis=0), TOUCHING, iterations=reach)
    return None if ndimage.label(near)[1] > 1 else _digit(sheet, union)


def _left_out(sheet: ink.Sheet, digit: Digit) -> bool:
    """Return whether strokes that were too faint to be ink lie in the digit's box or next to it."""
    top, bottom, left, right = digit.group.box
    margin = round(BESIDE * digit.size)
    beside = (slice(max(0, top - margin), bottom + margin), slice(max(0, left - margin), right + margin))
    weak = sheet.strength[beside] > max(ink.FAINTEST * sheet.level, 2 * ink.LEAST_CONTRAST)
    others, _ = ndimage.label(weak & ~ndimage.binary_dilation(digit.own[beside], TOUCHING, iterations=3), TOUCHING)
    spans = [max(down.stop - down.start, over.stop - over.start) for down, over in ndimage.find_objects(others)]
    return max(spans, default=0) > LEAST_LEFT_OUT * digit.size


def _boxed(strokes: np.ndarray) -> np.ndarray:
    """Fit strokes, float32 from 0 to 1, into 20×20, their centre of mass on the centre: uint8 `[28, 28]`."""
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


def _steps(
    grey: np.ndarray, sheet: ink.Sheet | None, found: list[Digit], kind: str
) -> tuple[tuple[str, np.ndarray], ...]:
    """Return what happened to a picture, in pictures: up to the ink, and where there is one digit, up to 28×28."""
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
