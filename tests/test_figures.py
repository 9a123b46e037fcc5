"""Figures: the style of all, and the numbers that are drawn, of pictures and of models; none fails for odd ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from tenfold import baselines, frameworks, recipes, similarity, statistics
from tenfold.errors import UsageError
from tenfold.report.figures import baselines as baseline_figures
from tenfold.report.figures import (
    confusion,
    data,
    doubt,
    network,
    preprocessing,
    robustness,
    style,
    training,
    trust,
)
from tenfold.report.figures.trust import Row
from tenfold.robustness import PERTURBATIONS
from tenfold.scores import Score
from test_statistics import _logits

# Machado, Oliveira and Fernandes (2009), severity 1: how people without one kind of cone see linear RGB.
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


@pytest.fixture
def figure():
    figure, axes = style.new(2)
    axes[0, 0].plot([0, 1], [0, 1])
    axes[0, 0].set_title("a < b & c")
    return figure


def test_files_are_what_their_endings_say(figure, tmp_path):
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        style.save(figure, tmp_path / f"figure.{kind}")
        assert (tmp_path / f"figure.{kind}").read_bytes().startswith(begins)
    with pytest.raises(UsageError):
        style.save(figure, tmp_path / "figure.jpeg")
    assert not (tmp_path / "figure.jpeg").exists()
    assert "a &lt; b &amp; c" in style.svg(figure)


@pytest.mark.parametrize("sight", [np.eye(3), PROTANOPIA, DEUTERANOPIA])
def test_colours_differ_for_colour_blind_readers_too(sight):
    rgb = np.array([to_rgb(colour) for colour in style.COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(sight).T, 0, 1) ** (1 / 2.4)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(seen), 1)]
    assert distances.min() > 0.15


def test_halving_the_errors_is_the_same_height_everywhere():
    steps = np.diff(style.height(np.array([0.8, 0.9, 0.95, 0.975])))
    np.testing.assert_allclose(steps, steps[0], rtol=0.005)
    accuracies = np.linspace(0, 1, 10_001)  # a model without errors is on the axis too
    np.testing.assert_allclose(style.accuracy_at(style.height(accuracies)), accuracies, atol=1e-9)


@given(st.floats(0, 0.9999), st.floats(0, 0.9999), st.integers(1, 16))
def test_ticks_of_accuracies_are_few_and_far_enough_apart(one, other, most):
    low, high = sorted([one, other])
    ticks = style.accuracy_ticks(low, high, most)
    assert len(ticks) <= most
    assert all(low <= tick <= high for tick in ticks)
    gaps = np.diff(style.height(np.array([low, *ticks, high])))[1:-1]
    assert np.all(gaps >= style.NEAREST * np.ptp(style.height(np.array([low, high]))) * (1 - 1e-9))


NAMES = tuple(f"class {letter}" for letter in "ABCDEFGHIJ")


@pytest.fixture(scope="module")
def some(mnist):
    """2,000 pictures, none of class D."""
    samples = mnist.take(np.arange(2_000))
    return samples.take(np.flatnonzero(samples.labels != 3))


def _cell(sheet, row, column, gap=1):
    top, left = row * (28 + gap), column * (28 + gap)
    return sheet[top : top + 28, left : left + 28]


def test_examples_stand_in_the_row_of_their_class(some):
    sheet = data.examples(some.images, some.labels, NAMES).axes[0].images[0].get_array()
    for label in range(10):
        members = some.images[some.labels == label]
        for column in (0, data.EXAMPLES - 1):
            expected = members[column] if label != 3 else np.zeros((28, 28))
            np.testing.assert_array_equal(_cell(sheet, label, column), expected)


@pytest.mark.slow
def test_names_are_no_formulas(some):
    labels, names = np.minimum(some.labels[:50], 1), [r"$\frac$", "<b>other</b>"]
    fifty = some.take(np.arange(50))
    nearest, distances = (array[:, 0] for array in similarity.nearest(*[similarity.pixels(fifty.images)] * 2))
    for figure in (
        data.examples(some.images[:50], labels, names),
        data.mean_and_deviation(some.images[:50], labels, names),
        data.class_distribution({"train": [2, 1]}, names),
        data.duplicates(fifty, fifty, nearest, distances, NAMES),
        doubt.doubtful(some.images[:50], labels, 1 - labels, names),
        doubt.planted(np.array([True, True, False, True, False]), 4),
    ):
        assert style.svg(figure)


def test_steps_show_the_arrays_of_training(mnist):
    batch = frameworks.first_batch(recipes.standard(), mnist.take(np.arange(500)))
    arrays = batch.raw[0], batch.augmented[0], batch.normalised[0]
    figure = preprocessing.steps(*arrays)
    for axis, array in zip([axis for axis in figure.axes if axis.get_title()], arrays, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), array)
    whole = preprocessing.batch(batch.normalised, batch.labels, "0123456789")
    assert [text.get_text() for text in whole.axes[0].texts] == [str(label) for label in batch.labels]
    moved = np.stack([np.roll(mnist.images[0], (3, 4), (0, 1)), mnist.images[0] * 0.5])[None]
    assert "5.0 at most" in preprocessing.augmented_grid(mnist.images[:1], moved).get_suptitle()


DIGITS = "0123456789"


def test_labels_of_models_with_the_same_cost_do_not_overlap():
    models = [
        (name, 9 + at / 10, Score(split="validation", confusion=((4_850 - at, 150 + at), (0, 0))))
        for at, name in enumerate(baselines.BASELINES)
    ]
    figure = baseline_figures.accuracy_against_seconds(models)
    style.png(figure)
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]  # without the line to its point
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_no_line_crosses_a_label_and_no_axis_passes_a_hundred_percent():
    points = [baseline_figures.Point(f"model {at}", 2.0**at, 0.9 + at / 55, (0.89, 1.0)) for at in range(6)]
    series = [baseline_figures.Series("ours", "o", "k", points, joined=True)]
    figure = baseline_figures.accuracy_against(series, (0.5, 64), "s", "{:g}".format)
    style.png(figure)
    (axis,) = figure.axes
    assert axis.get_ylim()[1] <= 1 + style.FLOOR
    (line,) = [line for line in axis.lines if len(line.get_xdata()) == len(points) and line.get_linestyle() == "-"]
    for start, end in pairwise(axis.transData.transform(line.get_xydata())):
        for place in start + np.linspace(0, 1, 200)[:, None] * (end - start):
            assert not any(Text.get_window_extent(text).contains(*place) for text in axis.texts)
    good = np.array([[0.9, 0.1], [0.2, 0.8]])
    for figure in (
        trust.selective([("perfect", good)], np.array([0, 1])),
        trust.reliability(good, None, np.array([0, 1])),
        trust.seed_spread([("quick", np.array([0.9990, 0.9999, 1.0]))]),
    ):
        limits = [limit for axis in figure.axes for limit in (axis.get_xlim()[1], axis.get_ylim()[1])]
        assert limits[0] <= 100
        assert limits[1] <= 100


def _history(epochs, seed, parts=("train", "validation")):
    rng = np.random.default_rng(seed)
    return [
        {"epoch": float(epoch), "learning_rate": 0.01 / epoch}
        | {f"{part}_loss": 1 / epoch + rng.random() / 10 for part in parts}
        | {f"{part}_accuracy": 1 - rng.random() / (5 * epoch) for part in parts}
        for epoch in range(1, epochs + 1)
    ]


def test_every_seed_is_a_line_and_their_range_a_band():
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
    assert counts.images[0].get_clim() == (0, 10)  # the colours are for the errors
    assert "10 of 13 errors" in figure.get_suptitle()
    one, tied = np.array([[5, 1, 0], [0, 6, 0], [0, 0, 7]]), np.array([[5, 2, 0], [0, 6, 2], [0, 1, 7]])
    assert confusion.matrix(one, CLASSES).get_suptitle().endswith("1 of 1 error")
    assert confusion.matrix(tied, CLASSES).get_suptitle().count(" for ") == 2  # the tied pair is named
    assert "<$" not in style.svg(figure)
    second = np.array([[97, 0, 3], [2, 48, 0], [0, 2, 18]])
    difference = confusion.difference(COUNTS, second, ("old", "new"), CLASSES)
    assert _cells(difference.axes[2]) == [["+7", "", "−7"], ["+1", "−1", ""], ["", "", ""]]


def test_every_figure_of_few_or_odd_numbers_can_be_drawn(mnist):
    """The numbers that others check are of their stages; here nothing fails for a missing or an odd one."""
    images, labels = mnist.images[:30], mnist.labels[:30]
    good = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    maps = np.random.default_rng(0).normal(size=(20, 12, 12)).astype(np.float32)
    logits, of_logits = _logits(n=200)
    both = statistics.probabilities(logits), statistics.probabilities(logits, 2.5)
    points = [
        baseline_figures.Point("slow", 60, 0.996, (0.9955, 0.9965)),
        baseline_figures.Point("wasteful", 30, 0.989, None),
    ]
    rows = [Row("quick", "validation", 0.99, (0.985, 0.994)), Row("perfect", "test", 1.0, (0.9996, 1.0))]
    falling = {name: 0.99 - 0.1 * np.arange(6) for name in PERTURBATIONS}
    for figure in (
        baseline_figures.accuracy_against(
            [baseline_figures.Series("ours", "o", "k", points, joined=True)], (0.5, 99), "s", "{:g}".format
        ),
        confusion.matrix(np.diag([5, 6, 7]), CLASSES),
        confusion.most_confused(images, labels, labels, DIGITS),
        confusion.most_confused(images, labels, (labels + 1) % 10, DIGITS),
        network.filters(maps[:, None, :5, :5]),
        network.feature_maps(images[0], {"conv1": maps}),
        training.history([[]], [False]),
        training.history([_history(3, 0, ["train"])], [True]),
        training.range_test({"name": (np.geomspace(1e-4, 1, 5), np.array([2.3, 2.0, 0.5, 9.0, np.nan]))}),
        trust.forest(rows, []),
        trust.reliability(*both, of_logits),
        trust.selective([("good", good)], np.array([0, 0, 1, 1])),
        trust.seed_spread([("quick", np.array([0.990, 0.991])), ("best", np.array([0.997]))]),
        robustness.curves({"quick": falling, "a $name$": falling}, images[5], 400),
        robustness.adversarial((0, 8, 24), {"quick": {"FGSM": [0.99, 0.9, 0.8], "PGD": [0.99, 0.8, 0.3]}}, 300),
    ):
        assert style.png(figure)
