"""Classical models on raw pixels: the baselines that a network must beat.

They are scikit-learn's, except nearest neighbours, which is much faster as a matrix product in numpy.
"""

import pickle
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pydantic import Field, field_validator

from tenfold import extras, machine, scores, similarity
from tenfold.data.split import Split
from tenfold.errors import UsageError, unknown
from tenfold.progress import SILENT, Progress
from tenfold.scores import Score
from tenfold.similarity import pixels


class Classifier(Protocol):
    """The interface of scikit-learn's classifiers."""

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> object:
        """Learn from float32 pixels `[N, 784]` in 0 to 1 and int64 labels `[N]`."""

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return int64 labels `[N]`."""


@dataclass(frozen=True)
class Baseline:
    """A classical model: the function that makes it from a seed, and published accuracies on MNIST (test, percent).

    `seconds` is about the time of fitting and predicting on two cores (EXPERIMENTS.md), used to plan a time limit.
    """

    title: str
    make: Callable[[int], Classifier]
    seconds: float
    published: str = ""


class NearestNeighbours:
    """k-nearest neighbours by brute force; the nearest neighbour decides ties."""

    def __init__(self, k: int) -> None:
        self.k = k

    def fit(self, pixels: np.ndarray, labels: np.ndarray) -> "NearestNeighbours":
        """Store the pictures."""
        self.pixels, self.labels = pixels, labels
        return self

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the most frequent label of the k nearest pictures; the nearest one decides ties."""
        indices, _ = similarity.nearest(pixels, self.pixels, self.k)
        votes = self.labels[indices]  # [N, k], nearest first
        counts = (votes[:, :, None] == votes[:, None, :]).sum(2)  # number of neighbours with the same label
        return np.take_along_axis(votes, counts.argmax(1)[:, None], 1)[:, 0]


def _majority(seed: int) -> Classifier:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="most_frequent")


def _nearest_centroid(seed: int) -> Classifier:
    from sklearn.neighbors import NearestCentroid

    return NearestCentroid()


def _ridge(seed: int) -> Classifier:
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=1.0)


def _logistic_regression(seed: int) -> Classifier:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, tol=1e-3, max_iter=100)


def _extra_trees(seed: int) -> Classifier:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(30, n_jobs=-1, random_state=seed)


def _rbf_kernel(seed: int) -> Classifier:
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        Nystroem(gamma=0.02, n_components=1_000, random_state=seed), RidgeClassifier(alpha=1e-3, solver="cholesky")
    )


def _mlp(seed: int) -> Classifier:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((128,), batch_size=256, learning_rate_init=2e-3, max_iter=8, random_state=seed)


BASELINES = {
    "majority": Baseline("majority class", _majority, 0.1),
    "ridge": Baseline("ridge regression", _ridge, 0.5, "88.0"),
    "nearest-centroid": Baseline("nearest centroid", _nearest_centroid, 2),
    "mlp": Baseline("multilayer perceptron, 128", _mlp, 3.5),
    "nearest-neighbours": Baseline("3 nearest neighbours", lambda seed: NearestNeighbours(3), 2, "95.0 to 96.9"),
    "logistic-regression": Baseline("logistic regression", _logistic_regression, 3),
    "rbf-kernel": Baseline("RBF kernel, Nystroem 1,000 + ridge", _rbf_kernel, 5, "98.6"),
    "extra-trees": Baseline("extra trees, 30", _extra_trees, 4),
}


class BaselineScore(Score):
    """The validation score of a baseline, its cost in seconds and bytes, and published accuracies (test, percent)."""

    name: str
    train_seconds: float = Field(ge=0)
    predict_seconds: float = Field(ge=0)
    bytes: int = Field(ge=0)
    published: str

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in BASELINES:
            raise ValueError("unknown baseline")
        return name

    @property
    def title(self) -> str:
        """The name in tables and figures."""
        return BASELINES[self.name].title


@dataclass(frozen=True)
class Fitted:
    """A fitted baseline: the model, its predictions int64 `[N]` for the validation pictures, and its score."""

    model: Classifier
    predictions: np.ndarray
    score: BaselineScore


def compare(split: Split, names: list[str] | None = None, seed: int = 0, progress: Progress = SILENT) -> list[Fitted]:
    """Fit baselines (all by default) on the training pictures and score each on the validation pictures.

    Raises `UsageError` for an unknown name, `TenfoldError` if scikit-learn is not installed.
    """
    names = list(BASELINES) if names is None else names
    for name in names:
        if name not in BASELINES:
            raise unknown("baseline", name, BASELINES)
    if not len(split.validation):
        raise UsageError("--validation-size must be positive: baselines are compared on validation pictures")
    extras.require("train", "fitting baselines", "sklearn")  # before the work starts
    train, validation = pixels(split.train.images), pixels(split.validation.images)
    fitted = []
    models = {name: BASELINES[name].make(seed) for name in names}  # imports the libraries, before their threads are set
    with machine.one_blas_thread(), progress.task("fitting baselines", len(names)) as done:
        for count, (name, model) in enumerate(models.items(), 1):
            fitted.append(_fit(name, model, split, train, validation))
            score = fitted[-1].score
            progress.line(f"{score.title:<36} validation {score.accuracy:.2%}  fitted in {score.train_seconds:.1f} s")
            done(count)
    return fitted


def _fit(name: str, model: Classifier, split: Split, train: np.ndarray, validation: np.ndarray) -> Fitted:
    """Fit on pixels `train` and predict for pixels `validation`, both float32 `[N, 784]`."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations and constant pixels are intended
        model.fit(train, split.train.labels)
    fit_end = time.perf_counter()
    predictions = model.predict(validation)
    predict_end = time.perf_counter()
    score = scores.of_predictions("validation", predictions, split.validation.labels, len(split.dataset.classes))
    return Fitted(
        model,
        predictions,
        BaselineScore(
            **dict(score),
            name=name,
            train_seconds=round(fit_end - start, 3),
            predict_seconds=round(predict_end - fit_end, 3),
            bytes=len(pickle.dumps(model, protocol=5)),
            published=BASELINES[name].published if split.dataset.name == "mnist" else "",
        ),
    )
