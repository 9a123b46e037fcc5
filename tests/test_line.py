"""Rows of digits, cut."""

import numpy as np
from benchmarks import sheets
from benchmarks.handwriting import is_cut
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tenfold.data.catalog import MNIST
from tenfold.data.split import split
from tenfold.handwriting import line
from test_picture import written


def test_rows_are_cut_into_their_digits():
    images = split(MNIST, 5_000).validation.images
    rng = np.random.default_rng(0)
    right = 0
    for _ in range(50):
        grey, boxes = sheets.row(images[rng.integers(0, len(images), rng.integers(3, 10))], rng)
        right += is_cut(line.page(grey).pieces, boxes)
    assert right >= 48


def test_printed_boxes_and_the_point_of_an_amount_are_left_out(mnist):
    row = Image.fromarray(255 - np.kron(np.concatenate(list(mnist.images[:4]), axis=1), np.ones((4, 4), np.uint8)))
    bare = line.page(np.asarray(row)).pieces
    draw = ImageDraw.Draw(row)
    for left in range(0, 4 * 112, 112):
        draw.rectangle((left + 2, 2, left + 109, 109), outline=0, width=2)
    draw.ellipse((222, 92, 226, 96), 0)
    assert [piece.box for piece in line.page(np.asarray(row)).pieces] == [piece.box for piece in bare]
    assert len(bare) == 4


@settings(max_examples=20, deadline=None)
@given(st.integers(40, 200), st.integers(40, 200), st.integers(20, 110))
def test_boxes_have_their_place_in_the_picture_in_which_the_sheet_lies(left, top, desk):
    sheet = Image.new("L", (700, 500), 210)
    for place, digit in enumerate((2, 3, 8)):
        sheet.paste(Image.fromarray(written(digit, (150, 200), 120, 10, ink=60, paper=210)), (100 + 160 * place, 150))
    photograph = Image.new("L", (940, 740), desk)
    photograph.paste(sheet, (left, top))
    alone, found = (np.array([p.box for p in line.page(np.asarray(grey)).pieces]) for grey in (sheet, photograph))
    assert len(alone) == 3
    np.testing.assert_allclose(found - alone, np.tile([left, top, 0, 0], (3, 1)), atol=4)
