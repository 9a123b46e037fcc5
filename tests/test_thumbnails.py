import base64
import io

import numpy as np
import pytest
from PIL import Image

from tenfold.report import page


def _pixels(uri):
    image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def test_a_digit_is_black_on_white(mnist):
    pixels = _pixels(page.digit(mnist.images[0]))
    np.testing.assert_array_equal(pixels, np.repeat(255 - mnist.images[0][..., None], 3, axis=2))


def test_an_overlay_is_orange_where_it_spoke_for_and_blue_against(mnist):
    image, saliency = mnist.images[0], np.zeros((28, 28))
    saliency[10, 14], saliency[11, 15] = 2.0, -2.0
    pixels = _pixels(page.overlay(image, saliency))
    red, _, blue = pixels[10, 14]
    assert red > blue + 80
    red, _, blue = pixels[11, 15]
    assert blue > red + 80
    assert pixels[0, 0].tolist() == [255] * 3  # no ink, no share: paper
    inky = np.argwhere((image == 253) & (saliency == 0))[0]
    assert pixels[*inky].tolist() == [pytest.approx(255 * (1 - page.PALE), abs=1)] * 3


def test_a_picture_that_nothing_spoke_for_is_grey(mnist):
    pixels = _pixels(page.overlay(mnist.images[0], np.zeros((28, 28))))
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_hundreds_weigh_little(mnist):
    rng = np.random.default_rng(0)
    sizes = [
        len(page.digit(image)) + len(page.overlay(image, rng.normal(size=(28, 28)) * image))
        for image in mnist.images[:100]
    ]
    assert np.mean(sizes) < 1_600
