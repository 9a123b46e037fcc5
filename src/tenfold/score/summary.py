"""What came of a job: counts added up, and how far its pictures drifted from those that the model learnt from."""

from collections.abc import Iterable
from typing import Any

from tenfold.score.plan import PIXELS
from tenfold.score.shard import FIXED, VERDICTS, Counts

FEWEST = 1_000  # answers from which drift is told: shares of fewer differ by chance alone
# How far a figure may be from its reference, by what distance: chosen by judgement, no test of significance.
LIMITS = {
    "class shares": (0.1, "total variation: the share of answers that would have to be others"),
    "mean ink": (0.1, "relative difference"),
    "mean confidence": (0.02, "difference"),
    "unsure share": (0.05, "difference"),
}


def none(classes: Iterable[str]) -> Counts:
    """Return the counts of no pictures."""
    return {
        "pictures": 0,
        "bad": 0,
        "skipped": 0,
        "verdicts": dict.fromkeys(VERDICTS, 0),
        "digits": dict.fromkeys(classes, 0),
        "ink": 0,
        "confidence": 0,
    }


def added(total: Counts, more: Counts) -> Counts:
    """Return the sum of two counts; they are whole numbers, so that no order of adding matters."""
    return {
        key: {name: value[name] + more[key][name] for name in value} if isinstance(value, dict) else value + more[key]
        for key, value in total.items()
    }


def summary(counts: Counts, reference: dict[str, Any] | None) -> dict[str, Any]:
    """Return what `summary.json` says of all counts; `reference` is what the model's metadata say of its training."""
    answered = sum(counts["digits"].values())
    here: dict[str, Any] = {
        "class shares": {name: count / answered for name, count in counts["digits"].items()} if answered else None,
        "mean ink": counts["ink"] / (answered * PIXELS) if answered else None,
        "mean confidence": counts["confidence"] / FIXED / answered if answered else None,
        "unsure share": counts["verdicts"]["unsure"] / answered if answered else None,
    }
    known = reference or {}
    training = dict(zip(LIMITS, (known.get(key) for key in ("shares", "ink", "confidence", "unsure")), strict=True))
    return {
        **{key: counts[key] for key in ("pictures", "bad", "skipped", "verdicts", "digits")},
        "unsure_share": here["unsure share"],
        "drift": [_drift(what, here[what], training[what], answered) for what in LIMITS],
    }


def _drift(what: str, here: Any, training: Any, answered: int) -> dict[str, Any]:
    """Return a figure here and in training, their distance, and whether that is beyond its limit; None: not known."""
    limit, _ = LIMITS[what]
    distance = None
    if here is not None and training is not None:
        if isinstance(here, dict):
            distance = sum(abs(here[name] - training[name]) for name in here) / 2
        else:
            distance = abs(here - training) / (training if what == "mean ink" and training else 1)
    drifted = None if distance is None or answered < FEWEST else distance > limit
    return {"what": what, "here": here, "training": training, "distance": distance, "limit": limit, "drifted": drifted}
