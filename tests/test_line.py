"""Rows of digits, cut."""

import numpy as np
from benchmarks import sheets
from benchmarks.handwriting import is_cut
from PIL import Image, ImageDraw

from tenfold.data.catalog import MNIST
from tenfold.data.split import split
from tenfold.handwriting import line


def test_rows_are_cut_into_their_digits():
    images = split(MNIST, 5_000).validation.images
    rng = np.random.default_rng(0)
    right = 0
    for _ in range(50):
        grey, boxes = sheets.row(images[rng.integers(0, len(images), rng.integers(3, 10))], rng)
        right += is_cut(line.page(grey).pieces, boxes)
    assert right >= 48


def test_a_row_is_read_from_left_to_right(mnist):
    digits = mnist.images[[1, 3, 5]]
    found = line.page(np.kron(255 - np.concatenate(list(digits), axis=1), np.ones((3, 3), np.uint8))).pieces
    assert [piece.box[0] // 84 for piece in found] == [0, 1, 2]
    for piece, digit in zip(found, digits, strict=True):
        assert piece.reading.verdict == "digit"
        assert np.corrcoef(piece.reading.image.ravel(), digit.ravel())[0, 1] > 0.7


def test_printed_boxes_and_the_point_of_an_amount_are_left_out(mnist):
    row = Image.fromarray(255 - np.kron(np.concatenate(list(mnist.images[:4]), axis=1), np.ones((4, 4), np.uint8)))
    bare = line.page(np.asarray(row)).pieces
    draw = ImageDraw.Draw(row)
    for left in range(0, 4 * 112, 112):
        draw.rectangle((left + 2, 2, left + 109, 109), outline=0, width=2)
    draw.ellipse((222, 92, 226, 96), 0)
    assert [piece.box for piece in line.page(np.asarray(row)).pieces] == [piece.box for piece in bare]
    assert len(bare) == 4


def test_of_nothing_there_are_no_pieces():
    assert line.page(np.full((50, 300), 255, np.uint8)).pieces == []
