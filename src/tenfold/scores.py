"""`Score`: the performance of a model on labelled pictures.

It stores the confusion matrix and figures of the logits; all other metrics are computed from these on access. So a new
metric is a property and a line in `METRICS`, and older `scores.json` files have it too.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from tenfold import files, statistics
from tenfold.errors import TenfoldError

FEWEST_WRONG = 5  # wrong answers needed to fit a temperature
ALONE = "plain"  # the scoring of one model; several are a "committee of N"


Temperature = Annotated[float, Field(ge=0.01, le=100)]  # fitted in 0.05 to 20
Count = Annotated[int, Field(ge=0, lt=2**48)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="ignore")


class ClassScore(_Frozen):
    """Precision, recall and F1 of one class, 0 where undefined, and its number of pictures."""

    precision: float
    recall: float
    f1: float
    support: int


class Calibrated(_Frozen):
    """Metrics of probabilities after temperature scaling. `confidence` is the mean of the highest probability.

    It is None in older scores, which did not store it.
    """

    negative_log_likelihood: float
    expected_calibration_error: float
    confidence: float | None = None


class Score(_Frozen):
    """An entry of `scores.json`: the performance of one model, or of a committee, on one split.

    `confusion[i][j]` counts pictures of class i that were classified as j. Metrics of probabilities are None for models
    without them. `temperature`, `calibrated` and `threshold` are None if there were no pictures to fit them on.
    """

    split: str
    scoring: str = ALONE
    confusion: tuple[tuple[Count, ...], ...] = Field(repr=False)
    top2_accuracy: float | None = None
    negative_log_likelihood: float | None = None
    expected_calibration_error: float | None = None
    temperature: Temperature | None = None
    calibrated: Calibrated | None = None
    threshold: statistics.Threshold | None = None

    @model_validator(mode="after")
    def _square(self) -> "Score":
        if any(len(row) != len(self.confusion) for row in self.confusion) or not any(map(any, self.confusion)):
            raise ValueError("a confusion matrix must be square and count at least one picture")
        return self

    @property
    def matrix(self) -> np.ndarray:
        """The confusion matrix, int64 `[true, predicted]`."""
        return np.array(self.confusion)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def correct(self) -> int:
        """The number of correctly classified pictures."""
        return int(self.matrix.trace())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        """The number of pictures."""
        return int(self.matrix.sum())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def accuracy(self) -> float:
        """The share of correctly classified pictures."""
        return self.correct / self.total

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy (Wilson 1927)."""
        return statistics.wilson_interval(self.correct, self.total)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def matthews_correlation(self) -> float:
        """The Matthews correlation of labels and predictions, -1 to 1; 0 if undefined. Source: Gorodkin 2004."""
        true, predicted = self.matrix.sum(1).astype(object), self.matrix.sum(0).astype(object)  # no overflow
        covariance = self.correct * self.total - int(true @ predicted)
        squares = (self.total**2 - int(true @ true)) * (self.total**2 - int(predicted @ predicted))
        return covariance / math.sqrt(squares) if squares else 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def per_class(self) -> tuple[ClassScore, ...]:
        """The metrics of each class, in the order of the classes."""
        right, true, predicted = self.matrix.diagonal(), self.matrix.sum(1), self.matrix.sum(0)
        return tuple(
            ClassScore(precision=r / max(p, 1), recall=r / max(t, 1), f1=2 * r / max(p + t, 1), support=t)
            for r, t, p in zip(right.tolist(), true.tolist(), predicted.tolist(), strict=True)
        )

    def document(self) -> dict[str, Any]:
        """Return all fields and metrics as JSON values."""
        return self.model_dump(mode="json")


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


# The columns of every table of scores: title, and a function from score to text.
METRICS: dict[str, Callable[[Score], str]] = {
    "correct": lambda score: f"{score.correct:,}/{score.total:,}",
    "accuracy": lambda score: _percent(score.accuracy),
    "95% interval": lambda score: "{:.2%} to {:.2%}".format(*score.interval),
    "MCC": lambda score: _four(score.matthews_correlation),
    "top 2": lambda score: "-" if score.top2_accuracy is None else _percent(score.top2_accuracy),
    "NLL": lambda score: _four(score.negative_log_likelihood),
    "ECE": lambda score: _four(score.expected_calibration_error),
    "ECE calibrated": lambda score: _four(score.calibrated.expected_calibration_error if score.calibrated else None),
}


def metrics(scores: Sequence[Score]) -> tuple[list[str], list[list[str]]]:
    """Return the titles of the metrics that at least one score has, and a row of texts for each score."""
    columns = {title: [text(score) for score in scores] for title, text in METRICS.items()}
    columns = {title: cells for title, cells in columns.items() if set(cells) != {"-"}}
    return list(columns), [[cells[at] for cells in columns.values()] for at in range(len(scores))]


def of_predictions(split: str, predicted: np.ndarray, labels: np.ndarray, classes: int) -> Score:
    """Score int64 classes `[N]` against int64 labels `[N]`."""
    return Score(split=split, confusion=_confusion(predicted, labels, classes))


def of_logits(split: str, logits: np.ndarray, labels: np.ndarray, temperature: float | None = None) -> Score:
    """Score logits `[N, classes]` against int64 labels `[N]`, calibrated if there is a temperature."""
    top2 = np.argpartition(logits, -2, axis=1)[:, -2:]
    calibrated = None
    if temperature is not None:
        probabilities = statistics.probabilities(logits, temperature)
        calibrated = Calibrated(
            negative_log_likelihood=statistics.negative_log_likelihood(logits, labels, temperature),
            expected_calibration_error=statistics.expected_calibration_error(probabilities, labels),
            confidence=float(probabilities.max(1).mean()),
        )
    return Score(
        split=split,
        confusion=_confusion(logits.argmax(1), labels, logits.shape[1]),
        top2_accuracy=float((top2 == labels[:, None]).any(1).mean()),
        negative_log_likelihood=statistics.negative_log_likelihood(logits, labels),
        expected_calibration_error=statistics.expected_calibration_error(statistics.probabilities(logits), labels),
        temperature=temperature,
        calibrated=calibrated,
    )


def of_validation(logits: np.ndarray, labels: np.ndarray) -> Score:
    """Score validation logits `[N, classes]`, and fit the temperature and the threshold on them.

    With fewer than 5 wrong answers no temperature is fitted, because the likelihood would only raise the confidence.
    The threshold is for the highest of `statistics.LEVELS` that this number of pictures can show.
    """
    wrong = int((logits.argmax(1) != labels).sum())
    temperature = statistics.fit_temperature(logits, labels) if wrong >= FEWEST_WRONG else None
    probabilities = statistics.probabilities(logits, temperature or 1)
    found = (statistics.sure_threshold(probabilities, labels, level) for level in statistics.LEVELS)
    threshold = next((one for one in found if one), None)
    return of_logits("validation", logits, labels, temperature).model_copy(update={"threshold": threshold})


def read(path: Path, classes: int) -> list[Score]:
    """Read a `scores.json` of a model with this number of classes; raise `TenfoldError` for another number."""
    found = files.read_json(path, list[Score], "evaluate again")
    if any(len(score.confusion) != classes for score in found):
        raise TenfoldError(f"{path} must have scores for the {classes} classes of the run; evaluate again")
    return found


def documents(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return scores as the JSON values of a `scores.json`."""
    return [score.document() for score in scores]


def _confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    return tuple(map(tuple, counts.tolist()))
