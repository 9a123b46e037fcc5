"""What one sees while a search runs: the best five, and how it goes."""

import time
from collections.abc import Sequence

from tenfold.tune.sampler import Budget
from tenfold.tune.study import Trial, ranked

BEST = 5


def board(trials: Sequence[Trial], budget: Budget, before: int, seconds: float) -> str:
    """Return the state of a search as text: a line that says how it goes, then the best trials.

    `before` trials were finished when this command began, `seconds` ago.
    """
    finished = [trial for trial in trials if trial.finished]
    fresh = len(finished) - before
    rate = 60 * fresh / seconds if seconds and fresh else None
    pruned = sum(trial.state == "pruned" for trial in finished)
    failed = sum(trial.state == "failed" for trial in finished)
    words = [f"{len(finished)} of {budget.trials} trials" if budget.trials else f"{len(finished)} trials"]
    if best := ranked(trials):
        words.append(f"best {best[0].accuracy:.2%}")
    if rate:
        words.append(f"{rate:.0f} a minute")
    if pruned:
        words.append(f"{pruned / len(finished):.0%} pruned")
    if failed:
        words.append(f"{failed} failed")
    if (left := _left(len(finished), budget, rate)) is not None:
        words.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
    lines = [", ".join(words)]
    lines += [f"  {trial.accuracy:.2%}  trial {trial.number}: {described(trial)}" for trial in best[:BEST]]
    return "\n".join(lines)


def described(trial: Trial) -> str:
    """Return a trial's point in a line."""
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.point.items())


def _left(finished: int, budget: Budget, rate: float | None) -> float | None:
    """Return the seconds that are left, as far as they can be known."""
    bounds = []
    if budget.until is not None:
        bounds.append(budget.until - time.time())
    if budget.trials is not None and rate:
        bounds.append(60 * (budget.trials - finished) / rate)
    return max(0.0, min(bounds)) if bounds else None
