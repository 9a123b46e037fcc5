"""Figures of models: costs, layers, training, confusion, calibration, robustness."""

import numpy as np
import pytest
from matplotlib.text import Text

from tenfold import architectures, baselines, networks, statistics
from tenfold.report.figures import baselines as baseline_figures
from tenfold.report.figures import confusion, network, robustness, style, training, trust
from tenfold.report.figures.trust import Row
from tenfold.robustness import PERTURBATIONS, perturbed
from test_statistics import _logits

DIGITS = "0123456789"


def test_models_are_named_points_with_their_intervals_and_the_best_are_joined():
    points = [
        baseline_figures.Point("slow", 60, 0.996, (0.9955, 0.9965)),
        baseline_figures.Point("fast", 1, 0.99, (0.989, 0.991)),
        baseline_figures.Point("wasteful", 30, 0.989, None),
    ]
    series = [baseline_figures.Series("ours", "o", "k", points, joined=True)]
    (axis,) = baseline_figures.accuracy_against(series, (0.5, 99), "s", "{:g}".format).axes
    assert {text.get_text(): text.xy for text in axis.texts} == {one.name: (one.cost, one.accuracy) for one in points}
    assert [list(line.get_xdata()) for line in axis.lines if line.get_linestyle() == "-"] == [[1, 60]]
    (bars,) = axis.containers[0].lines[2]
    drawn = [segment[:, 1].tolist() for segment in bars.get_segments() if np.isfinite(segment).all() and len(segment)]
    assert drawn == [pytest.approx(one.interval) for one in points[:2]]


def test_labels_of_models_with_the_same_cost_do_not_overlap():
    entries = [
        {"name": name, "accuracy": 0.97 - at / 5_000, "interval": [0.96, 0.975], "train_seconds": 9 + at / 10}
        for at, name in enumerate(baselines.BASELINES)
    ]
    figure = baseline_figures.accuracy_against_seconds(entries)
    style.png(figure)
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]  # without the line to its point
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_the_table_has_every_layer_with_its_shape_and_cost():
    layers = networks.summarise(architectures.keras_example(10))
    (axis,) = network.layer_table(layers).axes
    cells = {(int(text.get_position()[1]), text.get_text()) for text in axis.texts}
    for row, layer in enumerate(layers):
        shape, counts = "×".join(map(str, layer.output_shape)), (layer.parameter_count, layer.multiply_adds)
        assert {(row, text) for text in (layer.name, shape, *(f"{count:,}" for count in counts if count))} <= cells
    assert {(0, "Conv channels 32, kernel 3"), (9, "34,826")} <= cells
    bars = np.array([bar.get_width() for bar in axis.patches]).reshape(2, 9)
    np.testing.assert_allclose(bars[0] / bars[0].sum(), [layer.parameter_count / 34_826 for layer in layers])


def test_filters_and_feature_maps_lie_in_order():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(20, 1, 5, 5)).astype(np.float32)
    (sheet,) = network.filters(weights).axes[0].images
    np.testing.assert_array_equal(sheet.get_array()[6:11, 18:23], weights[19, 0])  # 16 per row, a pixel between
    assert sheet.get_clim() == (-np.abs(weights).max(), np.abs(weights).max())
    image, maps = rng.integers(0, 256, (28, 28), np.uint8), {"conv1": rng.normal(size=(20, 12, 12))}
    picture, conv = network.feature_maps(image, maps).axes
    np.testing.assert_array_equal(picture.images[0].get_array()[:28, :28], image)
    np.testing.assert_array_equal(conv.images[0].get_array()[:, 15 * 13 : 15 * 13 + 12], maps["conv1"][15])
    assert "16 of 20" in conv.texts[0].get_text()


def _history(epochs, seed, parts=("train", "validation")):
    rng = np.random.default_rng(seed)
    return [
        {"epoch": float(epoch), "learning_rate": 0.01 / epoch}
        | {f"{part}_loss": 1 / epoch + rng.random() / 10 for part in parts}
        | {f"{part}_accuracy": 1 - rng.random() / (5 * epoch) for part in parts}
        for epoch in range(1, epochs + 1)
    ]


def test_every_seed_is_a_line_their_range_a_band_and_finished_runs_are_marked():
    histories = [_history(4, 0), _history(2, 1), []]
    figure = training.history(histories, [True, False, False])
    for axis, key in zip(figure.axes[:2], ("loss", "accuracy"), strict=True):
        for part, colour, *_ in training.PARTS:
            drawn = [line.get_xydata() for line in axis.lines if line.get_color() == colour]
            for one, line in zip(histories, drawn, strict=False):
                np.testing.assert_array_equal(line, [(row["epoch"], row[f"{part}_{key}"]) for row in one])
        band = axis.collections[0].get_paths()[0].vertices
        first = [one[0][f"train_{key}"] for one in histories[:2]]
        assert {*band[band[:, 0] == 1, 1]} == {min(first), max(first)}
        assert band[:, 0].max() == 2  # beyond, there is one seed
        (kept,) = [line for line in axis.lines if line.get_label() == "kept"]
        np.testing.assert_array_equal(kept.get_xydata(), [[4, histories[0][-1][f"validation_{key}"]]])
    assert figure.get_suptitle().endswith("2 of 3 runs not finished")


