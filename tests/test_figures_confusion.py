import numpy as np
import pytest

from tenfold.report.figures import confusion, style

CLASSES = ("zero", "one", "two")
COUNTS = np.array([[90, 0, 10], [1, 49, 0], [0, 2, 18]])


def _cells(axis):
    """The texts in an axis as {(true, predicted): text}."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axis.texts}


def _tick_labels(axis):
    return [t.get_text() for t in axis.get_xticklabels()], [t.get_text() for t in axis.get_yticklabels()]


def _title(figure):
    return figure.get_suptitle()


def test_matrix_shows_counts_and_shares_of_the_true_class():
    figure = confusion.matrix(COUNTS, CLASSES)
    counts, shares = figure.axes
    assert _cells(counts) == {
        (0, 0): "90", (0, 1): "", (0, 2): "10",
        (1, 0): "1", (1, 1): "49", (1, 2): "",
        (2, 0): "", (2, 1): "2", (2, 2): "18",
    }  # fmt: skip
    assert _cells(shares) == {
        (0, 0): "90.0", (0, 1): "", (0, 2): "10.0",
        (1, 0): "2.00", (1, 1): "98.0", (1, 2): "",
        (2, 0): "", (2, 1): "10.0", (2, 2): "90.0",
    }  # fmt: skip
    for axis in (counts, shares):
        assert _tick_labels(axis) == (list(CLASSES), list(CLASSES))
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")
    assert _title(figure) == "zero is most often taken for two: 10 of 13 errors"


def test_the_diagonal_is_without_colour_and_errors_use_the_whole_scale():
    sheet = confusion.matrix(COUNTS, CLASSES).axes[0].images[0]
    values = np.ma.filled(sheet.get_array().astype(float), np.nan)
    assert np.isnan(values.diagonal()).all()
    assert values[0, 2] == 10
    assert sheet.get_clim() == (0, 10)


@pytest.mark.parametrize("counts", [np.diag([5, 6, 7]), np.zeros((3, 3), int)])
def test_a_matrix_without_errors(counts):
    figure = confusion.matrix(counts, CLASSES)
    assert _title(figure) == f"No errors in {counts.sum()} pictures"
    style.svg(figure)


def test_difference_is_the_second_less_the_first_with_signs():
    second = np.array([[97, 0, 3], [2, 48, 0], [0, 2, 18]])
    figure = confusion.difference(COUNTS, second, ("old", "new"), CLASSES)
    old, new, change = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["old", "new", "second less first"]
    assert (_cells(old)[0, 2], _cells(new)[0, 2], _cells(change)[0, 2]) == ("10", "3", "−7")
    assert (_cells(change)[1, 0], _cells(change)[2, 1], _cells(change)[0, 0]) == ("+1", "", "+7")
    assert change.images[0].get_clim() == (-7, 7)
    assert old.images[0].get_clim() == new.images[0].get_clim() == (0, 10)  # one scale for both
    assert _title(figure) == "new makes 6 errors fewer than old;\nlargest change: zero taken for two: −7"


def test_models_that_err_alike():
    title = _title(confusion.difference(COUNTS, COUNTS, ("old", "new"), CLASSES))
    assert title == "new makes as many errors as old, of the same kinds"


def test_most_confused_shows_the_pictures_of_each_pair(mnist):
    images, labels = mnist.images[:300], mnist.labels[:300]
    predicted = labels.copy()
    fours, ones = np.flatnonzero(labels == 4)[:3], np.flatnonzero(labels == 1)[:1]
    predicted[fours], predicted[ones] = 9, 7
    figure = confusion.most_confused(images, labels, predicted, [str(digit) for digit in range(10)])
    assert _title(figure) == "4 is most often taken for 9: 3 of 4 errors"
    first, second = figure.axes
    assert first.texts[0].get_text() == f"4 taken for 9:\n3 of {(labels == 4).sum()} pictures"
    assert second.texts[0].get_text() == f"1 taken for 7:\n1 of {(labels == 1).sum()} pictures"
    sheet = first.images[0].get_array()
    for place, index in enumerate(fours):
        np.testing.assert_array_equal(sheet[:28, 29 * place : 29 * place + 28], images[index])
    np.testing.assert_array_equal(second.images[0].get_array()[:28, :28], images[ones[0]])


def test_most_confused_of_a_model_without_errors(mnist):
    labels = mnist.labels[:50]
    figure = confusion.most_confused(mnist.images[:50], labels, labels, [str(digit) for digit in range(10)])
    assert _title(figure) == "No errors in 50 pictures"
    style.svg(figure)


def test_names_stay_plain_text():
    hostile = ("<script>alert(1)</script>", r"$\frac$", "a very long name of a class that would push all aside")
    text = style.svg(confusion.matrix(COUNTS, hostile))
    assert "<script" not in text
    assert "frac$" in text
    assert "push all aside" not in text
