"""Ink told from paper."""

import numpy as np

from tenfold.handwriting import ink


def test_flat_paper_has_no_ink():
    assert list(ink.look(np.full((300, 200), 90, np.uint8))) == []
