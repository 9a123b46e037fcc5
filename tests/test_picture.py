"""The contract, on MNIST's own pictures and on spoilt ones."""

import numpy as np

from tenfold.data import picture


def test_a_blank_picture_has_no_digit():
    for value in (0, 128, 255):
        assert picture.read(np.full((300, 300), value, np.uint8)).verdict == "no digit found"


def test_an_enlarged_digit_comes_back(mnist):
    digit = mnist.images[0]
    reading = picture.read(np.kron(255 - digit, np.ones((7, 7), np.uint8)))
    assert reading.verdict == "digit"
    assert reading.image is not None
    assert np.abs(reading.image.astype(int) - digit).mean() < 15
