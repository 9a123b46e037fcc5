import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tenfold import similarity


@pytest.fixture(scope="module")
def rows(mnist):
    return similarity.pixels(mnist.images[:1_500])


def test_the_nearest_are_scikit_learns(rows):
    indices, distances = similarity.nearest(rows[:700], rows[700:], 3)  # 700: more than a block
    expected_distances, expected = NearestNeighbors(n_neighbors=3).fit(rows[700:]).kneighbors(rows[:700])
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 3])
def test_copies_and_rows_that_are_all_the_same_are_found_at_no_distance(rows, k):
    known = np.concatenate([rows[:400], rows[:400], np.zeros((20, rows.shape[1]), np.float32)])
    asked = np.concatenate([rows[:30], np.zeros((2, rows.shape[1]), np.float32)])
    indices, distances = similarity.nearest(asked, known, k)
    np.testing.assert_array_equal(known[indices[:, 0]], asked)
    assert (distances[:, 0] == 0).all()
    same, apart = similarity.nearest(np.ones((4, 784), np.float32), np.ones((9, 784), np.float32), k)
    assert all(len(set(row)) == k for row in same.tolist())
    assert (apart == 0).all()
