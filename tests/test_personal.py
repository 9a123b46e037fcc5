"""A run learns a hand: what it brings is measured on drawings that no model saw, what it costs on known pictures."""

import numpy as np

from tenfold import personal
from tenfold.data import catalog, folder
from tenfold.data.split import Samples


def test_a_hand_is_learnt(run, few, own_cache, as_pngs, tmp_path):
    """The drawings are digits that lie on their side."""
    turned = Samples(np.rot90(few.images, axes=(1, 2)).copy(), few.labels)
    dataset, _ = folder.read(as_pngs(turned, "mine"), like=catalog.MNIST)
    result = personal.personalise(run, dataset, tmp_path / "learnt")
    assert result.own.after["correct"] > result.own.before["correct"]
