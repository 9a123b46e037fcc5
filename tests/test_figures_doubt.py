import numpy as np
import pytest

from tenfold.report.figures import doubt

DIGITS = tuple("0123456789")


def _texts(figure):
    return [axis.get_title() for axis in figure.axes if axis.images]


@pytest.fixture
def images(mnist):
    return mnist.images[:50]


def test_each_picture_stands_under_its_own_labels(images):
    given, suggested = np.array([4, 5, 9, 4]), np.array([7, 3, 7, 9])
    figure = doubt.doubtful(images[:4], given, suggested, DIGITS)
    assert _texts(figure) == ["4 → 7", "5 → 3", "9 → 7", "4 → 9"]
    for axis, image in zip(figure.axes, images[:4], strict=False):
        np.testing.assert_array_equal(axis.images[0].get_array(), image)
        assert axis.images[0].get_clim() == (0, 255)


def test_the_title_counts_all_and_the_grid_shows_the_first(images):
    given, suggested = np.tile([4, 3], 25), np.tile([9, 5], 25)
    given[-1] = 4  # now 4 that looks like 5: one; 4 → 9: 25
    figure = doubt.doubtful(images, given, suggested, DIGITS)
    assert figure.get_suptitle() == "50 labels are in doubt; most often 4 that looks like 9: 25"
    assert len(_texts(figure)) == doubt.SHOWN == 40


@pytest.mark.parametrize(
    ("count", "title"),
    [
        (0, "No label is in doubt"),
        (1, "1 label is in doubt; most of all 4 that looks like 7"),
        (2, "2 labels are in doubt; most of all 4 that looks like 7"),
    ],
)
def test_few_doubts(images, count, title):
    figure = doubt.doubtful(images[:count], np.array([4, 5])[:count], np.array([7, 3])[:count], DIGITS)
    assert figure.get_suptitle() == title
    assert len(_texts(figure)) == count


def test_long_names_stand_in_two_lines(images):
    figure = doubt.doubtful(images[:1], np.array([0]), np.array([1]), ("Ankle boot", "$x$ of more than 14 letters"))
    assert _texts(figure) == ["Ankle boot\n→ \\$x\\$ of more t…"]


def test_planted_draws_precision_and_recall():
    found = np.array([True, True, False, True, False])
    figure = doubt.planted(found, 4)
    (axis,) = figure.axes
    precision, recall = axis.lines[:2]
    assert precision.get_label().startswith("precision")
    np.testing.assert_allclose(precision.get_ydata(), [1, 1, 2 / 3, 3 / 4, 3 / 5])
    assert recall.get_label().startswith("recall")
    np.testing.assert_allclose(recall.get_ydata(), [1 / 4, 2 / 4, 2 / 4, 3 / 4, 3 / 4])
    assert precision.get_linestyle() != recall.get_linestyle()
    for line in (precision, recall):
        assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert axis.lines[2].get_xdata() == [4, 4]
    assert figure.get_suptitle() == "3 of 4 planted wrong labels are found (75%), in a list of 5"
    assert axis.get_xlabel()
    assert axis.get_ylabel()
