"""Find and read rows of separate digits from left to right: a postcode, a meter, an amount, or several rows."""

from dataclasses import dataclass

import numpy as np

from tenfold.handwriting import ink
from tenfold.handwriting.digit import digits
from tenfold.handwriting.picture import Box, Reading

ASIDE = 0.6  # largest vertical offset of neighbours in a row, relative to the height of the smaller one
APART = 4.0  # largest distance of neighbours, in heights


@dataclass(frozen=True)
class Piece:
    """A digit in a row: its box in the picture, its reading, and the number of its row, from 0."""

    box: Box
    reading: Reading
    row: int


@dataclass(frozen=True)
class Page:
    """The digits in a picture, row by row from left to right, and the boxes of ink that was not read as a digit."""

    pieces: list[Piece]
    unread: list[Box]


def page(grey: np.ndarray) -> Page:
    """Return the digits in a picture, uint8 `[H, W]`.

    All ink must be of one kind, on the same paper. Digits must not touch each other. Printed boxes and specks are
    ignored; commas, signs and smudges are `unread`.
    """
    sheet, found = digits(grey)
    if sheet is None:
        return Page([], [])
    boxes = [_box(sheet, digit.group, grey.shape) for digit in found]
    read = {digit.group for digit in found}
    unread = [_box(sheet, group, grey.shape) for group in ink.groups(sheet) if group not in read]
    return Page(
        [
            Piece(boxes[at], Reading(found[at].image, "digit"), number)
            for number, row in enumerate(rows(boxes))
            for at in row
        ],
        unread,
    )


def rows(boxes: list[Box]) -> list[list[int]]:
    """Sort boxes into rows from top to bottom, each from left to right; return their indices.

    The right neighbour of a digit is the nearest one at about the same height, so rows may be tilted.
    """
    neighbour: dict[int, int] = {}
    for at, (left, top, width, height) in enumerate(boxes):
        best = np.inf
        for other, (x, y, across, down) in enumerate(boxes):
            ahead = x + across / 2 - left - width / 2
            aside = abs(y + down / 2 - top - height / 2) / min(down, height)
            if 0 < ahead < APART * max(down, height) + width and aside < ASIDE and ahead + aside * height < best:
                best, neighbour[at] = ahead + aside * height, other
    lines: list[list[int]] = []
    for at in sorted(range(len(boxes)), key=lambda place: boxes[place][0]):
        line = next((line for line in lines if neighbour.get(line[-1]) == at), None)
        if line is None:
            lines.append(line := [])
        line.append(at)
    return sorted(lines, key=lambda line: float(np.mean([boxes[at][1] + boxes[at][3] / 2 for at in line])))


def _box(sheet: ink.Sheet, group: ink.Group, shape: tuple[int, ...]) -> Box:
    """Return the box of a group in a picture with that shape."""
    (down, over), (height, width) = sheet.origin, shape
    top, bottom = (min(max(edge * sheet.factor + down, 0), height) for edge in group.box[:2])
    left, right = (min(max(edge * sheet.factor + over, 0), width) for edge in group.box[2:])
    return left, top, right - left, bottom - top
