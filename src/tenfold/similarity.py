"""Similar pictures: nearest neighbours, and maps in two dimensions.

Here a picture is a row of float32 numbers: its pixels, or features from a network.
"""

import numpy as np

from tenfold import extras

BLOCK = 500  # rows whose distances to all others are in memory at the same time
DIRECTIONS = 96  # in which distances are compared first: of 55,000 pictures of MNIST, 14 are left
SAMPLE = 5_000  # rows that the directions are computed from
SLACK = 5e-3  # of squares: more than rounding to float32 can take from a distance
COMPONENTS = 50  # principal components for t-SNE: enough to separate the classes, few enough to be fast


def nearest(asked: np.ndarray, known: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` rows of `known` nearest each row of `asked`, nearest first: indices and Euclidean distances.

    From `[N, D]` and `[M, D]` to int64 and float32 `[N, min(k, M)]`. Exact: distances in a few directions are never
    larger than whole distances, so they rule out most rows. The distances of the others are computed from differences,
    so that the distance of a copy is 0.
    """
    k = min(k, len(known))
    directions = _directions(known)
    short, squares = _shortened(known, directions), np.einsum("ij,ij->i", known, known)
    candidates = np.column_stack([-2 * short, squares])
    indices, distances = np.empty((len(asked), k), np.int64), np.empty((len(asked), k), np.float32)
    for at in range(0, len(asked), BLOCK):
        rows = asked[at : at + BLOCK]
        own = np.einsum("ij,ij->i", rows, rows)
        # |a - b|² = |a|² - 2ab + |b|²; |a|² is the same for all candidates and is left out.
        low = np.column_stack([_shortened(rows, directions), np.ones_like(own)]) @ candidates.T
        found = low.argmin(1)[:, None] if k == 1 else np.argpartition(low, k - 1, axis=1)[:, :k]
        reached = np.max([np.square(rows - known[column]).sum(1) for column in found.T], axis=0)
        for row, (bounds, limit) in enumerate(zip(low, (1 + SLACK) * reached - (1 - SLACK) * own, strict=True)):
            left = np.flatnonzero(bounds <= limit)
            exact = np.linalg.norm(known[left] - rows[row], axis=1)
            order = exact.argsort(kind="stable")[:k]
            indices[at + row], distances[at + row] = left[order], exact[order]
    return indices, distances


def _directions(known: np.ndarray) -> np.ndarray | None:
    """Return orthonormal directions `[D, d]` in which rows `[M, D]` differ most; None where there are few columns."""
    if known.shape[1] <= DIRECTIONS:
        return None
    few = known[:: -(-len(known) // SAMPLE)]
    directions: np.ndarray = np.linalg.eigh(few.T @ few)[1][:, -DIRECTIONS:]
    return directions


def _shortened(rows: np.ndarray, directions: np.ndarray | None) -> np.ndarray:
    """Return rows `[N, D]` in these directions, and the length of what is left of each: `[N, d + 1]`."""
    if directions is None:
        return rows
    short = rows @ directions
    rest = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", short, short)
    return np.column_stack([short, np.sqrt(np.maximum(rest, 0))])


def pixels(images: np.ndarray) -> np.ndarray:
    """uint8 `[N, 28, 28]` -> float32 `[N, 784]` in 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def pca(rows: np.ndarray, components: int = 2) -> tuple[np.ndarray, float]:
    """Return the first principal components of rows `[N, D]`, `[N, components]`, and their share of the variance.

    Raises `TenfoldError` if scikit-learn is not installed.
    """
    extras.require("train", "drawing maps", "sklearn")
    from sklearn.decomposition import PCA

    model = PCA(min(components, *rows.shape), svd_solver="covariance_eigh")  # exact, without randomness
    coordinates: np.ndarray = model.fit_transform(rows)
    return coordinates, float(model.explained_variance_ratio_.sum())


def tsne(rows: np.ndarray) -> np.ndarray:
    """Return a map `[N, 2]` of rows `[N, D]` that keeps neighbours together; its distances mean little.

    It takes seconds for 2,000 rows and minutes for all, so use a sample. Raises `TenfoldError` if scikit-learn is not
    installed. Source: van der Maaten and Hinton 2008, "Visualizing Data using t-SNE".
    """
    reduced, _ = pca(rows, COMPONENTS)
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(rows) - 1) / 3)
    # 250 of the steps are early exaggeration; more than 500 change a map of a few thousand points little.
    model = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", max_iter=500, random_state=0)
    coordinates: np.ndarray = model.fit_transform(reduced)
    return coordinates
