"""Convert any picture to 28×28 the way MNIST was made: the preprocessing of files, service, page and notebooks.

MNIST's digits were scaled to fit 20×20 pixels without distortion, anti-aliased, and moved so that their centre of mass
is at the centre of 28×28 (LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document
Recognition", section III.A).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tenfold.handwriting.decode import MAX_PIXELS, FormatError, PictureError, TooLargeError, decode
from tenfold.handwriting.grey import BOX, CENTRE, SIDE

__all__ = [
    "MAX_PIXELS",
    "Box",
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


Box = tuple[int, int, int, int]  # left, top, width, height, in pixels of the picture
Verdict = Literal["digit", "no digit found", "several digits", "no character found"]


@dataclass(frozen=True)
class Reading:
    """The digit in a picture: `image` is uint8 `[28, 28]`, white on black, if the verdict is "digit", otherwise None.

    `doubts` are reasons to call the answer unsure, even if the model is confident. `steps` are the intermediate
    pictures, (title, uint8 `[h, w]`), if requested.
    """

    image: np.ndarray | None
    verdict: Verdict
    steps: tuple[tuple[str, np.ndarray], ...] = ()
    doubts: tuple[str, ...] = ()


def plain(grey: np.ndarray) -> np.ndarray:
    """Resize uint8 `[H, W]` to uint8 `[28, 28]`, without any other change."""
    return np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BOX))


def are_digits(classes: Collection[str]) -> bool:
    """Return True if all classes are digits, whose shapes are known; other characters may have any shape."""
    return set(classes) <= set("0123456789")


def read(grey: np.ndarray, steps: bool = False, digits_only: bool = True) -> Reading:
    """Return the digit in a picture, uint8 `[H, W]`, in the form of MNIST's pictures.

    A picture in MNIST's form, or its negative, is returned pixel for pixel. Without `digits_only`, all ink in the
    picture is one character of any shape, even in several pieces: ы, い, or an i with its dot.
    """
    if grey.shape == (SIDE, SIDE):
        images, are = as_mnist(grey[None])
        if are[0]:
            return Reading(images[0], "digit", (("the picture, already like MNIST's", grey),) if steps else ())
    from tenfold.handwriting import digit  # takes 0.3 s to import

    sheet, found = digit.digits(grey) if digits_only else digit.character(grey)
    doubts = []
    if sheet and len(found) > 1 and (one := digit.in_pieces(sheet, found)):
        found = [one]
        doubts.append("the digit is in pieces")
    shown = digit.steps(grey, sheet, found, "digit" if digits_only else "character") if steps else ()
    if sheet is None or len(found) != 1:
        nothing: Verdict = "no digit found" if digits_only else "no character found"
        return Reading(None, "several digits" if found else nothing, shown)
    if (sheet.faint & found[0].own).any():
        doubts.append("some of its strokes are faint")
    if digit.left_out(sheet, found[0]):
        doubts.append("fainter ink next to it was ignored")
    return Reading(found[0].image, "digit", shown, tuple(doubts))


def as_mnist(greys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 `[N, 28, 28]` as white on black, and the mask, bool `[N]`, of pictures in MNIST's form.

    These have a digit of 20 pixels on black, with its centre of mass at the centre; `read` returns them unchanged.
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
        fits &= abs(centre - CENTRE) < 0.52  # MNIST's digits were moved by whole pixels
    return light, fits & (longest == BOX)
