import numpy as np
import pytest

from tenfold.report.figures import style, tuning
from tenfold.report.figures.layout import layout
from test_figures_tuning import FAILED, ended, headline, searched

pytestmark = pytest.mark.slow

RATES, SMOOTHINGS = (0.001, 0.01, 0.1), (0.0, 0.1, 0.2)
GRID = [
    ended(0.98 + at / 1000, 1.0, learning_rate=rate, smoothing=smoothing)
    for at, (rate, smoothing) in enumerate((rate, smoothing) for rate in RATES for smoothing in SMOOTHINGS)
]
CHANCE = [
    ended(0.981 + at / 1000, 1.0, learning_rate=float(10**x), smoothing=float(y))
    for at, (x, y) in enumerate(np.random.default_rng(0).uniform((-2.9, 0.01), (-1.1, 0.19), (9, 2)))
]
SEARCHES = {"grid": GRID, "random": CHANCE}


def _panels(figure, column):
    """The axes of a search: accuracy above, where its trials are, accuracy beside."""
    half = len(figure.axes) // 2
    return figure.axes[2 * column], figure.axes[half + 2 * column], figure.axes[half + 2 * column + 1]


def _points(axis, markers):
    return np.concatenate([line.get_xydata() for line in axis.lines if line.get_marker() in markers])


def test_each_trial_is_where_its_two_values_put_it():
    figure = layout(SEARCHES, "learning_rate", "smoothing", {"learning_rate"})
    for column, trials in enumerate(SEARCHES.values()):
        x = [(np.log10(trial.values["learning_rate"]) + 3) / 2 for trial in trials]
        y = [trial.values["smoothing"] / 0.2 for trial in trials]
        accuracy = [trial.accuracy for trial in trials]
        above, middle, beside = _panels(figure, column)
        np.testing.assert_allclose(_points(middle, style.MARKERS), np.transpose([x, y]), atol=1e-12)
        np.testing.assert_allclose(_points(above, style.MARKERS), np.transpose([x, accuracy]), atol=1e-12)
        np.testing.assert_allclose(_points(beside, style.MARKERS), np.transpose([accuracy, y]), atol=1e-12)
        np.testing.assert_allclose(_points(middle, "|")[:, 0], x)  # what is left of them on either axis
        np.testing.assert_allclose(_points(middle, "_")[:, 1], y)
    _, middle, _ = _panels(figure, 0)
    assert [label.get_text() for label in middle.get_xticklabels()] == ["0.001", "0.003", "0.01", "0.03", "0.1"]
    assert (middle.get_xlabel(), middle.get_ylabel()) == ("learning_rate", "smoothing")


def test_the_title_counts_the_values_of_what_matters():
    figure = layout(SEARCHES, "learning_rate", "smoothing")
    assert headline(figure) == "grid tried 3 values of learning_rate, random 9, in 9 trials each"
    figure = layout({"grid": GRID, "$a$": CHANCE[:4]}, "learning_rate", "smoothing")
    assert headline(figure) == r"grid tried 3 values of learning_rate in 9 trials, \$a\$ 4 in 4 trials"
    assert [axis.get_title() for axis in (figure.axes[0], figure.axes[2])] == ["grid: 9 trials", r"\$a\$: 4 trials"]


def test_trials_without_either_parameter_are_not_counted():
    trials = [*GRID, ended(0.99, 1.0, learning_rate=0.5), ended(0.99, 1.0, smoothing=0.1), FAILED]
    assert headline(layout({"grid": trials}, "learning_rate", "smoothing")) == (
        "grid tried 3 values of learning_rate in 9 trials"
    )


@pytest.mark.parametrize("searches", [{}, {"grid": []}, {"grid": [FAILED]}])
def test_nothing_to_place_says_so(searches):
    figure = layout(searches, "learning_rate", "$x_1$")
    assert headline(figure) == r"No trial has both learning_rate and \$x_1\$"
    assert figure.axes[0].texts[0].get_text() == "no trial has both parameters"


def test_what_failed_is_placed_and_has_no_accuracy():
    trials = [ended(None, 1.0, "failed", a=1, b="x"), ended(0.9, 1.0, "pruned", a=2, b="y")]
    figure = layout({"tpe": trials}, "a", "b")
    above, middle, beside = _panels(figure, 0)
    assert len(_points(middle, style.MARKERS)) == 2
    assert [label.get_text() for label in middle.get_yticklabels()] == ["x", "y"]
    np.testing.assert_allclose(_points(above, "x"), [[1, 0.9]])
    np.testing.assert_allclose(_points(beside, "x"), [[0.9, 1]])
    assert headline(figure) == "tpe tried 2 values of a in 2 trials"
    failed = layout({"tpe": trials[:1]}, "a", "b")
    assert headline(failed) == "tpe tried 1 value of a in 1 trial"


def test_the_lowest_are_triangles_at_the_edges():
    figure = layout({"grid": [*GRID, ended(0.1, 1.0, learning_rate=0.1, smoothing=0.1)]}, "learning_rate", "smoothing")
    above, _, beside = _panels(figure, 0)
    lowest = tuning.lowest_shown(np.array([*(trial.accuracy for trial in GRID), 0.1]))
    np.testing.assert_allclose(_points(above, "v"), [[1, lowest]])
    np.testing.assert_allclose(_points(beside, "<"), [[lowest, 0.5]])


def test_three_searches_of_300_trials_with_accuracy_1():
    trials = [*searched(299), ended(1.0, 1.0, learning_rate=0.02, **{"$x_1$": 0.5})]
    figure = layout({"grid": trials, "random": trials, "tpe": trials}, "$x_1$", "learning_rate", {"learning_rate"})
    assert headline(figure).endswith("in 300 trials each")
    for column in range(3):
        above, middle, _ = _panels(figure, column)
        assert len(_points(middle, style.MARKERS)) == 300
        assert above.get_ylim()[1] > 1
        texts = [text.get_window_extent() for text in middle.get_xticklabels()]
        assert not any(one.overlaps(other) for at, one in enumerate(texts) for other in texts[:at])
