"""What a model says to a picture: one answer, or those to very many as arrays."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Verdict = Literal["sure", "unsure", "no digit found", "several digits"]


@dataclass(frozen=True)
class Answer:
    """What a model says to one picture; `digit` and what follows are empty where there was no one digit to read.

    `confidence` is the calibrated probability of `digit`, `top` the three likeliest classes with theirs. `doubts` are
    reasons in the picture not to be sure.
    """

    verdict: Verdict
    digit: str | None = None
    confidence: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    probabilities: dict[str, float] | None = None
    doubts: tuple[str, ...] = ()

    def doubted(self, doubts: tuple[str, ...]) -> "Answer":
        """Return the answer, unsure if there are doubts."""
        return replace(self, verdict="unsure", doubts=doubts) if doubts else self

    def __str__(self) -> str:
        return self.verdict if self.digit is None else f"{self.digit}, {self.confidence:.2%}, {self.verdict}"

    def document(self) -> dict[str, Any]:
        """Return all of it as what JSON can hold."""
        return dict(vars(self))


@dataclass(frozen=True)
class Judged:
    """What a model says to N images, as arrays `[N]`: in millions, an `Answer` each would take longer than the model.

    `classes` are the places of the likeliest class, `confidence` its calibrated probability, float32, `sure` whether
    that is enough, `inked` whether there was anything but a single grey. `probabilities` are float32 `[N, classes]`.
    """

    probabilities: np.ndarray
    classes: np.ndarray
    confidence: np.ndarray
    sure: np.ndarray
    inked: np.ndarray
