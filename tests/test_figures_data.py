import numpy as np
import pytest
from matplotlib.colors import to_hex

from tenfold import similarity
from tenfold.data.split import counts
from tenfold.report.figures import data, style

NAMES = tuple(f"class {letter}" for letter in "ABCDEFGHIJ")


@pytest.fixture(scope="module")
def few(mnist):
    return mnist.take(np.arange(2_000))


def _headline(figure):
    style.png(figure)  # draws it: what cannot be laid out fails here
    return figure.get_suptitle()


def _texts(axis):
    return [text.get_text() for text in axis.texts]


def test_bars_are_the_share_of_each_class(mnist):
    parts = counts(mnist.labels, 10, 5_000)
    figure = data.class_distribution(parts, NAMES)
    (axis,) = figure.axes
    assert [bars.get_label() for bars in axis.containers] == ["train, 55,000 pictures", "validation, 5,000 pictures"]
    for bars, of_part in zip(axis.containers, parts.values(), strict=True):
        np.testing.assert_allclose([bar.get_height() for bar in bars], np.array(of_part) / sum(of_part))
        assert [round(bar.get_center()[0]) for bar in bars] == list(range(10))
    assert [label.get_text() for label in axis.get_xticklabels()] == list(NAMES)
    assert _texts(axis) == [f"{count:,}" for of_part in parts.values() for count in of_part]
    assert "class B is the largest class (11.2% of train), class F the smallest (9.0%)" in _headline(figure)


def test_equal_and_missing_classes():
    assert "equally large in train (50.0%)" in _headline(data.class_distribution({"train": [3, 3]}, "ab"))
    assert "b the smallest (0.0%)" in _headline(data.class_distribution({"train": [3, 0]}, "ab"))


def test_examples_stand_in_the_row_of_their_class(few):
    without_3 = few.take(np.flatnonzero(few.labels != 3))
    figure = data.examples(without_3.images, without_3.labels, NAMES, columns=4)
    (axis,) = figure.axes
    sheet = axis.images[0].get_array()
    assert sheet.shape == (10 * 29 - 1, 4 * 29 - 1)
    for label in range(10):
        members = few.images[few.labels == label]
        for column in range(4):
            drawn = sheet[label * 29 : label * 29 + 28, column * 29 : column * 29 + 28]
            np.testing.assert_array_equal(drawn, np.zeros((28, 28)) if label == 3 else members[column])
        (text,) = [text for text in axis.texts if text.get_text() == NAMES[label]]
        assert text.get_position()[1] // 29 == label
    assert "there is no picture of class D" in _headline(figure)


def test_mean_and_deviation_of_each_class(few):
    without_3 = few.take(np.flatnonzero(few.labels != 3))
    figure = data.mean_and_deviation(without_3.images, without_3.labels, NAMES)
    means, deviations = figure.axes[:10], figure.axes[10:20]
    for label, (mean, deviation) in enumerate(zip(means, deviations, strict=True)):
        members = without_3.images[without_3.labels == label].astype(float)
        assert deviation.get_xlabel() == NAMES[label]
        if len(members):
            np.testing.assert_allclose(mean.images[0].get_array(), members.mean(0), atol=0.1)
            np.testing.assert_allclose(deviation.images[0].get_array(), members.std(0), atol=0.1)
        else:
            assert np.ma.getmaskarray(mean.images[0].get_array()).all()
    assert "class B least" in _headline(figure)


def test_the_histogram_counts_every_pixel(few):
    figure = data.intensity_histogram(few.images)
    (axis,) = figure.axes
    (stairs,) = axis.patches[:1]
    values, edges, _ = stairs.get_data()
    np.testing.assert_allclose(values, np.bincount(few.images.ravel(), minlength=256) / few.images.size)
    assert edges[0] == -0.5
    assert len(edges) == 257
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels[0] == f"mean {few.images.mean():.1f}"
    assert f"({few.images.std():.1f})" in labels[1]
    assert _headline(figure).startswith(f"{(few.images == 0).mean():.0%} of the pixels are black")


