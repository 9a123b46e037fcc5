import numpy as np
import pytest
from scipy import ndimage

from tenfold import robustness
from tenfold.data.split import Samples
from tenfold.robustness import PERTURBATIONS

NAMES = list(PERTURBATIONS)


@pytest.fixture(scope="module")
def few(mnist):
    return mnist.take(np.arange(200))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _dot(y=14, x=14, count=1):
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, y, x] = 255
    return images


@pytest.mark.parametrize("name", NAMES)
def test_more_strength_changes_more_and_the_seed_decides_what(name, few):
    before = few.images.copy()
    spoilt = robustness.perturbed(few.images, name, seed=3)
    np.testing.assert_array_equal(few.images, before)
    assert spoilt.shape == (6, 200, 28, 28)
    assert spoilt.dtype == np.uint8
    np.testing.assert_array_equal(spoilt[0], few.images)
    change = np.abs(spoilt.astype(int) - few.images).mean((1, 2, 3))
    assert (np.diff(change) > 0).all()
    np.testing.assert_array_equal(robustness.perturbed(few.images, name, seed=3), spoilt)
    if name in ("shift", "rotation", "scale", "noise", "occlusion"):
        assert not np.array_equal(robustness.perturbed(few.images, name, seed=4), spoilt)


def test_a_shift_is_so_many_pixels_long(rng):
    spoilt = robustness.shift(_dot(count=300), 5, rng).astype(float)
    middles = np.array([ndimage.center_of_mass(picture) for picture in spoilt])
    away = middles - 14
    np.testing.assert_allclose(np.hypot(*away.T), 5, atol=0.05)
    angles = np.arctan2(*away.T)
    assert np.histogram(angles, 4, (-np.pi, np.pi))[0].min() > 50  # every direction


@pytest.mark.parametrize("degrees", [30, 90])
def test_a_rotation_is_scipys(few, rng, degrees):
    spoilt = robustness.rotate(few.images[:40], degrees, rng).astype(float)
    theirs = [
        ndimage.rotate(few.images[:40].astype(float), sign * degrees, (1, 2), reshape=False, order=1)
        for sign in (1, -1)
    ]
    errors = np.array([np.abs(spoilt - other).max((1, 2)) for other in theirs])
    assert errors.min(0).max() <= 0.51  # rounded, one way or the other
    assert set(errors.argmin(0)) == {0, 1}


def test_a_scale_is_by_the_factor_or_its_inverse(rng):
    square = np.zeros((100, 28, 28), np.uint8)
    square[:, 8:20, 8:20] = 255  # 144 pixels about the middle
    area = robustness.scale(square, 50, rng).sum((1, 2)) / 255
    larger = area > 144
    np.testing.assert_allclose(area[larger], 144 * 1.5**2, rtol=0.05)
    np.testing.assert_allclose(area[~larger], 144 / 1.5**2, rtol=0.05)
    assert 20 < larger.sum() < 80


def test_a_blur_has_its_width(rng):
    spoilt = robustness.blur(np.minimum(ndimage.grey_dilation(_dot(), (1, 9, 9)), 255), 2, rng)[0].astype(float)
    at = np.arange(28) - 14
    share = spoilt.sum(0) / spoilt.sum()
    # a box of 9 has a variance of (81 - 1) / 12; the blur adds that of its own
    assert (share * at**2).sum() == pytest.approx(80 / 12 + 4, rel=0.03)


def test_noise_has_its_deviation_where_nothing_is_cut_off(rng):
    grey = np.full((50, 28, 28), 128, np.uint8)
    change = robustness.noise(grey, 25, rng).astype(float) - 128
    assert change.std() == pytest.approx(25, rel=0.02)
    assert abs(change.mean()) < 0.5


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_strokes_grow_and_wear_as_scipys_do(few, rng, radius):
    at = np.arange(-radius, radius + 1)
    disc = (at[:, None] ** 2 + at**2 <= radius**2)[None]
    thick = ndimage.grey_dilation(few.images, footprint=disc, mode="constant", cval=0)
    thin = ndimage.grey_erosion(few.images, footprint=disc, mode="constant", cval=255)
    np.testing.assert_array_equal(robustness.thicken(few.images, radius, rng), thick)
    np.testing.assert_array_equal(robustness.thin(few.images, radius, rng), thin)


def test_contrast_keeps_the_mean(few, rng):
    spoilt = robustness.contrast(few.images, 0.8, rng).astype(float)
    np.testing.assert_allclose(spoilt.mean((1, 2)), few.images.mean((1, 2)), atol=0.5)
    np.testing.assert_allclose(spoilt.std((1, 2)), few.images.std((1, 2)) * 0.2, atol=0.5)


def test_occlusion_blacks_out_one_square(rng):
    white = np.full((300, 28, 28), 255, np.uint8)
    hidden = robustness.occlude(white, 10, rng) == 0
    assert set(hidden.sum((1, 2))) == {100}
    assert set(hidden.any(1).sum(1)) == set(hidden.any(2).sum(1)) == {10}
    first = hidden.any(2).argmax(1)
    assert (first.min(), first.max()) == (0, 18)  # anywhere inside


def test_inversion_is_the_negative_in_the_end(few, rng):
    np.testing.assert_array_equal(robustness.invert(few.images, 1, rng), 255 - few.images)
    assert np.ptp(robustness.invert(few.images, 0.5, rng)) <= 1


def _by_ink(images):
    """A model that sees nothing but how much ink there is: 1 for more than 30 a pixel."""
    return np.eye(2)[(images.mean((1, 2)) > 30).astype(int)]


def test_curves_count_right_answers(few):
    labels = (few.images.mean((1, 2)) > 30).astype(np.int64)
    samples = Samples(few.images, labels)
    curves = robustness.curves(_by_ink, samples, seed=1)
    assert list(curves) == NAMES
    for name, values in curves.items():
        expected = [
            (_by_ink(spoilt).argmax(1) == labels).mean() for spoilt in robustness.perturbed(few.images, name, 1)
        ]
        np.testing.assert_allclose(values, expected)
        assert values[0] == 1
    assert curves["thick strokes"][-1] == pytest.approx(labels.mean(), abs=0.05)  # all have much ink then
    assert curves["contrast"][-1] > 0.9  # the mean stays
