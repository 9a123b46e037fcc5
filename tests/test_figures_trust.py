import numpy as np
import pytest

from tenfold import statistics
from tenfold.report.figures import style, trust
from tenfold.report.figures.trust import Row
from test_statistics import _logits


def _lines(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def test_reliability_is_accuracy_by_confidence_before_and_after():
    logits, labels = _logits(n=2_000)
    before, after = statistics.probabilities(logits), statistics.probabilities(logits, 2.5)
    figure = trust.reliability(before, after, labels)
    for column, p in enumerate((before, after)):
        upper, lower = figure.axes[column], figure.axes[2 + column]
        bins = statistics.calibration_bins(p, labels)
        filled = bins.pictures > 0
        points = upper.containers[0].lines[0]
        np.testing.assert_allclose(points.get_xdata(), 100 * (bins.confidence / np.maximum(bins.pictures, 1))[filled])
        np.testing.assert_allclose(points.get_ydata(), 100 * (bins.right / np.maximum(bins.pictures, 1))[filled])
        low, high = upper.containers[0].lines[2][0].get_segments()[-1][:, 1]
        last = np.flatnonzero(filled)[-1]
        expected = statistics.wilson_interval(int(bins.right[last]), int(bins.pictures[last]))
        assert (low / 100, high / 100) == pytest.approx(expected)
        assert [bar.get_height() for bar in lower.patches] == bins.pictures.tolist()
        assert lower.get_xlabel() == "confidence, %"
    errors = [100 * statistics.expected_calibration_error(p, labels) for p in (before, after)]
    title = f"Calibration error: {errors[0]:.2f}% before temperature scaling, {errors[1]:.2f}% after"
    assert figure.get_suptitle() == title
    assert [axis.get_title() for axis in figure.axes[:2]] == ["before", "after temperature scaling"]
    style.svg(figure)


def test_selective_draws_each_model_from_its_surest_answer_to_all():
    labels = np.array([0, 0, 1, 1])
    good = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    poor = np.array([[0.05, 0.95], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    figure = trust.selective([("poor", poor), ("good", good)], labels)
    lines = _lines(figure.axes[0])
    np.testing.assert_allclose(lines["good"].get_xdata(), [25, 50, 75, 100])
    np.testing.assert_allclose(lines["good"].get_ydata(), 100)
    np.testing.assert_allclose(lines["poor"].get_ydata(), [0, 50, 100 * 2 / 3, 75])
    assert lines["good"].get_marker() != lines["poor"].get_marker()
    assert lines["good"].get_linestyle() != lines["poor"].get_linestyle()
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["poor", "good"]
    assert figure.get_suptitle() == "good answers the surest 100.0% without an error"


ROWS = [
    Row("quick", "validation", 0.99, (0.985, 0.994)),
    Row("quick", "test", 0.991, (0.989, 0.993)),
    Row("standard", "validation", 0.996, (0.993, 0.998)),
    Row("ridge", "validation", 0.85, (0.84, 0.86)),
    Row("perfect", "test", 1.0, (0.9996, 1.0)),
]


def _forest():
    right, wrong = np.ones(100, bool), np.arange(100) > 20
    return trust.forest(ROWS, [(0, 2, statistics.mcnemar(right, right)), (2, 3, statistics.mcnemar(right, wrong))])


def test_forest_has_every_row_where_it_belongs():
    figure = _forest()
    (axis,) = figure.axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["standard", "quick", "ridge", "perfect", "quick"]
    points = {int(line.get_ydata()[0]): line for line in axis.get_lines() if len(line.get_xdata()) == 1}
    intervals = {int(line.get_ydata()[0]): line for line in axis.get_lines() if len(line.get_xdata()) == 2}
    assert [points[y].get_xdata()[0] for y in range(5)] == pytest.approx([0.996, 0.99, 0.85, 1, 0.991], abs=1e-4)
    np.testing.assert_allclose(intervals[0].get_xdata(), (0.993, 0.998))
    np.testing.assert_allclose(intervals[4].get_xdata(), (0.989, 0.993))
    assert [points[y].get_marker() for y in range(5)] == ["o", "o", "o", "s", "s"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["validation", "test"]
    assert axis.get_ylim() == (4.5, -0.5)  # the first on top
    style.svg(figure)


def test_forest_tells_the_verdicts_beside_the_best_of_the_split():
    figure = _forest()
    (axis,) = figure.axes
    texts = {round(text.get_position()[1]): text.get_text() for text in axis.texts}
    assert texts[0] == "99.60% (99.30 to 99.80)  best"
    assert texts[1] == "99.00% (98.50 to 99.40)  tied, p = 1"
    assert texts[2] == "85.00% (84.00 to 86.00)  worse, p < 0.001"
    assert texts[4] == "99.10% (98.90 to 99.30)  "  # not compared
    assert figure.get_suptitle() == "standard is best on validation pictures: 99.60%; 1 other cannot be told from it"


def test_forest_of_one_model_compares_nothing():
    figure = trust.forest(ROWS[:1], [])
    assert figure.get_suptitle() == "quick on validation pictures: 99.00%"
    assert figure.axes[0].texts[0].get_text() == "99.00% (98.50 to 99.40)  "
    assert len(figure.axes[0].get_xticks()) >= 3
    assert not figure.legends


def test_seed_spread_has_a_dot_a_seed_and_the_t_interval():
    quick, best = np.array([0.990, 0.991, 0.989, 0.9905]), np.array([0.997])
    figure = trust.seed_spread([("quick", quick), ("best", best)])
    (axis,) = figure.axes
    dots = [line for line in axis.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[0].get_xdata(), 100 * quick)
    np.testing.assert_allclose(dots[1].get_xdata(), 100 * best)
    (bar,) = axis.containers  # one seed has no spread
    spread = statistics.over_seeds(100 * quick)
    np.testing.assert_allclose(bar.lines[2][0].get_segments()[0][:, 0], spread.interval)
    assert bar.lines[0].get_xdata()[0] == pytest.approx(spread.mean)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["quick\n4 seeds", "best\n1 seed"]
    assert figure.get_suptitle() == f"quick: 99.01% ± {spread.sd:.2f} over 4 seeds"


def test_single_seeds_have_no_spread():
    title = trust.seed_spread([("quick", np.array([0.99]))]).get_suptitle()
    assert title == "One seed a recipe: nothing is known of their spread"
