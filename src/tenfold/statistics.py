"""Intervals, paired tests and calibration: plain functions of arrays.

Each part of scipy takes 0.1 to 0.4 s to import, so only the functions that need one import it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

LEVEL = 0.95  # confidence level of every interval
SURE = 0.999  # share of sure answers that are right
LEVELS = (SURE, 0.99, 0.95)  # levels to promise; the lower ones if validation pictures are too few for more
BINS = 15  # bins of the expected calibration error, as in Guo et al. 2017


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95% interval (low, high) of a share, both in 0 to 1.

    Source: Wilson 1927. Unlike the textbook's ±1.96·√(p(1-p)/n), it is correct near 0 and 1, where accuracies are.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"correct must be from 0 to {total}, and total positive, got {correct}")
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    share = correct / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # At the ends the exact bound is 0 or 1; rounding must not exceed it.
    return (0.0 if correct == 0 else centre - half, 1.0 if correct == total else centre + half)


@dataclass(frozen=True)
class SeedSummary:
    """Accuracies over seeds: `mean`, `sd` (of the sample, n - 1) and the t-interval of the mean."""

    mean: float
    sd: float
    interval: tuple[float, float]
    n: int


def over_seeds(values: np.ndarray) -> SeedSummary:
    """Summarise float `[n]` values of n ≥ 2 seeds; the 95% interval of the mean uses Student's t."""
    if len(values) < 2:
        raise ValueError("a spread needs at least two seeds")
    from scipy import special

    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(special.stdtrit(len(values) - 1, 0.5 + LEVEL / 2)) * sd / math.sqrt(len(values))
    return SeedSummary(mean, sd, (mean - half, mean + half), len(values))


@dataclass(frozen=True)
class Comparison:
    """Two models on the same pictures: counts that only one got right, McNemar's exact p-value, and the verdict."""

    only_first: int
    only_second: int
    p_value: float
    verdict: str


def mcnemar(first: np.ndarray, second: np.ndarray) -> Comparison:
    """Compare two models by their right answers, bool `[N]` each: the first is "better", "worse" or "tied".

    The exact two-sided test (McNemar 1947) asks if a fair coin could have decided which model is right on the pictures
    that only one got right. "Tied" means that this cannot be excluded at 5%.
    """
    from scipy import stats

    if first.shape != second.shape:
        raise ValueError(f"the models must answer the same pictures, got {len(first)} and {len(second)} answers")
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    n = only_first + only_second
    p = float(stats.binomtest(only_first, n).pvalue) if n else 1.0
    verdict = "tied" if p >= 1 - LEVEL else "better" if only_first > only_second else "worse"
    return Comparison(only_first, only_second, p, verdict)


@dataclass(frozen=True)
class Difference:
    """The difference between two recipes over the same `n` seeds: mean of first - second, 95% t-interval, p-value."""

    mean: float
    interval: tuple[float, float]
    p_value: float
    n: int
    verdict: str


