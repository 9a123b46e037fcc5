import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from tenfold import augment, recipes

STRONG = recipes.replace(recipes.standard(), rotation=20, shift=3, scale=0.2, shear=0.2)


def _apply(images, maps):
    pictures = torch.from_numpy(images).unsqueeze(1).float()
    grid = torch.nn.functional.affine_grid(torch.from_numpy(maps), list(pictures.shape), align_corners=False)
    return torch.nn.functional.grid_sample(pictures, grid, align_corners=False).squeeze(1).numpy()


def test_maps_mean_what_scipy_does_with_them(mnist):
    images = mnist.images[:20]
    maps = augment.draw(STRONG, 20, np.random.default_rng(0))
    centre = (augment.SIDE - 1) / 2
    for image, ours, (a, b, c) in zip(images, _apply(images, maps), maps.transpose(0, 2, 1), strict=True):
        # from (x, y) in -1..1 to scipy's (row, column) in pixels
        matrix = np.array([[b[1], a[1]], [b[0], a[0]]], np.float64)
        shift = np.array([c[1], c[0]], np.float64) * augment.SIDE / 2
        offset = centre + shift - matrix @ [centre, centre]
        theirs = ndimage.affine_transform(image.astype(np.float64), matrix, offset, order=1, mode="grid-constant")
        np.testing.assert_allclose(ours, theirs, atol=0.05)  # of 255


def test_no_strength_is_the_picture_itself(mnist):
    maps = augment.draw(recipes.quick(), 5, np.random.default_rng(0))
    np.testing.assert_array_equal(maps, np.broadcast_to(np.eye(2, 3, dtype=np.float32), (5, 2, 3)))
    np.testing.assert_allclose(_apply(mnist.images[:5], maps), mnist.images[:5], atol=1e-3)


def test_a_flip_mirrors_half_of_the_pictures_before_all_else(mnist):
    images = mnist.images[:200]
    plain, flipped = (
        augment.draw(recipes.replace(STRONG, flip=flip), 200, np.random.default_rng(0)) for flip in (False, True)
    )
    mirrored = (plain[:, 0] != flipped[:, 0]).any(1)
    assert 70 <= mirrored.sum() <= 130
    np.testing.assert_array_equal(flipped[~mirrored], plain[~mirrored])
    theirs = _apply(images[mirrored][:, :, ::-1].copy(), plain[mirrored])
    np.testing.assert_allclose(_apply(images[mirrored], flipped[mirrored]), theirs, atol=0.05)


@given(st.integers(1, 300), st.integers(0, 9), st.integers(0, 9))
def test_an_epoch_has_every_picture_once_in_an_order_of_its_own(count, seed, number):
    recipe = recipes.replace(STRONG, seed=seed)
    order, maps = augment.epoch(recipe, count, number)
    np.testing.assert_array_equal(np.sort(order), np.arange(count))
    again, same_maps = augment.epoch(recipe, count, number)
    np.testing.assert_array_equal(order, again)
    np.testing.assert_array_equal(maps, same_maps)
    for other in (
        augment.epoch(recipe, count, number + 1),
        augment.epoch(recipes.replace(recipe, seed=10), count, number),
    ):
        assert count < 20 or not np.array_equal(order, other[0])
        assert not np.array_equal(maps, other[1])


@settings(max_examples=30)
@given(st.floats(0, 180), st.floats(0, 14), st.floats(0, 0.9), st.floats(0, 0.9), st.integers(0, 99))
def test_strengths_are_bounds(rotation, shift, scale, shear, seed):
    recipe = recipes.replace(recipes.quick(), rotation=rotation, shift=shift, scale=scale, shear=shear)
    maps = augment.draw(recipe, 50, np.random.default_rng(seed)).astype(np.float64)
    forward = np.linalg.inv(np.concatenate([maps, np.broadcast_to([0, 0, 1], (50, 1, 3))], 1))
    assert np.abs(forward[:, :2, 2]).max() * augment.SIDE / 2 <= shift + 1e-3
    # rotation · [[scale_x, shear], [0, scale_y]] taken apart again
    scale_x = np.hypot(forward[:, 0, 0], forward[:, 1, 0])
    assert np.abs(scale_x - 1).max() <= scale + 1e-3
    angle = np.degrees(np.arctan2(forward[:, 1, 0], forward[:, 0, 0]))
    assert np.abs(angle).max() <= rotation + 0.1
    scale_y = np.linalg.det(forward[:, :2, :2]) / scale_x
    assert np.abs(scale_y - 1).max() <= scale + 1e-2


def test_strengths_are_uniform_on_both_sides_of_none():
    maps = augment.draw(STRONG, 5_000, np.random.default_rng(0)).astype(np.float64)
    forward = np.linalg.inv(np.concatenate([maps, np.broadcast_to([0, 0, 1], (5_000, 1, 3))], 1))
    angle = np.arctan2(forward[:, 1, 0], forward[:, 0, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    drawn = {
        "rotation": [np.degrees(angle)],
        "shift": forward[:, :2, 2].T * augment.SIDE / 2,
        "scale": [np.hypot(*forward[:, :2, 0].T) - 1, cos * forward[:, 1, 1] - sin * forward[:, 0, 1] - 1],
        "shear": [cos * forward[:, 0, 1] + sin * forward[:, 1, 1]],
    }
    for name, samples in drawn.items():
        strength = getattr(STRONG, name)
        for values in samples:
            assert stats.kstest(values, stats.uniform(-strength, 2 * strength).cdf).pvalue > 1e-3, name
