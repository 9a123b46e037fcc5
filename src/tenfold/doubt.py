"""Doubtful labels: confident learning, as functions of arrays.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70.
In all functions, `probabilities` is float64 `[N, classes]` from models that never saw the pictures they classify (see
`tenfold.crossval`), and `labels`, int64 `[N]`, are those of the dataset.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Doubts:
    """The doubtful labels, the most doubtful first; all arrays are `[M]`.

    `pictures`, int64, are positions in the dataset, `given` its labels, `suggested` the most probable other classes.
    `margin`, float64 from -1 to 1, is p(given) - p(suggested): the lower, the more doubtful.
    """

    pictures: np.ndarray
    given: np.ndarray
    suggested: np.ndarray
    margin: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)


def doubtful(probabilities: np.ndarray, labels: np.ndarray) -> Doubts:
    """Return as many labels as are expected to be wrong, ranked by normalised margin, ties by position.

    The paper's "prune by noise rate": for every i and j, the pictures labelled i with the largest p(j) - p(i), as many
    as `expected_errors` gives.
    """
    everyone = np.arange(len(labels))
    own = probabilities[everyone, labels]
    chosen = np.zeros(len(labels), bool)
    for i, row in enumerate(expected_errors(probabilities, labels)):
        members = np.flatnonzero(labels == i)
        for j in np.flatnonzero(row):
            order = np.argsort(own[members] - probabilities[members, j], kind="stable")
            chosen[members[order[: row[j]]]] = True
    others = probabilities.copy()
    others[everyone, labels] = -np.inf
    suggested = others.argmax(1)
    margin = own - others[everyone, suggested]
    pictures = np.flatnonzero(chosen)
    pictures = pictures[np.argsort(margin[pictures], kind="stable")]
    return Doubts(pictures, labels[pictures], suggested[pictures], margin[pictures])


def expected_errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the expected number of pictures labelled i that are j, int64 `[i, j]`, with 0 on the diagonal.

    The confident joint counts only pictures with a confident class; here each row is scaled to all pictures with that
    label.
    """
    joint = confident_joint(probabilities, labels)
    counts = np.bincount(labels, minlength=len(joint))
    share = joint / np.maximum(joint.sum(1, keepdims=True), 1)
    expected: np.ndarray = np.rint(share * counts[:, None]).astype(np.int64)
    np.fill_diagonal(expected, 0)
    return expected


def thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return t, float64 `[classes]`: the mean p(class) of the pictures with that label; infinite for an empty class."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def confident_classes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the confident class of each picture, int64 `[N]`: the most probable one with p ≥ t, or -1 without one."""
    reached = np.where(probabilities >= thresholds(probabilities, labels), probabilities, -np.inf)
    best: np.ndarray = reached.argmax(1)
    return np.where(np.isfinite(reached.max(1)), best, -1)


def confident_joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the number of pictures labelled i with confident class j, int64 `[i, j]`."""
    classes = probabilities.shape[1]
    confident = confident_classes(probabilities, labels)
    sure = confident >= 0
    counts = np.bincount(labels[sure] * classes + confident[sure], minlength=classes**2)
    return counts.reshape(classes, classes)


def precision_and_recall(found: np.ndarray, planted: int) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall of the first 1, 2, …, M of a ranked list, float64 `[M]` each.

    `found`, bool `[M]`, is True for labels of the list that are among the `planted` wrong ones.
    """
    hits = np.cumsum(found)
    return hits / np.arange(1, len(found) + 1), hits / planted
