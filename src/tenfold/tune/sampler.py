"""Choose the next trial and record results: the only module that calls Optuna's ask and tell.

Only one process does this, so the budget is exact and no point is tried twice. In a study a trial is a point of the
space, so Optuna's trials that only record a repeated point are left out.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from tenfold.errors import UsageError
from tenfold.recipes import Recipe
from tenfold.tune.space import Point, Space, Value
from tenfold.tune.storage import Store
from tenfold.tune.study import FINALISTS, FORMAT, SEEDS, Question, State, Trial, ranked

STATES: dict[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
# Names of attributes of Optuna's trials.
SECONDS, REUSED, REASON, REPEATS = "seconds", "reused", "reason", "repeats"


@dataclass(frozen=True)
class Budget:
    """The budget of a search: a number of points and a deadline.

    The deadline is in seconds of `time.monotonic`, which nobody can set back. `jobs` workers share the time, and the
    rest of it must suffice for the finalists.
    """

    trials: int | None = None
    until: float | None = None
    jobs: int = 1

    def spent(self, begun: Sequence[FrozenTrial]) -> bool:
        """Return True if no other trial may start besides these."""
        if self.trials is not None and len(begun) >= self.trials:
            return True
        if self.until is None or not begun:
            return False
        paid = [t.user_attrs[SECONDS] for t in begun if t.state == TrialState.COMPLETE and SECONDS in t.user_attrs]
        each = float(np.mean(paid)) if paid else 0.0
        return time.monotonic() + each * (1 + FINALISTS * SEEDS / self.jobs) > self.until


@dataclass(frozen=True)
class Asked:
    """A trial to run, with its recipe; its first `reported` checks are already in the storage."""

    trial: optuna.Trial
    recipe: Recipe
    reported: int


class Sampler:
    """A study in its storage. Trials that were running when the last command ended are resumed first."""

    def __init__(self, store: Store, name: str, question: Question, budget: Budget) -> None:
        self.store, self.question, self.budget = store, question, budget
        space = question.space
        self.finite = space.grid() if question.search == "grid" else space.every_point()
        with store.guarded():
            self.study = _opened(store, name, question)
            self.study.pruner = _pruner(question)
            everything = self.study.get_trials(deepcopy=False)
        self.stopped = [trial for trial in everything if trial.state == TrialState.RUNNING]
        # A trial that repeats a point is closed at once; the original trial of the point may still have to run.
        tried = [trial for trial in everything if trial.state.is_finished() and REPEATS not in trial.user_attrs]
        self.tried = {self._key(trial.params) for trial in tried}

    def over(self) -> bool:
        """Return True if no work is left."""
        with self.store.guarded():
            everything = self.study.get_trials(deepcopy=False)
        return self._closed(everything) and not self.stopped and all(t.state != TrialState.WAITING for t in everything)

    def ask(self) -> Asked | None:
        """Return the next trial, or None if there is none now: the budget is spent, or all points are taken."""
        with self.store.guarded():
            while (trial := self._next()) is not None:
                point = suggested(trial, self.question.space)
                key = self._key(point)
                if key in self.tried:
                    self.tell(trial, TrialState.FAIL, {REPEATS: True})
                    continue
                self.tried.add(key)
                try:
                    recipe = self.question.space.recipe(point)
                except UsageError as error:
                    self.tell(trial, TrialState.FAIL, {REASON: str(error)})
                    continue
                checked = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
                return Asked(trial, recipe, len(checked))
        return None

    def report(self, trial: optuna.Trial, check: int, accuracy: float) -> bool:
        """Report the accuracy at a check, and return True if the trial should stop."""
        with self.store.guarded():
            trial.report(accuracy, check)
            return trial.should_prune()

    def tell(
        self, trial: optuna.Trial, state: TrialState, attributes: dict[str, Any], value: float | None = None
    ) -> None:
        """Close a trial with its result."""
        with self.store.guarded():
            for key, attribute in attributes.items():
                trial.set_user_attr(key, attribute)
            self.study.tell(trial, value, state)

    def attribute(self, key: str) -> Any:
        """Return an attribute of the study, or None."""
        with self.store.guarded():
            return self.study.user_attrs.get(key)

    def set_attribute(self, key: str, value: object) -> None:
        """Set an attribute of the study."""
        with self.store.guarded():
            self.study.set_user_attr(key, value)

    def trials(self) -> list[Trial]:
        """Return the trials of the study, by number."""
        with self.store.guarded():
            return [_trial(trial) for trial in _points(self.study.get_trials(deepcopy=False))]

    def importances(self, trials: Sequence[Trial]) -> dict[str, float]:
        """Return the importance of each parameter (PED-ANOVA); empty for too few trials."""
        if len(ranked(trials)) < 5 or len({trial.accuracy for trial in ranked(trials)}) < 2:
            return {}
        shares: dict[str, float] = optuna.importance.get_param_importances(self.study)
        return shares

    def _next(self) -> optuna.Trial | None:
        everything = self.study.get_trials(deepcopy=False)
        late = self.budget.until is not None and time.monotonic() > self.budget.until
        if self.stopped:
            if late:
                return None
            stopped = self.stopped.pop(0)
            self.study.sampler = self._sampler(stopped.number)
            return optuna.Trial(self.study, stopped._trial_id)
        self.study.sampler = self._sampler(len(everything))
        if any(trial.state == TrialState.WAITING for trial in everything):  # left by a command that ended during this
            return None if late else self.study.ask()
        if self._closed(everything):
            return None
        again = bool(everything) and REPEATS in everything[-1].user_attrs
        if self.finite is not None and (self.question.search == "grid" or again):
            left = self._left(self.finite)
            self.study.enqueue_trial(left[self._rng(len(everything)).integers(len(left))])
        return self.study.ask()

    def _closed(self, everything: list[FrozenTrial]) -> bool:
        """Return True if no new point may start: the budget is spent, or the space is exhausted."""
        begun = [trial for trial in _points(everything) if trial.state != TrialState.WAITING]
        return self.budget.spent(begun) or (self.finite is not None and not self._left(self.finite))

    def _left(self, finite: list[Point]) -> list[Point]:
        return [point for point in finite if self._key(point) not in self.tried]

    def _key(self, point: Point) -> frozenset[tuple[str, Value]]:
        """Return the identity of a point, independent of rounding errors."""
        parameters = {parameter.name: parameter for parameter in self.question.space.parameters}
        return frozenset((name, parameters[name].exact(value)) for name, value in point.items())

    def _sampler(self, number: int) -> BaseSampler:
        """Return the sampler of a trial, seeded by the trial's number and not by the number of workers."""
        seed = int(self._rng(number).integers(2**31))
        if self.question.search != "tpe":
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # about `group`
            return TPESampler(seed=seed, group=True)

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.question.seed, number])


