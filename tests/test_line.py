"""Rows of digits, cut."""

import numpy as np

from tenfold.data import line


def test_a_row_is_cut_from_left_to_right(mnist):
    row = np.concatenate(list(mnist.images[[1, 3, 5]]), axis=1)
    found = line.pieces(np.kron(255 - row, np.ones((3, 3), np.uint8)))
    assert [piece.reading.verdict for piece in found] == ["digit"] * 3
    assert [piece.box[0] // 84 for piece in found] == [0, 1, 2]
