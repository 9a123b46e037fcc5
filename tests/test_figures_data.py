"""Figures of pictures: the dataset, preprocessing, doubtful labels."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tenfold import frameworks, recipes, similarity
from tenfold.data.split import Samples, counts
from tenfold.report.figures import data, doubt, preprocessing, style

NAMES = tuple(f"class {letter}" for letter in "ABCDEFGHIJ")


@pytest.fixture(scope="module")
def few(mnist):
    """2,000 pictures, none of class D."""
    samples = mnist.take(np.arange(2_000))
    return samples.take(np.flatnonzero(samples.labels != 3))


def _cell(sheet, row, column, gap=1):
    top, left = row * (28 + gap), column * (28 + gap)
    return sheet[top : top + 28, left : left + 28]


def test_bars_are_the_share_of_each_class(mnist):
    parts = counts(mnist.labels, 10, 5_000)
    figure = data.class_distribution(parts, NAMES)
    for bars, of_part in zip(figure.axes[0].containers, parts.values(), strict=True):
        np.testing.assert_allclose([bar.get_height() for bar in bars], np.array(of_part) / sum(of_part))
        assert [round(bar.get_center()[0]) for bar in bars] == list(range(10))
    assert "class B is the largest class (11.2% of train)" in figure.get_suptitle()
    values, _, _ = data.intensity_histogram(mnist.images[:99]).axes[0].patches[0].get_data()
    np.testing.assert_allclose(values, np.bincount(mnist.images[:99].ravel(), minlength=256) / (99 * 784))


def test_examples_stand_in_the_row_of_their_class(few):
    sheet = data.examples(few.images, few.labels, NAMES).axes[0].images[0].get_array()
    for label in range(10):
        members = few.images[few.labels == label]
        for column in (0, data.EXAMPLES - 1):
            expected = members[column] if label != 3 else np.zeros((28, 28))
            np.testing.assert_array_equal(_cell(sheet, label, column), expected)


def test_mean_and_deviation_of_each_class(few):
    figure = data.mean_and_deviation(few.images, few.labels, NAMES)
    for label, (mean, deviation) in enumerate(zip(figure.axes[:10], figure.axes[10:20], strict=True)):
        members = few.images[few.labels == label].astype(float)
        if label == 3:
            assert np.ma.getmaskarray(mean.images[0].get_array()).all()
        else:
            np.testing.assert_allclose(mean.images[0].get_array(), members.mean(0), atol=0.1)
            np.testing.assert_allclose(deviation.images[0].get_array(), members.std(0), atol=0.1)


@pytest.mark.slow
def test_duplicates_are_copies_and_the_closest_pairs(few):
    train, validation = few.take(np.arange(1_300)), few.take(np.arange(1_300, 1_700))
    copied, wrong = validation.images.copy(), validation.labels.copy()
    copied[17], wrong[17] = train.images[40], (train.labels[40] + 1) % 10
    found = similarity.nearest(similarity.pixels(copied), similarity.pixels(train.images))
    nearest, distances = (array[:, 0] for array in found)
    figure = data.duplicates(train, Samples(copied, wrong), nearest, distances, NAMES)
    pairs = [axis for axis in figure.axes if axis.images]
    first = int(np.flatnonzero(wrong == 0)[distances[wrong == 0].argmin()])
    both = np.concatenate([train.images[nearest[first]], np.full((28, 1), np.nan), copied[first]], axis=1)
    np.testing.assert_array_equal(np.ma.filled(pairs[0].images[0].get_array(), np.nan), both)
    assert any(f"{NAMES[train.labels[40]]} | {NAMES[wrong[17]]}\n0.00 apart" == axis.get_title() for axis in pairs)
    assert figure.get_suptitle().startswith("1 of 400 validation pictures is in training too")


def test_the_map_has_a_point_per_picture_and_no_two_classes_look_alike(few):
    coordinates, _ = similarity.pca(similarity.pixels(few.images[:600]))
    figure = data.map_of_data(coordinates, few.labels[:600], NAMES, "PCA")
    points = {one.get_label(): one for one in figure.axes[0].collections}
    assert points.keys() == set(NAMES) - {"class D"}
    for name, one in points.items():
        np.testing.assert_allclose(one.get_offsets(), coordinates[few.labels[:600] == NAMES.index(name)])
    marks = {(to_hex(one.get_facecolor()[0]), one.get_paths()[0].vertices.tobytes()) for one in points.values()}
    assert len(marks) == len(points)
    distances = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=-1) + np.diag([np.inf] * 600)
    same = (few.labels[:600][distances.argmin(1)] == few.labels[:600]).mean()
    assert f"{same:.0%}" in figure.get_suptitle()


def test_names_are_no_formulas_and_very_many_classes_keep_their_room(few):
    labels, names = np.minimum(few.labels[:50], 1), [r"$\frac$", "<b>other</b>"]
    for figure in (
        data.examples(few.images[:50], labels, names),
        data.mean_and_deviation(few.images[:50], labels, names),
        data.class_distribution({"train": [2, 1]}, names),
        doubt.doubtful(few.images[:50], labels, 1 - labels, names),
    ):
        assert style.svg(figure)
    points = np.random.default_rng(0).normal(size=(156, 2))
    figure = data.map_of_data(points, np.repeat(np.arange(52), 3), [f"letter {at}" for at in range(52)], "PCA")
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 0.4 * figure.bbox.width


def test_steps_show_the_arrays_of_training_and_their_ranges(mnist):
    batch = frameworks.first_batch(recipes.standard(), mnist.take(np.arange(500)))
    arrays = batch.raw[0], batch.augmented[0], batch.normalised[0]
    figure = preprocessing.steps(*arrays)
    for axis, array in zip([axis for axis in figure.axes if axis.get_title()], arrays, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), array)
        numbers = [float(word) for word in axis.get_xlabel().replace("−", "-").split() if word[-1].isdigit()]
        assert numbers == pytest.approx([array.min(), array.max(), array.mean()], abs=0.006)
    whole = preprocessing.batch(batch.normalised, batch.labels, "0123456789")
    assert [text.get_text() for text in whole.axes[0].texts] == [str(label) for label in batch.labels]
    np.testing.assert_allclose(_cell(whole.axes[0].images[0].get_array(), 1, 2, gap=9), batch.normalised[18])


def test_the_movement_of_the_ink_is_measured():
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, 10:14, 10:14] = 200
    moved = np.stack([np.roll(picture[0], (3, 4), (0, 1)), picture[0] * 0.5])[None]
    figure = preprocessing.augmented_grid(picture, moved)
    assert "2.5 pixels on average, 5.0 at most" in figure.get_suptitle()
    assert "25% on average, 50% at most" in figure.get_suptitle()
    np.testing.assert_allclose(_cell(figure.axes[0].images[0].get_array(), 0, 1), moved[0, 0])
    assert "nan" not in preprocessing.augmented_grid(np.zeros_like(picture), moved).get_suptitle()


def test_doubtful_pictures_stand_under_their_labels_and_planted_errors_have_precision_and_recall(mnist):
    figure = doubt.doubtful(mnist.images[:50], np.tile([4, 3], 25), np.tile([9, 5], 25), "0123456789")
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == ["4 → 9", "3 → 5"] * (doubt.SHOWN // 2)
    for axis, image in zip(shown, mnist.images[: doubt.SHOWN], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), image)
    figure = doubt.planted(np.array([True, True, False, True, False]), 4)
    precision, recall, _ = figure.axes[0].lines
    np.testing.assert_allclose(precision.get_ydata(), [1, 1, 2 / 3, 3 / 4, 3 / 5])
    np.testing.assert_allclose(recall.get_ydata(), [1 / 4, 2 / 4, 2 / 4, 3 / 4, 3 / 4])
