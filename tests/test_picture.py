"""The contract: digits as people hand them in, and what is no digit."""

import numpy as np
import pytest
from benchmarks import sheets
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage

import strokes
from tenfold import predict
from tenfold.data.catalog import MNIST
from tenfold.data.split import split
from tenfold.handwriting import ink, picture, stroke

PICTURES = 100
AS_LEGIBLE = ["enlarged", "inverted", "moved", "tinted", "gradient", "JPEG", "border", "shadow", "pencil"]


@pytest.fixture(scope="module")
def answers():
    """Return the bundled model's answers to pictures `[N, 28, 28]`."""
    reader = predict.open_reader()
    return lambda images: reader.judge(np.asarray(images)).classes


@pytest.fixture(scope="module")
def digits():
    return split(MNIST, 5_000).validation.images[:PICTURES]


def written(digit, canvas, size, width, ink=0, paper=255):
    """A digit written with a pen of that width, black on white."""
    sheet = Image.new("L", canvas, paper)
    side = size / 0.65  # the strokes of a digit are as high as two thirds of their square
    left, top = (canvas[0] - side) / 2, (canvas[1] - side) / 2
    for line in strokes.DIGITS[str(digit)]:
        points = [(left + x * side, top + y * side) for x, y in line]
        ImageDraw.Draw(sheet).line(points, ink, width, joint="curve")
    return np.asarray(sheet)


def test_a_picture_of_mnist_comes_back_as_it_is(mnist):
    for image in mnist.images[:500]:
        assert np.array_equal(picture.read(image).image, image)
        assert np.array_equal(picture.read(255 - image).image, image)


def test_what_was_read_is_read_again_as_it_is(digits):
    for image in digits[:30]:
        once = picture.read(sheets.resized(image, 7)).image
        assert np.array_equal(picture.read(once).image, once)


def test_an_enlarged_digit_comes_back_nearly_as_it_was(digits):
    difference = [np.abs(picture.read(sheets.resized(i, 7)).image.astype(int) - i).mean() for i in digits]
    assert np.mean(difference) < 8  # of 255; to move a digit by a pixel costs 20 and more


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "least"), [*((way, 96) for way in AS_LEGIBLE), ("1-pixel line", 88), ("thick marker", 88)]
)
def test_it_is_answered_as_the_original_is(way, least, digits, answers):
    """The shares themselves are measured by benchmarks/handwriting.py."""
    rng = np.random.default_rng(0)
    readings = [picture.read(sheets.WAYS[way](digit, rng)) for digit in digits]
    assert least < 96 or sum(reading.verdict == "digit" for reading in readings) >= 99
    images = [np.zeros((28, 28), np.uint8) if reading.image is None else reading.image for reading in readings]
    assert (answers(images) == answers(digits)).sum() >= least


@pytest.mark.slow
@pytest.mark.parametrize(
    ("canvas", "size", "width"),
    [((1000, 800), 600, 1), ((1000, 800), 100, 1), ((400, 300), 200, 3), ((400, 300), 200, 20), ((500, 500), 380, 60)],
)
def test_digits_as_one_writes_them_at_school_are_read(canvas, size, width, answers):
    images = [picture.read(written(digit, canvas, size, width)).image for digit in range(10)]
    assert (answers(images) == np.arange(10)).sum() >= 9


@settings(max_examples=30, deadline=None)
@given(
    digit=st.integers(0, 9),
    factor=st.floats(3, 15),
    ink=st.integers(0, 90),
    paper=st.integers(160, 255),
    dark=st.booleans(),
    least=st.floats(0.6, 1),
    quality=st.integers(40, 95),
    seed=st.integers(0, 2**32 - 1),
)
def test_all_at_once_it_is_still_the_same_shape(digits, digit, factor, ink, paper, dark, least, quality, seed):
    rng = np.random.default_rng(seed)
    original = digits[digit]
    sheet = sheets.placed(sheets.resized(original, factor), rng, rng.uniform(1, 2, 2)).astype(float) / 255
    lit = (paper - (paper - ink) * sheet) * sheets.light(sheet.shape, rng, least)
    grey = sheets.jpeg(sheets.pixels(lit if dark else 255 - lit), quality)
    reading = picture.read(grey)
    assert reading.verdict == "digit"
    assert np.corrcoef(reading.image.ravel(), original.ravel())[0, 1] > 0.6  # a thin digit a pixel aside


def blank(value):
    return np.full((300, 400), value, np.uint8)


def drawn(draw, canvas=(400, 300)):
    sheet = Image.new("L", canvas, 255)
    draw(ImageDraw.Draw(sheet))
    return np.asarray(sheet)