@pytest.mark.slow
def test_duplicates_shows_copies_and_closest_pairs(few):
    train, validation = few.take(np.arange(1_500)), few.take(np.arange(1_500, 2_000))
    copied = validation.images.copy()
    copied[17] = train.images[40]
    wrong = validation.labels.copy()
    wrong[17] = (train.labels[40] + 1) % 10
    nearest, distances = similarity.nearest(similarity.pixels(copied), similarity.pixels(train.images))
    nearest, distances = nearest[:, 0], distances[:, 0]
    figure = data.duplicates(train.images, train.labels, copied, wrong, nearest, distances, NAMES)
    histogram, *rest = figure.axes
    pairs = [axis for axis in rest if axis.images]
    assert sum(bar.get_height() for bar in histogram.patches) == 500
    assert len(pairs) == 15  # a class each, and five whose labels differ
    for label, axis in enumerate(pairs[:10]):
        members = np.flatnonzero(wrong == label)
        closest = members[distances[members].argmin()]
        sheet = axis.images[0].get_array()
        np.testing.assert_array_equal(sheet[:, :28], train.images[nearest[closest]])
        np.testing.assert_array_equal(sheet[:, 29:], copied[closest])
        assert NAMES[label] in axis.get_title()
        assert f"{distances[closest]:.2f} apart" in axis.get_title()
    expected = f"{NAMES[train.labels[40]]} | {NAMES[wrong[17]]}\n0.00 apart"
    assert pairs[10].get_title() == expected
    assert _headline(figure).startswith("1 of 500 validation pictures is in training too")


def test_the_map_has_a_point_a_picture_in_its_class(few):
    coordinates, _ = similarity.pca(similarity.pixels(few.images[:600]))
    labels = few.labels[:600].copy()
    labels[labels == 3] = 4
    figure = data.map_of_data(coordinates, labels, NAMES, "PCA")
    (axis,) = figure.axes
    drawn = {points.get_label(): points for points in axis.collections}
    assert drawn.keys() == set(NAMES) - {"class D"}
    looks = set()
    for name, points in drawn.items():
        np.testing.assert_allclose(points.get_offsets(), coordinates[labels == NAMES.index(name)])
        looks.add((to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes()))
    assert len(looks) == len(drawn)  # no two classes look alike
    assert set(_texts(axis)) == drawn.keys()
    distances = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    alike = (labels[distances.argmin(1)] == labels).mean()
    assert _headline(figure).startswith(f"PCA puts {alike:.0%} of 600 pictures")


@pytest.mark.parametrize("name", [r"$\frac$", "<b>bold</b>"])
def test_a_name_is_no_formula(few, name):
    labels = np.minimum(few.labels[:50], 1)
    for figure in (
        data.examples(few.images[:50], labels, [name, "other"]),
        data.mean_and_deviation(few.images[:50], labels, [name, "other"]),
        data.class_distribution({"train": [2, 1]}, [name, "other"]),
        data.map_of_data(few.images[:50, :2, 5].astype(float), labels, [name, "other"], "PCA"),
    ):
        assert style.svg(figure)


def test_a_map_of_very_many_classes_keeps_its_room():
    """No warning that the axes have vanished beside the legend; two columns and a half of names."""
    labels = np.repeat(np.arange(52), 3)
    points = np.random.default_rng(0).normal(size=(len(labels), 2))
    figure = data.map_of_data(points, labels, [f"letter {at}" for at in range(52)], "PCA")
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert axis.get_window_extent().width > 0.4 * figure.bbox.width


def test_captions_stand_over_their_pictures(mnist):
    images, captions = mnist.images[:12], [f"{at} → {at + 1}" for at in range(12)]
    figure = data.captioned(images, captions, "the finding")
    drawn = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in drawn] == captions
    for axis, image in zip(drawn, images, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), image)
        assert axis.images[0].get_clim() == (0, 255)
    assert figure.get_suptitle() == "the finding"
