"""Answers of a model: to one picture, or to many as arrays."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Verdict = Literal["sure", "likely", "unsure", "no digit found", "several digits", "no character found"]


@dataclass(frozen=True)
class Answer:
    """The answer to one picture; `label` and the fields after it are empty where there was no single character.

    `confidence` is the calibrated probability of `label`, `top` the three likeliest classes with theirs. `doubts` are
    reasons in the picture not to be sure.
    """

    verdict: Verdict
    label: str | None = None
    confidence: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    probabilities: dict[str, float] | None = None
    doubts: tuple[str, ...] = ()

    def doubted(self, doubts: tuple[str, ...]) -> "Answer":
        """Return the answer, unsure if there are doubts."""
        return replace(self, verdict="unsure", doubts=doubts) if doubts else self

    def __str__(self) -> str:
        return self.verdict if self.label is None else f"{self.label}, {self.confidence:.2%}, {self.verdict}"


@dataclass(frozen=True)
class Judged:
    """The answers to N images, as arrays `[N]`: for millions, an `Answer` each would take longer than the model.

    `classes` are the places of the likeliest class, `confidence` its calibrated probability, float32, `sure` whether
    that is enough, `inked` whether there was anything but a single grey. `probabilities` are float32 `[N, classes]`.
    """

    probabilities: np.ndarray
    classes: np.ndarray
    confidence: np.ndarray
    sure: np.ndarray
    inked: np.ndarray
