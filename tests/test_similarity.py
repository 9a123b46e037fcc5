import numpy as np
import pytest
from sklearn.decomposition import PCA
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


def test_a_copy_is_found_at_distance_0(rows):
    known = rows[:1_000]
    indices, distances = similarity.nearest(known[[7, 900]].copy(), known)
    assert indices[:, 0].tolist() == [7, 900]
    assert distances[:, 0].tolist() == [0, 0]


def test_fewer_known_than_asked_for(rows):
    indices, distances = similarity.nearest(rows[:4], rows[4:6], 3)
    assert indices.shape == distances.shape == (4, 2)
    assert np.all(np.diff(distances, axis=1) >= 0)
    assert similarity.nearest(rows[:0], rows, 1)[0].shape == (0, 1)


def test_pca_is_the_singular_value_decomposition(rows):
    coordinates, share = similarity.pca(rows)
    centred = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(coordinates), np.abs(u[:, :2] * s[:2]), atol=1e-2)
    assert share == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-4)
    few, _ = similarity.pca(rows[:100], 5)
    theirs = PCA(5, svd_solver="full").fit_transform(rows[:100])
    np.testing.assert_allclose(np.abs(few), np.abs(theirs), atol=1e-2)


@pytest.mark.slow
def test_a_map_keeps_classes_together_better_than_two_components(rows, mnist):
    few, labels = rows[:500], mnist.labels[:500]

    def alike(coordinates):
        two, _ = similarity.nearest(coordinates.astype(np.float32), coordinates.astype(np.float32), 2)
        return (labels[two[:, 1]] == labels).mean()

    by_tsne = similarity.tsne(few)
    assert by_tsne.shape == (500, 2)
    assert alike(by_tsne) > 0.75 > 0.5 > alike(similarity.pca(few)[0])
    np.testing.assert_array_equal(by_tsne, similarity.tsne(few))


def test_a_map_of_few_pictures(rows):
    assert np.isfinite(similarity.tsne(rows[:10])).all()