def suggested(trial: optuna.Trial, space: Space) -> Point:
    """Return the point sampled for a trial."""
    point: Point = {}
    for parameter in space.active(point):
        name, low, high = parameter.name, parameter.low, parameter.high
        if parameter.choices:
            point[name] = cast(Value, trial.suggest_categorical(name, parameter.choices))
        elif parameter.integer:
            point[name] = trial.suggest_int(name, int(low), int(high), step=int(parameter.step or 1), log=parameter.log)
        else:
            point[name] = trial.suggest_float(name, low, high, step=parameter.step, log=parameter.log)
    return point


def _opened(store: Store, name: str, question: Question) -> optuna.Study:
    """Return the study of that name, new if necessary; raise `UsageError` if it has another question."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # Optuna also logs errors that it raises
    asked = question.document
    try:
        study = optuna.load_study(storage=store.storage, study_name=name)
    except KeyError:
        study = optuna.create_study(storage=store.storage, study_name=name, direction="maximize")
    known = study.user_attrs.get("question")
    if known is None and not study.get_trials(deepcopy=False):
        study.set_user_attr("format", FORMAT)
        study.set_user_attr("question", asked)
        return study
    if known is None or study.user_attrs.get("format") != FORMAT:
        made = "an earlier version of Tenfold" if known else "another program"
        raise UsageError(f"{store.shown} has a study {name!r} made by {made}; choose another --study")
    if differ := [key for key in asked if known.get(key) != asked[key]]:
        raise UsageError(
            f"{store.shown} has a study {name!r} with another {' and another '.join(differ)};\n"
            "choose another --study, or use the options it was started with"
        )
    return study


def _pruner(question: Question) -> BasePruner:
    if question.prune == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=1)
    if question.prune == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=question.checks, reduction_factor=3)
    return NopPruner()


def _points(everything: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return Optuna's trials without those that only record a repeated point."""
    return [trial for trial in everything if REPEATS not in trial.user_attrs]


def _trial(trial: FrozenTrial) -> Trial:
    checks = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    value = trial.value if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    return Trial(
        trial.number,
        trial.params,
        STATES[trial.state],
        checks[-1] if value is None and checks else value,
        trial.user_attrs.get(SECONDS, 0.0),
        checks,
        trial.user_attrs.get(REUSED, False),
        trial.user_attrs.get(REASON),
    )