RNG = np.random.default_rng(0)
NO_DIGITS = {
    "white": blank(255),
    "black": blank(0),
    "grey": blank(120),
    "one pixel": np.zeros((1, 1), np.uint8),
    "a line of pixels": RNG.integers(0, 256, (1, 50)).astype(np.uint8),
    "noise": RNG.integers(0, 256, (300, 400)).astype(np.uint8),
    "noise of 28×28": RNG.integers(0, 256, (28, 28)).astype(np.uint8),
    "black and white noise": (RNG.random((300, 400)) < 0.5).astype(np.uint8) * 255,
    "faint noise": sheets.pixels(200 + 5 * RNG.normal(size=(300, 400))),
    "light from one side": sheets.pixels(255 * sheets.light((300, 400), RNG, 0.1)),
    "dust": drawn(lambda d: [d.rectangle((x, x, x + 3, x + 3), 0) for x in (50, 120, 200)]),
    "a disc": drawn(lambda d: d.ellipse((150, 100, 250, 200), 0)),
    "a square": drawn(lambda d: d.rectangle((150, 100, 250, 200), 0)),
    "a frame": drawn(lambda d: d.rectangle((0, 0, 399, 299), outline=0, width=8)),
    "a frame within": drawn(lambda d: d.rectangle((20, 20, 379, 279), outline=0, width=3)),
    "the table beside the paper": drawn(lambda d: d.rectangle((0, 0, 40, 299), 30)),
    "a corner of the table": drawn(lambda d: d.polygon([(0, 0), (120, 0), (0, 120)], 30)),
    "ruled paper": drawn(lambda d: [d.line((0, y, 400, y), 150) for y in range(20, 300, 30)]),
    "a dash": drawn(lambda d: d.line((100, 150, 300, 150), 0, 6)),
    "a chequerboard": np.kron(np.indices((15, 20)).sum(0) % 2 * 255, np.ones((20, 20))).astype(np.uint8),
    "stripes": np.tile(np.repeat(np.uint8([0, 255]), 10), (300, 20)),
    "a scribble": drawn(lambda d: d.line([tuple(RNG.uniform(50, 250, 2)) for _ in range(60)], 0, 4)),
}


@pytest.mark.parametrize("name", NO_DIGITS)
def test_what_is_no_digit_is_not_guessed_at(name):
    reading = picture.read(NO_DIGITS[name])
    assert (reading.verdict, reading.image) == ("no digit found", None)


def test_two_digits_are_several(digits):
    for one, other in zip(digits[:20], digits[20:40], strict=True):
        for both in (np.hstack([one, other]), np.vstack([one, other])):
            assert picture.read(np.kron(255 - both, np.ones((6, 6), np.uint8))).verdict == "several digits"


def test_the_bar_of_a_five_belongs_to_it():
    five = drawn(lambda d: (d.line((150, 60, 250, 60), 0, 14), d.arc((130, 100, 240, 240), 220, 130, 0, 14)))
    reading = picture.read(five)
    assert reading.verdict == "digit"
    top = np.flatnonzero(reading.image.any(1))[0]
    assert (reading.image[top : top + 3] > 128).sum() > 12


def test_dirt_a_comma_and_a_frame_are_left_out():
    clean = written(7, (400, 300), 200, 12)
    dirty = Image.fromarray(clean)
    draw = ImageDraw.Draw(dirty)
    draw.rectangle((5, 5, 394, 294), outline=0, width=4)
    draw.rectangle((30, 40, 34, 44), 0)
    draw.ellipse((330, 240, 345, 265), 0)
    assert np.array_equal(picture.read(np.asarray(dirty)).image, picture.read(clean).image)


def test_a_faint_digit_is_read_beside_the_dark_table():
    sheet = written(3, (400, 300), 180, 8, ink=150, paper=220).copy()
    alone = picture.read(sheet).image
    sheet[:, :30] = 15
    assert np.corrcoef(picture.read(sheet).image.ravel(), alone.ravel())[0, 1] > 0.98


def test_the_steps_lead_from_the_picture_to_the_digit():
    grey = written(2, (1000, 800), 500, 3)
    reading = picture.read(grey, steps=True)
    titles = [title for title, _ in reading.steps]
    assert len(titles) == len(set(titles)) == 6
    assert np.array_equal(reading.steps[0][1], grey)
    assert np.array_equal(reading.steps[-1][1], reading.image)
    assert all(step.dtype == np.uint8 and step.ndim == 2 and step.max() > 128 for _, step in reading.steps)
    assert picture.read(grey).steps == ()
    assert [len(picture.read(NO_DIGITS[name], steps=True).steps) for name in ("white", "a disc")] == [1, 2]


def test_plain_only_resizes(mnist):
    image = mnist.images[0]
    assert np.array_equal(picture.plain(image), image)
    assert np.array_equal(picture.plain(np.kron(image, np.ones((3, 3), np.uint8))), image)


def test_what_is_as_mnist_is_told_of_many_at_once(mnist):
    """The same as SciPy's centre of mass tells of each."""
    greys = np.concatenate([mnist.images[:300], 255 - mnist.images[:50], np.roll(mnist.images[:50], 3, axis=1)])
    light, are = picture.as_mnist(greys)
    for grey, image, like in zip(greys, light, are, strict=True):
        expected = 255 - grey if grey[0, 0] > 127 else grey
        assert np.array_equal(image, expected)
        rows, columns = np.flatnonzero(expected.any(1)), np.flatnonzero(expected.any(0))
        large = max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        assert like == (large and max(abs(at - 14) for at in ndimage.center_of_mass(expected)) < 0.52)
    assert are[:350].mean() > 0.95
    assert not are[350:].any()
    assert picture.as_mnist(np.zeros((0, 28, 28), np.uint8))[1].shape == (0,)
    assert not picture.as_mnist(np.zeros((1, 28, 28), np.uint8))[1].any()


def test_ink_and_the_width_of_a_bar_are_measured():
    assert list(ink.look(np.full((300, 200), 90, np.uint8))) == []
    bar = np.zeros((120, 120), bool)
    bar[10:110, 50:62] = True
    assert abs(stroke.width(bar) - 12) < 1.5
