"""Answers of a model, to one picture or, as arrays, to many."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Verdict = Literal["sure", "likely", "unsure", "no digit found", "several digits", "no character found"]


@dataclass(frozen=True)
class Answer:
    """The answer to one picture. `label` and the fields after it are empty if there is no single character.

    `confidence` is the calibrated probability of `label`; `top` has the three most probable classes with theirs.
    `doubts` are properties of the picture that make the answer unsure.
    """

    verdict: Verdict
    label: str | None = None
    confidence: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    probabilities: dict[str, float] | None = None
    doubts: tuple[str, ...] = ()

    def doubted(self, doubts: tuple[str, ...]) -> "Answer":
        """Return the answer, with the verdict "unsure" if there are doubts."""
        return replace(self, verdict="unsure", doubts=doubts) if doubts else self

    def __str__(self) -> str:
        return self.verdict if self.label is None else f"{self.label}, {self.confidence:.2%}, {self.verdict}"


@dataclass(frozen=True)
class Judged:
    """The answers to N images as arrays `[N]`. For millions, one `Answer` each would take longer than the model.

    `classes` are the indices of the most probable classes, `confidence` their calibrated probabilities, float32. `sure`
    is True if that is enough, `inked` if the image has more than one grey. `probabilities` are float32 `[N, classes]`.
    """

    probabilities: np.ndarray
    classes: np.ndarray
    confidence: np.ndarray
    sure: np.ndarray
    inked: np.ndarray
