"""Kinds of pictures that people take: each is read as the same digit on a clean sheet is, or said to be doubtful."""

import numpy as np
import pytest
from benchmarks import sheets
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tenfold.handwriting import line, picture
from tenfold.predict import open_reader
from test_picture import written

DIGITS = st.integers(0, 9)


def likeness(grey, clean):
    """Return the correlation of two pictures as they are read, at most a pixel aside; 0 where one is refused."""
    one, other = picture.read(np.asarray(grey)).image, picture.read(np.asarray(clean)).image
    if one is None or other is None:
        return 0.0
    aside = [np.roll(one, shift, (0, 1)) for shift in np.ndindex(3, 3)]
    return max(np.corrcoef(moved.ravel(), np.roll(other, (1, 1), (0, 1)).ravel())[0, 1] for moved in aside)


@settings(max_examples=40, deadline=None)
@given(DIGITS, st.integers(40, 270), st.integers(20, 110), st.floats(-15, 15), st.booleans())
def test_a_sheet_on_a_desk(digit, margin, desk, tilt, noisy):
    sheet = written(digit, (600, 600), 260, 12, ink=60, paper=210)
    photograph = sheets.on_desk(sheet, margin, desk, tilt)
    if noisy:
        photograph = sheets.pixels(photograph + np.random.default_rng(0).normal(0, 4, photograph.shape))
    clean = Image.fromarray(sheet).rotate(tilt, Image.Resampling.BICUBIC, fillcolor=210)
    assert likeness(photograph, clean) > 0.6


@settings(max_examples=40, deadline=None)
@given(DIGITS, st.integers(4, 22), st.booleans(), st.integers(0, 3))
def test_a_cut_so_close_that_ink_touches_the_border(digit, width, light, margin):
    assume(digit != 1 or width <= 16)  # of a bold 1 there is more ink than paper
    clean = written(digit, (400, 400), 240, width)
    rows, columns = np.flatnonzero((clean < 128).any(1)), np.flatnonzero((clean < 128).any(0))
    cut = clean[rows[0] - margin : rows[-1] + 1 + margin, columns[0] - margin : columns[-1] + 1 + margin]
    assert likeness(255 - cut if light else cut, clean) > 0.6


@settings(max_examples=40, deadline=None)
@given(DIGITS, st.integers(8, 34), st.integers(40, 170), st.integers(3, 10), st.integers(0, 9), st.booleans())
def test_a_frame_as_grey_as_may_be_that_the_digit_nearly_touches(digit, width, grey, thick, inset, light):
    clean = written(digit, (400, 400), 240, width)
    rows, columns = np.flatnonzero((clean < 128).any(1)), np.flatnonzero((clean < 128).any(0))
    margin = thick + inset + 6
    near = Image.fromarray(clean[rows[0] - margin : rows[-1] + margin, columns[0] - 40 : columns[-1] + 40])
    edge = (inset, inset, near.width - 1 - inset, near.height - 1 - inset)
    ImageDraw.Draw(near).rectangle(edge, outline=grey, width=thick)
    framed = np.asarray(near)
    assert likeness(255 - framed if light else framed, clean) > 0.6


@settings(max_examples=40, deadline=None)
@given(DIGITS, st.integers(16, 30), st.integers(0, 7), st.floats(0.35, 0.8))
def test_a_digit_that_stands_on_the_border_of_an_unevenly_lit_picture(digit, width, turn, darkest):
    clean = written(digit, (400, 400), 240, width)
    rows = np.flatnonzero((clean < 128).any(1))
    standing = clean[rows[-1] - 300 : rows[-1], 50:350].astype(float)
    angle = turn * np.pi / 4
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    along = x * np.cos(angle) + y * np.sin(angle)
    lit = 1 - (1 - darkest) * (along - along.min()) / np.ptp(along)
    assert likeness((standing * lit).astype(np.uint8), clean) > 0.6