def test_histories_that_are_empty_without_validation_or_half_an_epoch_long():
    style.png(training.history([[]], [False]))
    for history in (_history(3, 0, ["train"]), [_history(1, 0)[0] | {"epoch": 0.85}]):
        low, high = training.history([history], [True]).axes[1].get_ylim()
        assert low < history[-1]["train_accuracy"] < high


def test_a_range_test_marks_where_the_loss_stops_falling():
    rates, losses = np.geomspace(1e-4, 1, 5), np.array([2.3, 2.0, 0.5, 9.0, np.nan])
    (axis,) = training.range_test({"name": (rates, losses)}).axes
    assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--"] == [rates[2]]
    assert axis.get_ylim()[1] < 9


CLASSES = ("zero", "one", "<$\\frac$>")
COUNTS = np.array([[90, 0, 10], [1, 49, 0], [0, 2, 18]])


def _cells(axis):
    size = len(CLASSES)
    cells = {tuple(map(int, text.get_position()[::-1])): text.get_text() for text in axis.texts}
    return [[cells[true, predicted] for predicted in range(size)] for true in range(size)]


def test_a_matrix_shows_counts_and_shares_of_the_true_class():
    figure = confusion.matrix(COUNTS, CLASSES)
    counts, shares = figure.axes
    assert _cells(counts) == [["90", "", "10"], ["1", "49", ""], ["", "2", "18"]]
    assert _cells(shares) == [["90.0", "", "10.0"], ["2.00", "98.0", ""], ["", "10.0", "90.0"]]
    assert np.isnan(np.ma.filled(counts.images[0].get_array(), np.nan).diagonal()).all()
    assert counts.images[0].get_clim() == (0, 10)  # the colours are for the errors
    assert "10 of 13 errors" in figure.get_suptitle()
    assert "<$" not in style.svg(figure)
    assert "No errors" in confusion.matrix(np.diag([5, 6, 7]), CLASSES).get_suptitle()


def test_a_difference_is_the_second_less_the_first():
    second = np.array([[97, 0, 3], [2, 48, 0], [0, 2, 18]])
    figure = confusion.difference(COUNTS, second, ("old", "new"), CLASSES)
    assert _cells(figure.axes[2]) == [["+7", "", "−7"], ["+1", "−1", ""], ["", "", ""]]
    assert figure.axes[2].images[0].get_clim() == (-7, 7)
    assert figure.axes[0].images[0].get_clim() == figure.axes[1].images[0].get_clim() == (0, 10)
    assert "new makes 6 errors fewer than old" in figure.get_suptitle()


def test_the_pairs_confused_most_are_shown_with_their_pictures(mnist):
    images, labels = mnist.images[:300], mnist.labels[:300]
    predicted = labels.copy()
    fours, ones = np.flatnonzero(labels == 4)[:3], np.flatnonzero(labels == 1)[:1]
    predicted[fours], predicted[ones] = 9, 7
    first, second = confusion.most_confused(images, labels, predicted, DIGITS).axes
    assert "4 taken for 9:\n3 of " in first.texts[0].get_text()
    np.testing.assert_array_equal(first.images[0].get_array()[:28, 58:86], images[fours[2]])
    np.testing.assert_array_equal(second.images[0].get_array()[:28, :28], images[ones[0]])
    style.png(confusion.most_confused(images, labels, labels, DIGITS))


def test_reliability_is_accuracy_by_confidence_before_and_after():
    logits, labels = _logits(n=2_000)
    both = statistics.probabilities(logits), statistics.probabilities(logits, 2.5)
    figure = trust.reliability(*both, labels)
    for column, p in enumerate(both):
        bins = statistics.calibration_bins(p, labels)
        filled = np.flatnonzero(bins.pictures)
        points, _, (bars,) = figure.axes[column].containers[0].lines
        np.testing.assert_allclose(points.get_xdata(), 100 * bins.confidence[filled] / bins.pictures[filled])
        np.testing.assert_allclose(points.get_ydata(), 100 * bins.right[filled] / bins.pictures[filled])
        expected = statistics.wilson_interval(int(bins.right[filled[-1]]), int(bins.pictures[filled[-1]]))
        assert bars.get_segments()[-1][:, 1] / 100 == pytest.approx(expected)
        assert [bar.get_height() for bar in figure.axes[2 + column].patches] == bins.pictures.tolist()
        assert f"{statistics.expected_calibration_error(p, labels):.2%}" in figure.get_suptitle()


