"""Which trial is next: one worker at a time asks, so that the budget is exact and no point is handed out twice.

Optuna's own `ask` is not enough for that: workers that ask at once can get the same point of a grid (optuna#5489), and
each counts only the trials that it has seen.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from tenfold.errors import UsageError
from tenfold.recipes import Recipe, replace
from tenfold.tune import memo
from tenfold.tune.bookkeeping import DEATHS, IDENTITY, REASON, REPEATS, REPLACES, RETRIES, SECONDS, WORKER, points
from tenfold.tune.space import Point, Space, Value
from tenfold.tune.storage import Store
from tenfold.tune.study import Question

# No trial now: all is done; another's may come back if its worker dies; ask again at once.
Answer = Literal["over", "wait", "again"]
SEEDS = 5  # fresh ones for each of the best two
FINALISTS = 2


@dataclass(frozen=True)
class Budget:
    """What a search may spend: so many points, and the time (seconds since 1970) by which all is to be done.

    `jobs` workers share the time; what is left of it must also do for the finalists.
    """

    trials: int | None = None
    until: float | None = None
    jobs: int = 1

    def spent(self, begun: Sequence[FrozenTrial]) -> bool:
        """Whether no further trial may be begun beside these."""
        if self.trials is not None and len(begun) >= self.trials:
            return True
        if self.until is None or not begun:
            return False
        paid = [t.user_attrs[SECONDS] for t in begun if t.state == TrialState.COMPLETE and SECONDS in t.user_attrs]
        each = float(np.mean(paid)) if paid else 0.0
        return time.time() + each * (1 + FINALISTS * SEEDS / self.jobs) > self.until


@dataclass(frozen=True)
class Drawn:
    """A trial to run, and the recipe that it tries."""

    trial: optuna.Trial
    recipe: Recipe


class Desk:
    """Where workers get their trials: the study, and the rules by which it hands them out."""

    def __init__(self, store: Store, study: optuna.Study, question: Question, budget: Budget) -> None:
        self.store, self.study, self.question, self.budget = store, study, question, budget
        space = question.space
        self.finite = space.grid() if question.search == "grid" else space.every_point()

    def over(self) -> bool:
        """Whether nothing is left to do, by anybody; trials whose workers died wait again after this."""
        with self.store.troubles(), self.store.locks.held("ask"):
            everything = self._revived()
            states = {trial.state for trial in everything}
            return self._closed(everything) and not states & {TrialState.RUNNING, TrialState.WAITING}

    def draw(self, worker: str, precision: str) -> Drawn | Answer:
        """Return the next trial for `worker`, or what it is to do instead."""
        with self.store.locks.held("ask"):
            everything = self._revived()
            if all(trial.state != TrialState.WAITING for trial in everything):
                if self._closed(everything):
                    return "wait" if any(trial.state == TrialState.RUNNING for trial in everything) else "over"
                again = bool(everything) and REPEATS in everything[-1].user_attrs
                if self.finite is not None and (self.question.search == "grid" or again):
                    left = self._left(self.finite, everything)
                    self.study.enqueue_trial(left[self._rng(everything).integers(len(left))])
            elif self.budget.until is not None and time.time() > self.budget.until:
                return "over"
            self.study.sampler = self._sampler(everything)
            trial = self.study.ask()
            trial.set_user_attr(WORKER, worker)
            return self._checked(trial, points(everything), precision)

    def put_back(self, trial: optuna.Trial) -> None:
        """Let a trial that was interrupted wait for the next worker."""
        with self.store.locks.held("ask"):
            mine = next(t for t in self.study.get_trials(deepcopy=False) if t.number == trial.number)
            if mine.state == TrialState.RUNNING:
                self._wait_again(mine, mine.user_attrs.get(DEATHS, 0))

    def _checked(self, trial: optuna.Trial, others: Sequence[FrozenTrial], precision: str) -> Drawn | Answer:
        """Return the trial if its point makes sense and is new; else close it, and the worker asks again."""
        point = suggested(trial, self.question.space)
        try:
            recipe = replace(self.question.space.recipe(point), precision=precision)
        except UsageError as error:
            trial.set_user_attr(REASON, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
            return "again"
        identity = memo.identity(recipe, self.question.folds)
        for other in others:
            if other.user_attrs.get(IDENTITY) == identity and other.number != trial.number:
                trial.set_user_attr(REPEATS, other.number)
                self.study.tell(trial, state=TrialState.FAIL)
                return "again"
        trial.set_user_attr(IDENTITY, identity)
        return Drawn(trial, recipe)

    def _closed(self, everything: list[FrozenTrial]) -> bool:
        """Whether no new point may be begun: the budget is spent, or the space is exhausted."""
        begun = [trial for trial in points(everything) if trial.state != TrialState.WAITING]
        return self.budget.spent(begun) or (self.finite is not None and not self._left(self.finite, everything))

    def _left(self, finite: list[Point], everything: list[FrozenTrial]) -> list[Point]:
        visited = {frozenset(trial.params.items()) for trial in everything}
        return [point for point in finite if frozenset(point.items()) not in visited]

    def _revived(self) -> list[FrozenTrial]:
        """Return all trials, after those whose workers are gone were made to wait again, or failed for good."""
        everything = self.study.get_trials(deepcopy=False)
        replaced = {trial.user_attrs.get(REPLACES) for trial in everything}
        changed = False
        for trial in everything:
            if trial.state == TrialState.RUNNING and self._is_dead(trial):
                deaths = trial.user_attrs.get(DEATHS, 0) + 1
                if deaths > RETRIES or trial.number in replaced:
                    self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                else:
                    self._wait_again(trial, deaths)
                changed = True
        return self.study.get_trials(deepcopy=False) if changed else everything

    def _is_dead(self, trial: FrozenTrial) -> bool:
        worker = trial.user_attrs.get(WORKER)
        if worker is None:
            return True  # it died while it asked: nobody else can have been asking
        with self.store.locks.tried(worker) as free:
            return free

    def _wait_again(self, dead: FrozenTrial, deaths: int) -> None:
        """Queue a trial's point once more. The copy comes first: a death between the two lines loses nothing."""
        kept = {key: value for key, value in dead.system_attrs.items() if key == "fixed_params"}
        attributes = {key: value for key, value in dead.user_attrs.items() if key == IDENTITY}
        self.study.add_trial(
            create_trial(
                state=TrialState.WAITING,
                params=dead.params,
                distributions=dead.distributions,
                user_attrs=attributes | {DEATHS: deaths, REPLACES: dead.number},
                system_attrs=kept,
            )
        )
        self.study.tell(dead.number, state=TrialState.FAIL, skip_if_finished=True)

    def _sampler(self, everything: list[FrozenTrial]) -> BaseSampler:
        """Return the sampler of the next trial, seeded by its number: the same draws whoever asks."""
        seed = int(self._rng(everything).integers(2**31))
        if self.question.search != "tpe":
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # by groups, a network's own parameters are modelled
            return TPESampler(seed=seed, group=True)

    def _rng(self, everything: list[FrozenTrial]) -> np.random.Generator:
        asked = [trial for trial in everything if REPLACES not in trial.user_attrs]
        return np.random.default_rng([self.question.seed, len(asked)])


def suggested(trial: optuna.Trial, space: Space) -> Point:
    """Return the point that a trial draws."""
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