@pytest.mark.parametrize("radius", [40, 60, 80])
@pytest.mark.parametrize("width", [4, 13, 24])
@pytest.mark.parametrize("light", [False, True])
def test_a_zero_that_runs_along_every_border(radius, width, light):
    """Gave \"5, sure 98%\": an outline on all four sides was taken for a frame."""
    clean = Image.new("L", (220, 220), 255)
    ImageDraw.Draw(clean).rounded_rectangle((30, 30, 189, 189), radius=radius, outline=0, width=width)
    cut = np.asarray(clean)[30:190, 30:190]
    assert likeness(255 - cut if light else cut, clean) > 0.6


@settings(max_examples=30, deadline=None)
@given(DIGITS, st.integers(20, 60), st.integers(10, 90), st.sampled_from(["left", "right", "top", "corners"]))
def test_dark_strips_and_corners(digit, wide, dark, where):
    clean = written(digit, (400, 400), 200, 10, ink=40, paper=220)
    photograph = Image.fromarray(clean)
    draw = ImageDraw.Draw(photograph)
    boxes = {"left": (0, 0, wide, 399), "right": (399 - wide, 0, 399, 399), "top": (0, 0, 399, wide)}
    if where == "corners":
        for x, y in ((0, 0), (399, 0), (0, 399), (399, 399)):
            draw.polygon([(x, y), (abs(x - 1.5 * wide), y), (x, abs(y - 1.5 * wide))], dark)
    else:
        draw.rectangle(boxes[where], dark)
    assert likeness(photograph, clean) > 0.6


@settings(max_examples=40, deadline=None)
@given(DIGITS, st.integers(90, 300), st.integers(150, 200), st.integers(2, 4), st.floats(-2, 2), st.booleans())
@example(7, 101, 175, 2, -0.153, True)  # a line between two pixels, half of it in each
@example(7, 130, 186, 2, 0.588, True)
@example(1, 193, 167, 4, 0.002, True)  # a stroke along a line
def test_ruled_and_squared_paper(digit, step, grey, thick, tilt, squares):
    """A line that crossed the digit was taken for a faint stroke of it."""
    clean = written(digit, (400, 400), 200, 10)
    paper = Image.new("L", (600, 600), 255)
    for at in range(step // 2, 600, step):
        ImageDraw.Draw(paper).line((0, at, 600, at), grey, thick)
        if squares:
            ImageDraw.Draw(paper).line((at, 0, at, 600), grey, thick)
    lines = np.asarray(paper.rotate(tilt, Image.Resampling.BICUBIC))[100:500, 100:500]
    assert likeness(np.minimum(clean, lines), clean) > 0.6


@pytest.mark.parametrize("digit", range(10))
def test_ruled_paper_in_a_noisy_picture(digit):
    sheet = written(digit, (400, 400), 200, 10, ink=110, paper=235).copy()
    for at in (70, 71):
        sheet[at::90] = np.minimum(sheet[at::90], 200)
    noisy = sheets.pixels(sheet + np.random.default_rng(digit).normal(0, 14, sheet.shape))
    reading = picture.read(noisy)
    assert (reading.verdict, reading.doubts) == ("digit", ())


@settings(max_examples=30, deadline=None)
@given(DIGITS, st.integers(32, 60), st.integers(60, 160), st.integers(-6, 6))
def test_a_line_under_a_digit(digit, gap, half, slope):
    """It was read as a part of the digit, as the bar of a 5 is."""
    clean = written(digit, (400, 400), 200, 10)
    line = Image.fromarray(clean)
    y = np.flatnonzero((clean < 128).any(1))[-1] + gap
    ImageDraw.Draw(line).line((200 - half, y - slope, 200 + half, y + slope), 0, 10)
    assert likeness(line, clean) > 0.6


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([0, 3, 8]), st.floats(0.3, 0.75), st.integers(5, 14))
def test_half_of_a_digit_in_fainter_ink(digit, share, width):
    """It is read whole, or doubtful; never half of it as if it were all."""
    clean = written(digit, (320, 320), 200, width, ink=90)
    half = sheets.half_faint(clean, share)
    reading = picture.read(half)
    assert reading.doubts or likeness(half, clean) > 0.6


