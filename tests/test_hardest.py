import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info, threadpool_limits

from tenfold import augment, frameworks, hardest, recipes
from tenfold.data.split import Samples

HARD = recipes.replace(recipes.quick(), epochs=0.5, hardest=0.3, batch_size=32)


def test_the_margins_are_those_of_ridge_regression(mnist):
    few = mnist.take(np.arange(3_000))
    pixels = few.images.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196) / 255
    wanted = np.where(few.labels[:, None] == np.arange(10), 1.0, 0.0)
    scores = Ridge(alpha=10).fit(pixels, wanted).predict(pixels)
    others = np.where(wanted > 0, -np.inf, scores).max(1)
    expected = scores[np.arange(len(few)), few.labels] - others
    np.testing.assert_allclose(hardest.margins(few), expected, atol=2e-3)


def test_of_many_pictures_a_part_decides_nearly_as_all_would(mnist):
    few = mnist.take(np.arange(3 * hardest.FITTED))
    wanted = np.where(few.labels[:, None] == np.arange(10), 1.0, 0.0)
    pixels = few.images.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196) / 255
    scores = Ridge(alpha=10).fit(pixels, wanted).predict(pixels)
    expected = scores[wanted > 0] - np.where(wanted > 0, -np.inf, scores).max(1)
    margins = hardest.margins(few)
    count = len(few) // 3
    assert np.isin(margins.argsort()[:count], expected.argsort()[:count]).mean() > 0.95
    assert np.abs(margins - expected).max() > 1e-3  # it is a part


def test_of_each_class_the_same_share_is_chosen_and_it_is_the_hardest(mnist):
    few = mnist.take(np.arange(5_000))
    chosen = hardest.chosen(HARD, few)
    assert len(chosen) == 1_500
    margins = hardest.margins(few)
    left = np.setdiff1d(np.arange(5_000), chosen)
    for label in range(10):
        inside, outside = (part[few.labels[part] == label] for part in (chosen, left))
        assert abs(len(inside) - 0.3 * (len(inside) + len(outside))) <= 1
        assert margins[inside].max() <= margins[outside].min()


def test_the_choice_multiplies_on_one_thread_and_leaves_the_rest_as_it_was(mnist):
    """A product on two threads rounds otherwise, so these would choose others at times."""
    few = mnist.take(np.arange(5_000))
    with threadpool_limits(1, "blas"):
        alone = hardest.margins(few)
    with threadpool_limits(2, "blas"):
        before = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        margins = hardest.margins(few)
        assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"] == before
    np.testing.assert_array_equal(margins, alone)


def test_a_wrong_label_is_among_the_hardest(mnist):
    few = mnist.take(np.arange(2_000))
    labels = few.labels.copy()
    labels[:20] = (labels[:20] + 1) % 10
    assert np.isin(np.arange(20), hardest.chosen(HARD, Samples(few.images, labels))).mean() > 0.9


def test_without_a_share_all_pictures_are_used(mnist):
    for all_of_them in ({"hardest": 1}, {"train_size": 60_000}):
        assert hardest.chosen(recipes.replace(HARD, **all_of_them), mnist) is None


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_any_labels_can_be_chosen_from(labels, share):
    images = np.zeros((len(labels), 28, 28), np.uint8)
    chosen = hardest.chosen(recipes.replace(HARD, hardest=share), Samples(images, np.array(labels)))
    assert len(chosen) == len(set(chosen.tolist())) == max(1, round(share * len(labels)))


@given(st.sets(st.integers(0, 99), min_size=1), st.integers(0, 9))
def test_an_epoch_goes_through_the_chosen_pictures_again_and_again(chosen, seed):
    order, _ = augment.epoch(recipes.replace(HARD, seed=seed), 100, 0, np.array(sorted(chosen)))
    times = np.bincount(order, minlength=100)
    assert len(order) == 100
    assert set(np.flatnonzero(times)) == chosen
    assert np.ptp(times[sorted(chosen)]) <= 1


def test_the_first_batch_has_chosen_pictures_alone(mnist):
    few = mnist.take(np.arange(600))
    kept = {image.tobytes() for image in few.images[hardest.chosen(HARD, few)]}
    assert {image.tobytes() for image in frameworks.first_batch(HARD, few).raw} <= kept
