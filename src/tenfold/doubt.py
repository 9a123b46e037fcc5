"""Which labels are doubtful: confident learning, as plain functions of arrays.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70.
Throughout, `probabilities` is float64 `[N, classes]` from models that never saw the pictures they answer for (see
`tenfold.crossval`), and `labels` int64 `[N]` is what the dataset says.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Doubts:
    """The labels in doubt, the most doubtful first; all arrays are `[M]`.

    `pictures` int64 are places in the dataset, `given` its labels, `suggested` the classes that they confidently are,
    `margin` float64 in -1 to 1 is p(given) less the largest other p: the lower, the more doubtful.
    """

    pictures: np.ndarray
    given: np.ndarray
    suggested: np.ndarray
    margin: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)


def doubtful(probabilities: np.ndarray, labels: np.ndarray) -> Doubts:
    """Return what lies off the diagonal of the confident joint, ranked by normalised margin, ties by place.

    These are the paper's estimate "confident joint" of the label errors and its ranking by normalised margin (§3.2).
    """
    suggested = confident_classes(probabilities, labels)
    pictures = np.flatnonzero((suggested >= 0) & (suggested != labels))
    given = labels[pictures]
    others = probabilities[pictures]  # a copy
    margin = np.take_along_axis(others, given[:, None], 1)[:, 0]
    np.put_along_axis(others, given[:, None], -np.inf, 1)
    margin -= others.max(1, initial=-np.inf)
    order = np.argsort(margin, kind="stable")
    return Doubts(pictures[order], given[order], suggested[pictures][order], margin[order])


def thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return t, float64 `[classes]`: the mean p(class) of the pictures labelled so; infinite for a class of none."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def confident_classes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the class each picture confidently is, int64 `[N]`: the likeliest of those with p ≥ t, or -1 for none."""
    reached = np.where(probabilities >= thresholds(probabilities, labels), probabilities, -np.inf)
    best: np.ndarray = reached.argmax(1)
    return np.where(np.isfinite(reached.max(1)), best, -1)


def confident_joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how many pictures are labelled i and confidently are j, int64 `[i, j]`."""
    classes = probabilities.shape[1]
    confident = confident_classes(probabilities, labels)
    sure = confident >= 0
    counts = np.bincount(labels[sure] * classes + confident[sure], minlength=classes**2)
    return counts.reshape(classes, classes)


def precision_and_recall(found: np.ndarray, planted: int) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall of the first 1, 2, …, M of a ranked list, float64 `[M]` each.

    `found` is bool `[M]`: whether a label of the list is one of the `planted` wrong ones.
    """
    hits = np.cumsum(found)
    return hits / np.arange(1, len(found) + 1), hits / planted