@pytest.mark.parametrize("gap", [4, 8, 12])
def test_a_digit_in_pieces_is_one_digit(gap):
    clean = written(0, (320, 320), 200, 14)
    broken = sheets.with_gap(clean, (160, 160), 0, gap)
    reading = picture.read(broken)
    assert reading.verdict == "digit"
    assert likeness(broken, clean) > 0.6


def drawn(*strokes):
    sheet = Image.new("L", (300, 300), 255)
    for points in strokes:
        ImageDraw.Draw(sheet).line([(30 * x, 30 * y) for x, y in points], 0, 10)
    return np.asarray(sheet)


@pytest.mark.parametrize(
    "strokes",
    [
        [[(5, 4), (5, 8)], [(5, 2), (5, 2.4)]],  # i
        [[(3, 4), (7, 4)], [(3, 6), (7, 6)]],  # =
        [[(5, 3), (5, 3.4)], [(5, 7), (5, 7.4)]],  # :
        [[(2, 2), (2, 8)], [(5, 2), (5, 8)], [(8, 2), (8, 8)]],  # 川
        [[(4, 3), (2, 8)], [(6, 3), (8, 8)]],  # 八
        [[(2, 2), (2, 8), (4, 8), (4, 5), (2, 5)], [(7, 2), (7, 8)]],  # ы
    ],
)
def test_all_ink_is_one_character_where_classes_are_not_digits(strokes):
    grey = drawn(*strokes)
    reading = picture.read(grey, digits_only=picture.are_digits(["i", "="]))
    assert reading.verdict == "digit"
    rows, columns = (np.ptp(np.flatnonzero(reading.image.any(axis))) + 1 for axis in (1, 0))
    down, over = (np.ptp(np.flatnonzero((grey < 128).any(axis))) + 1 for axis in (1, 0))
    assert rows / columns == pytest.approx(down / over, rel=0.6)
    assert max(rows, columns) == 20


def test_a_zero_on_its_side():
    wide = Image.new("L", (400, 200), 255)
    ImageDraw.Draw(wide).ellipse((50, 50, 350, 150), outline=0, width=10)
    assert picture.read(np.asarray(wide)).verdict == "digit"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(2, 6), min_size=1, max_size=4), st.floats(-6, 6))
def test_rows_on_a_tilted_page(lengths, tilt):
    page = Image.new("L", (900, 200 * len(lengths) + 100), 255)
    digits = []
    for row, length in enumerate(lengths):
        for column in range(length):
            digit = (3 * row + column) % 10
            digits.append((row, digit))
            page.paste(Image.fromarray(written(digit, (120, 150), 110, 8)), (60 + 130 * column, 60 + 200 * row))
    found = line.page(np.asarray(page.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=255))).pieces
    assert [piece.row for piece in found] == [row for row, _ in digits]


def test_what_is_not_read_is_listed(mnist):
    row = np.kron(255 - np.concatenate(list(mnist.images[:4]), axis=1), np.ones((4, 4), np.uint8))
    page = Image.new("L", (row.shape[1] + 120, row.shape[0]), 255)
    page.paste(Image.fromarray(row))
    ImageDraw.Draw(page).ellipse((row.shape[1] + 10, 20, row.shape[1] + 90, 95), 0)
    found = line.page(np.asarray(page))
    assert len(found.pieces) == 4
    ((left, _, width, _),) = found.unread
    assert left >= row.shape[1]
    assert width > 60


@pytest.mark.slow
def test_a_picture_of_doubt_is_never_sure():
    reader = open_reader()
    faint = Image.new("L", (320, 320), 255)
    draw = ImageDraw.Draw(faint)
    draw.arc((100, 60, 220, 260), 90, 270, fill=105, width=8)
    draw.arc((100, 60, 220, 260), -90, 90, fill=200, width=8)
    (answer,) = reader.read([reader.prepare(np.asarray(faint))])
    assert (answer.label, answer.verdict) == ("0", "unsure")
    assert answer.doubts