def paired(first: np.ndarray, second: np.ndarray) -> Difference:
    """Return the paired t-test of accuracies `[n]`, n >= 2, seed by seed; tied if the interval contains 0.

    The two trainings of a pair, with the same seed, see the pictures in the same order.
    """
    from scipy import stats

    differences = first - second
    summary = over_seeds(differences)
    # Accuracies are fractions of counts: a smaller difference than this is a rounding error.
    varied = summary.sd > 1e-12
    p_value = float(stats.ttest_1samp(differences, 0).pvalue) if varied else float(abs(summary.mean) < 1e-12)
    verdict = "tied" if p_value >= 1 - LEVEL else "better" if summary.mean > 0 else "worse"
    return Difference(summary.mean, summary.interval, p_value, summary.n, verdict)


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature), float64 `[N, classes]`."""
    result: np.ndarray = np.exp(log_softmax(logits.astype(np.float64) / temperature))
    return result


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log(softmax(logits)) over the last axis, of the same shape.

    scipy has it too, but its import would delay every command by 0.2 s.
    """
    shifted = logits - logits.max(-1, keepdims=True)  # exp of the largest is 1: no overflow
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def committee(logits: Sequence[np.ndarray]) -> np.ndarray:
    """Return the logarithm of the mean of softmax(logits) over several models, `[N, classes]` each; float64.

    Its softmax is that mean, so it can be used like logits.
    """
    each = log_softmax(np.stack(logits).astype(np.float64))  # [models, N, classes]
    result: np.ndarray = np.logaddexp.reduce(each, axis=0) - math.log(len(logits))
    return result


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean over pictures of -log p(label), in nats."""
    log_p = log_softmax(logits.astype(np.float64) / temperature)
    return float(-log_p[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature from 0.05 to 20 with the smallest negative log-likelihood.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    scores = logits.astype(np.float64)
    of_labels = scores[np.arange(len(labels)), labels].mean()
    # The negative log-likelihood is convex in 1 / temperature. Its slope is the mean expected logit minus the mean
    # logit of the labels. Bisection finds its root: 50 halvings of a factor of 400 reach the last digits.
    low, high = 0.05, 20.0
    for _ in range(50):
        middle = math.sqrt(low * high)
        expected = (probabilities(scores, middle) * scores).sum(1).mean()
        low, high = (middle, high) if expected > of_labels else (low, middle)
    return math.sqrt(low * high)


@dataclass(frozen=True)
class CalibrationBins:
    """Answers in 15 equal bins of confidence, `(0, 1/15], (1/15, 2/15], …`, each array `[15]`.

    `pictures` counts the answers of each bin and `right` the right ones; `confidence` is the sum of their confidences.
    """

    pictures: np.ndarray
    right: np.ndarray
    confidence: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """The mean gap between confidence and accuracy over the bins, weighted by pictures."""
        return float(np.abs(self.confidence - self.right).sum() / self.pictures.sum())


def calibration_bins(p: np.ndarray, labels: np.ndarray) -> CalibrationBins:
    """Sort answers into bins of confidence, from probabilities `[N, classes]` and int64 labels `[N]`."""
    confidence, right = p.max(1), p.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return CalibrationBins(
        pictures=np.bincount(bins, minlength=BINS),
        right=np.bincount(bins[right], minlength=BINS),
        confidence=np.bincount(bins, confidence, BINS),
    )


def expected_calibration_error(p: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal bins of confidence, weighted by pictures.

    `p` is `[N, classes]`. Source: Naeini et al. 2015; Guo et al. 2017.
    """
    return calibration_bins(p, labels).expected_calibration_error


def selective_accuracy(p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of pictures answered, and the accuracy on them, for each possible threshold of confidence.

    `p` is `[N, classes]`; both results are float64 `[thresholds]`, from the highest threshold down. No threshold
    separates answers of the same confidence. Source: El-Yaniv and Wiener 2010.
    """
    confidence = p.max(1)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum(p.argmax(1)[order] == labels[order])
    answered = np.append(np.flatnonzero(np.diff(confidence[order])) + 1, len(labels))
    return answered / len(labels), right[answered - 1] / answered


@dataclass(frozen=True)
class Threshold:
    """The confidence from which a share `level` of answers is right, with the counts that show it."""

    confidence: float
    answered: int
    correct: int
    total: int
    level: float = SURE

    def __post_init__(self) -> None:
        if not (0 <= self.confidence <= 1 and 0 < self.level <= 1 and 0 <= self.correct <= self.answered <= self.total):
            raise ValueError("a threshold must be from 0 to 1, with correct <= answered <= total")


def sure_threshold(p: np.ndarray, labels: np.ndarray, level: float = SURE) -> Threshold | None:
    """Return the smallest threshold from which a share `level` of answers is right, from probabilities `[N, classes]`.

    It lies half-way between two observed confidences, so that rounding moves no answer across it. One wrong answer is
    added to the counted ones, as in conformal risk control (Angelopoulos et al. 2022); so at a level of 99.9%, fewer
    than 999 answers are not enough even if all are right. Returns None if no threshold is sufficient.
    """
    share, accuracy = selective_accuracy(p, labels)
    answered = np.round(share * len(labels)).astype(int)
    correct = np.round(accuracy * answered).astype(int)
    enough = np.flatnonzero(correct >= level * (answered + 1))
    if not len(enough):
        return None
    at = enough[-1]  # most answers: the smallest threshold
    seen = np.sort(p.max(1))
    lowest = len(labels) - answered[at]
    confidence = float(seen[max(lowest - 1, 0) : lowest + 1].mean())
    return Threshold(confidence, int(answered[at]), int(correct[at]), len(labels), level)
