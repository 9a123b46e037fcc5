"""Strokes, measured and changed."""

import numpy as np

from tenfold.handwriting import stroke


def test_the_width_of_a_bar():
    bar = np.zeros((120, 120), bool)
    bar[10:110, 50:62] = True
    assert abs(stroke.width(bar) - 12) < 1.5