def test_selective_accuracy_goes_from_the_surest_answer_to_all():
    good = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    poor = np.array([[0.05, 0.95], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    figure = trust.selective([("poor", poor), ("good", good)], np.array([0, 0, 1, 1]))
    lines = figure.axes[0].lines
    np.testing.assert_allclose(lines[0].get_xydata(), np.transpose([[25, 50, 75, 100], [0, 50, 200 / 3, 75]]))
    np.testing.assert_allclose(lines[1].get_ydata(), 100)


def test_a_forest_ranks_the_scores_of_each_split_and_compares_them_with_the_best():
    rows = [
        Row("quick", "validation", 0.99, (0.985, 0.994)),
        Row("standard", "validation", 0.996, (0.993, 0.998)),
        Row("ridge", "validation", 0.85, (0.84, 0.86)),
        Row("perfect", "test", 1.0, (0.9996, 1.0)),
    ]
    right, wrong = np.ones(100, bool), np.arange(100) > 20
    figure = trust.forest(rows, [(0, 1, statistics.mcnemar(right, right)), (1, 2, statistics.mcnemar(right, wrong))])
    (axis,) = figure.axes
    order = [rows[at] for at in (1, 0, 2, 3)]
    assert [label.get_text() for label in axis.get_yticklabels()] == [row.name for row in order]
    intervals, points = axis.lines[::2], axis.lines[1::2]
    for y, (row, interval, point) in enumerate(zip(order, intervals, points, strict=True)):
        np.testing.assert_allclose(interval.get_xydata(), [(end, y) for end in row.interval])
        np.testing.assert_allclose(point.get_xydata(), [(row.accuracy, y)])
    verdicts = [text.get_text().split("  ")[1] for text in axis.texts]
    assert verdicts[:4] == ["best", "tied, p = 1", "worse, p < 0.001", ""]
    assert axis.get_xlim()[0] < 0.84 < 1 < axis.get_xlim()[1]


def test_the_spread_of_seeds_is_a_dot_each_and_the_t_interval_of_their_mean():
    quick = np.array([0.990, 0.991, 0.989, 0.9905])
    (axis,) = trust.seed_spread([("quick", quick), ("best", np.array([0.997]))]).axes
    dots = [line.get_xdata() for line in axis.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(np.concatenate(dots), [*(100 * quick), 99.7])
    (bar,) = axis.containers  # one seed has no spread
    spread = statistics.over_seeds(100 * quick)
    np.testing.assert_allclose(bar.lines[2][0].get_segments()[0][:, 0], spread.interval)


def test_every_perturbation_has_the_curve_of_each_model_over_the_pictures_it_makes(mnist):
    rng = np.random.default_rng(0)
    curves = {
        model: {name: 0.99 - rng.uniform(0.01, 0.16) * np.arange(6) for name in PERTURBATIONS}
        for model in ("quick", "a $name$")
    }
    figure = robustness.curves(curves, mnist.images[5], 400)
    panels = {axis.get_title().partition(":")[0]: axis for axis in figure.axes if axis.get_title()}
    strips = [axis for axis in figure.axes if axis.images]
    for (name, axis), strip in zip(panels.items(), strips, strict=True):
        for line, band, model in zip(axis.lines, axis.collections, curves, strict=True):
            np.testing.assert_allclose(line.get_ydata(), 100 * curves[model][name])
            low, _ = statistics.wilson_interval(round(curves[model][name][-1] * 400), 400)
            assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(100 * low)
        for image, one in zip(strip.images, perturbed(mnist.images[5][None], name)[:, 0], strict=True):
            np.testing.assert_array_equal(image.get_array(), one)
        assert [float(tick.get_text()) for tick in strip.get_xticklabels()] == [0, *PERTURBATIONS[name].strengths]
    assert panels.keys() == PERTURBATIONS.keys()


def test_attacks_have_a_line_per_model_and_kind():
    weak, strong = (
        {"FGSM": [0.99, 0.9, 0.8], "PGD": [0.99, 0.8, 0.3]},
        {"FGSM": [0.99, 0.95, 0.9], "PGD": [0.99, 0.9, 0.45]},
    )
    figure = robustness.adversarial((0, 8, 24), {"quick": weak, "standard": strong}, 300)
    lines = figure.axes[0].lines
    expected = 100 * np.array([*weak.values(), *strong.values()])
    np.testing.assert_allclose([line.get_ydata() for line in lines], expected)
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 4
    assert figure.get_suptitle().startswith("24 of 255 values per pixel leave standard 45% right")
