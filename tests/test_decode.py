"""Bytes to grey pixels: formats, limits, and one kind of error."""

import io

import numpy as np
import pytest
from PIL import Image

from tenfold.data.decode import FormatError, TooLargeError, decode


def encoded(array, form="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_lossless_formats_give_the_pixels_back(form, mnist):
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(decode(encoded(mnist.images[0], form, **options)), mnist.images[0])


def test_other_formats_are_refused():
    with pytest.raises(FormatError, match="PNG, JPEG"):
        decode(b"%PDF-1.7 ...")


def test_a_large_picture_is_refused():
    with pytest.raises(TooLargeError, match=r"2,001 × 2,000"):
        decode(encoded(np.zeros((2000, 2001), np.uint8)))
