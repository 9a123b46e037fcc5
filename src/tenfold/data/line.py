"""A row of separate digits, found and read from left to right."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tenfold.data.picture import Reading, read


@dataclass(frozen=True)
class Piece:
    """A digit of a row: its box (left, top, width, height) in pixels of the picture, and what was read there."""

    box: tuple[int, int, int, int]
    reading: Reading


def pieces(grey: np.ndarray) -> list[Piece]:
    """Return the digits of a row, uint8 `[H, W]`, from left to right."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey.astype(np.float32) - np.median(border))
    if ink.max() < 32:
        return []
    columns = (ink > ink.max() / 2).any(0)
    labels, _ = ndimage.label(columns)
    found = []
    for (across,) in ndimage.find_objects(labels):
        rows = np.flatnonzero((ink[:, across] > ink.max() / 2).any(1))
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        if bottom - top < 6:
            continue
        margin = (bottom - top) // 5
        cut = np.pad(ink[top:bottom, across], margin).astype(np.uint8)
        found.append(Piece((across.start, top, across.stop - across.start, bottom - top), read(cut)))
    return found
