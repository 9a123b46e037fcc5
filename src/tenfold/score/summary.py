"""The summary of a job: total counts, and the drift of its pictures from the training pictures."""

from collections.abc import Collection
from typing import Any

from tenfold.handwriting import picture
from tenfold.score.plan import PIXELS
from tenfold.score.shard import FIXED, Counts, names_of

FEWEST = 1_000  # answers needed to judge drift; shares of fewer vary too much by chance
# The limit for the distance of a figure from its reference: a judgement, not a test of significance.
LIMITS = {
    "class shares": 0.1,  # total variation distance
    "mean ink": 0.1,  # relative difference
    "mean confidence": 0.02,  # difference
    "unsure share": 0.05,  # difference
}


def none(classes: Collection[str]) -> Counts:
    """Return the counts for no pictures."""
    return {
        "pictures": 0,
        "bad": 0,
        "skipped": 0,
        "verdicts": dict.fromkeys(names_of(picture.are_digits(classes))[1], 0),
        "classes": dict.fromkeys(classes, 0),
        "ink": 0,
        "confidence": 0,
    }


def added(total: Counts, more: Counts) -> Counts:
    """Return the sum of two counts. They are whole numbers, so the order of additions does not matter."""
    return {
        key: {name: value[name] + more[key][name] for name in value} if isinstance(value, dict) else value + more[key]
        for key, value in total.items()
    }


def summary(counts: Counts, reference: dict[str, Any] | None) -> dict[str, Any]:
    """Return the content of `summary.json`; `reference` is that of the model's metadata."""
    answered = sum(counts["classes"].values())
    here: dict[str, Any] = {
        "class shares": {name: count / answered for name, count in counts["classes"].items()} if answered else None,
        "mean ink": counts["ink"] / (answered * PIXELS) if answered else None,
        "mean confidence": counts["confidence"] / FIXED / answered if answered else None,
        "unsure share": counts["verdicts"]["unsure"] / answered if answered else None,
    }
    known = reference or {}
    training = dict(zip(LIMITS, (known.get(key) for key in ("shares", "ink", "confidence", "unsure")), strict=True))
    return {
        **{key: counts[key] for key in ("pictures", "bad", "skipped", "verdicts")},
        "digits" if picture.are_digits(counts["classes"]) else "labels": counts["classes"],
        "unsure_share": here["unsure share"],
        "drift": [_drift(what, here[what], training[what], answered) for what in LIMITS],
    }


def _drift(what: str, here: Any, training: Any, answered: int) -> dict[str, Any]:
    """Return a figure here and in training, their distance, and whether it exceeds its limit; None if unknown."""
    limit = LIMITS[what]
    distance = None
    if here is not None and training is not None:
        if isinstance(here, dict):
            distance = sum(abs(here[name] - training[name]) for name in here) / 2
        else:
            distance = abs(here - training) / (training if what == "mean ink" and training else 1)
    drifted = None if distance is None or answered < FEWEST else distance > limit
    return {"what": what, "here": here, "training": training, "distance": distance, "limit": limit, "drifted": drifted}
