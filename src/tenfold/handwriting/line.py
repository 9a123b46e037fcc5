"""A row of separate digits, found and read from left to right: a postcode, a meter, an amount."""

from dataclasses import dataclass

import numpy as np

from tenfold.handwriting.picture import Reading, digits


@dataclass(frozen=True)
class Piece:
    """A digit of a row: its box (left, top, width, height) in pixels of the picture, and its reading."""

    box: tuple[int, int, int, int]
    reading: Reading


def pieces(grey: np.ndarray) -> list[Piece]:
    """Return the digits of a row in a picture, uint8 `[H, W]`, from left to right; none where there are none.

    All are taken for ink of one kind on the same paper. Digits must not touch each other; boxes printed around them,
    specks, commas and points are left out.
    """
    sheet, found = digits(grey)
    factor = sheet.factor if sheet else 1
    height, width = grey.shape
    row = []
    for digit in found:
        top, bottom, left, right = (edge * factor for edge in digit.group.box)
        box = (left, top, min(right, width) - left, min(bottom, height) - top)
        row.append(Piece(box, Reading(digit.image, "digit")))
    return row
