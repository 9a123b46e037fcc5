import numpy as np
import pytest

from tenfold import frameworks, recipes
from tenfold.report.figures import preprocessing, style

NAMES = tuple(f"class {letter}" for letter in "ABCDEFGHIJ")


@pytest.fixture(scope="module")
def batch(mnist):
    return frameworks.first_batch(recipes.standard(), mnist.take(np.arange(500)))


def _headline(figure):
    style.png(figure)
    return figure.get_suptitle()


def test_steps_show_the_arrays_and_their_ranges(batch):
    arrays = batch.raw[0], batch.augmented[0], batch.normalised[0]
    figure = preprocessing.steps(*arrays)
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title().split(",")[0].split(":")[0] for axis in panels] == ["raw", "augmented", "normalised"]
    for axis, array in zip(panels, arrays, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), array)
        assert axis.images[0].colorbar is not None
        words = axis.get_xlabel().replace("−", "-").split()
        assert float(words[0]) == pytest.approx(array.min(), abs=0.006)
        assert float(words[2]) == pytest.approx(array.max(), abs=0.006)
        assert float(words[4]) == pytest.approx(array.mean(), abs=0.006)
    changed = np.abs(batch.augmented[0] - batch.raw[0]).mean()
    assert f"changes a pixel by {changed:.1f} grey levels" in _headline(figure)
    assert "Nothing is augmented" in _headline(preprocessing.steps(arrays[0], arrays[0].astype(np.float32), arrays[2]))


def test_the_grid_has_each_picture_beside_its_variants(mnist):
    few = mnist.take(np.arange(3))
    variants = frameworks.variants(recipes.standard(), few, 5).augmented.reshape(3, 5, 28, 28)
    figure = preprocessing.augmented_grid(few.images, variants)
    sheet = figure.axes[0].images[0].get_array()
    for row in range(3):
        cells = [sheet[row * 29 : row * 29 + 28, at * 29 : at * 29 + 28] for at in range(6)]
        np.testing.assert_array_equal(cells[0], few.images[row])
        np.testing.assert_allclose(cells[1:], variants[row])
    assert [text.get_text() for text in figure.axes[0].texts] == ["raw", "5 variants of each, drawn at random"]
    assert "moves the ink's centre" in _headline(figure)


def test_how_far_the_ink_moved_is_measured():
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, 10:14, 10:14] = 200
    moved = np.stack([np.roll(picture[0], (3, 4), (0, 1)), picture[0] * 0.5])[None]
    text = _headline(preprocessing.augmented_grid(picture, moved))
    assert "2.5 pixels on average, 5.0 at most" in text
    assert "25% on average, 50% at most" in text
    assert "changes no picture" in _headline(preprocessing.augmented_grid(picture, np.stack([picture, picture], 1)))
    black = np.zeros((1, 28, 28), np.uint8)
    assert "nan" not in _headline(preprocessing.augmented_grid(black, moved))


def test_the_batch_is_drawn_with_its_labels(batch):
    figure = preprocessing.batch(batch.normalised, batch.labels, NAMES)
    axis = figure.axes[0]
    sheet = axis.images[0].get_array()
    columns = (sheet.shape[1] + 9) // 37
    assert [text.get_text() for text in axis.texts] == [NAMES[label] for label in batch.labels]
    for at, picture in enumerate(batch.normalised):
        top, left = (at // columns) * 37, (at % columns) * 37
        np.testing.assert_allclose(sheet[top : top + 28, left : left + 28], picture)
        x, y = axis.texts[at].get_position()
        assert left < x < left + 28
        assert top - 9 < y < top
    members = np.bincount(batch.labels, minlength=10)
    text = _headline(figure)
    assert f"standard deviation {batch.normalised.std():.2f};" in text
    assert f"to {members.max()} ({NAMES[members.argmax()]}) pictures a class" in text


def test_of_a_large_batch_a_part_is_drawn(batch):
    twice, labels = np.concatenate([batch.normalised] * 2), np.concatenate([batch.labels] * 2)
    figure = preprocessing.batch(twice, labels, "0123456789")
    assert len(figure.axes[0].texts) == 128
    assert "A batch of 256, the first 128 drawn" in _headline(figure)
