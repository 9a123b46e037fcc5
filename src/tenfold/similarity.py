"""Similar pictures: nearest neighbours.

Here a picture is a row of float32 numbers: its pixels, or features from a network.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tenfold import machine

BLOCK = 500  # rows whose distances to all others a thread has in memory at the same time, at most
BUDGET = 1 << 29  # bytes of all threads' distances


def nearest(asked: np.ndarray, known: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` rows of `known` nearest each row of `asked`, nearest first: indices and Euclidean distances.

    From `[N, D]` and `[M, D]` to int64 and float32 `[N, min(k, M)]`. Brute force: a matrix product finds the
    candidates. Their distances are computed from differences, so that the distance of a copy is 0. Each thread takes a
    block of rows; `k` is small.
    """
    k = min(k, len(known))
    # |a - b|² = |a|² - 2ab + |b|². |a|² is the same for all candidates and is left out; |b|² is a column more.
    columns = np.column_stack([known, np.einsum("ij,ij->i", known, known)]).T
    indices, distances = np.empty((len(asked), k), np.int64), np.empty((len(asked), k), np.float32)

    threads = machine.threads()
    size = max(1, min(BLOCK, BUDGET // (4 * max(1, len(known)) * threads)))

    def search(at: int) -> None:
        rows = asked[at : at + size]
        far = np.column_stack([-2 * rows, np.ones(len(rows), np.float32)]) @ columns
        found, each = np.empty((len(rows), k), np.int64), np.arange(len(rows))
        for column in found.T:
            column[:] = far.argmin(1)
            far[each, column] = np.inf
        exact = np.stack([np.linalg.norm(rows - known[column], axis=1) for column in found.T], 1)
        order = exact.argsort(1, kind="stable")
        indices[at : at + size] = np.take_along_axis(found, order, 1)
        distances[at : at + size] = np.take_along_axis(exact, order, 1)

    with machine.one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(search, range(0, len(asked), size)))
    return indices, distances


def pixels(images: np.ndarray) -> np.ndarray:
    """uint8 `[N, 28, 28]` -> float32 `[N, 784]` in 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def halved(images: np.ndarray) -> np.ndarray:
    """uint8 `[N, 28, 28]` -> the means of 2×2 pixels, float32 `[N, 196]` in 0 to 1."""
    result = np.empty((len(images), images.shape[1] * images.shape[2] // 4), np.float32)
    for at in range(0, len(images), BLOCK):  # blocks stay in the processor's cache
        pairs = np.ascontiguousarray(images[at : at + BLOCK]).view(np.uint16)  # two neighbours in a row
        sums = (pairs & 255) + (pairs >> 8)
        result[at : at + BLOCK] = (sums[:, ::2] + sums[:, 1::2]).reshape(len(sums), -1)
        result[at : at + BLOCK] /= 4 * 255
    return result
