"""A trial: its trainings, check by check. Each step to the next check is a task for any free worker."""

import math
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import TrialState

from tenfold import crossval, frameworks, pool, recipes, runs, train
from tenfold.data import catalog
from tenfold.data.split import Split, development
from tenfold.errors import BusyError, DivergedError
from tenfold.frameworks import State, onnx
from tenfold.pool import KilledError, Task
from tenfold.recipes import Recipe
from tenfold.tune.cache import Cache, Training, identity
from tenfold.tune.sampler import REASON, REUSED, SECONDS, Asked, Sampler

GLANCE = 2_000  # validation pictures per check before the last; using all would cost much of the time of `quick`
DATA = ("dataset", "validation_size", "split_seed", "train_size", "extra", "extra_repeats")  # a split's
DIED = f"its worker died {1 + pool.RETRIES} times"
Attempt = Generator[Task[Any], Any, None]
# The last training of this process, by recipe and checks; resuming it saves TensorFlow 1 s of tracing.
_SUSPENDED: dict[tuple[str, int, str, int], Iterator[State]] = {}


@dataclass(frozen=True)
class Step:
    """A training at a check: its `state`, None at the end, and its accuracy."""

    state: State | None
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Runner:
    """The arguments shared by all trials of a search."""

    sampler: Sampler
    cache: Cache
    device: str
    precision: str

    def attempt(self, asked: Asked) -> Attempt:
        """Run a trial and record its result. It yields tasks, and receives their results."""
        trainings: list[Training] = []
        reused, question = True, self.sampler.question
        try:
            for repeat in range(question.repeats):
                recipe = recipes.replace(asked.recipe, seed=asked.recipe.seed + repeat, precision=self.precision)
                training, known = yield from self._trained(recipe, asked, question.checks if repeat == 0 else 0)
                reused = reused and known
                trainings.append(training)
                if training.accuracy is None:
                    break
        except (DivergedError, KilledError) as error:  # caused by the recipe, so it is a result of the trial
            reason = DIED if isinstance(error, KilledError) else str(error).partition("\n")[0]
            self.sampler.tell(asked.trial, TrialState.FAIL, {REASON: reason})
            return
        attributes = {SECONDS: round(sum(t.seconds for t in trainings), 4), REUSED: reused}
        accuracies = [training.accuracy for training in trainings if training.accuracy is not None]
        if len(accuracies) < len(trainings):
            self.sampler.tell(asked.trial, TrialState.PRUNED, attributes)
        else:
            self.sampler.tell(asked.trial, TrialState.COMPLETE, attributes, float(np.mean(accuracies)))

    def _trained(self, recipe: Recipe, asked: Asked, planned: int) -> Generator[Task[Any], Any, tuple[Training, bool]]:
        """Return a recipe's training, and True if it came from the cache. Without pruning, `planned` is 0."""

        def pruned(check: int, accuracy: float) -> bool:
            return check > asked.reported and self.sampler.report(asked.trial, check, accuracy)

        key = identity(recipe, self.sampler.question.folds)
        known = self.cache.find(key)
        seen = known.checks if known and known.planned == planned else []
        for check, accuracy in enumerate(seen, 1):
            if planned and pruned(check, accuracy) and known and (check < len(seen) or known.accuracy is None):
                return Training(seen[:check], planned, None, known.seconds * check / len(seen)), True
        if known and known.accuracy is not None:
            return known, True
        checks: list[float] = []
        state, seconds, final = None, 0.0, None
        while final is None:
            step: Step = yield self._step(recipe, planned, len(checks), state)
            checks.append(step.accuracy)
            state, seconds = step.state, seconds + step.seconds
            stop = planned and len(checks) > len(seen) and pruned(len(checks), step.accuracy)
            if state is None:
                final = step.accuracy
            elif stop:
                break
        training = Training(checks if planned else [], planned, final, round(seconds, 4))
        self.cache.add(key, training)
        return training, False

    def _step(self, recipe: Recipe, planned: int, done: int, state: State | None) -> Task[Step]:
        if folds := self.sampler.question.folds:
            return partial(cross_validated, recipe, folds, self.device)
        return partial(train_on, recipe, self.device, max(1, planned), done, state)


def train_on(recipe: Recipe, device: str, planned: int, done: int, state: State | None) -> Step:
    """Train to the next check, from the `state` after `done` of `planned` evenly spaced checks.

    The last check uses all validation pictures, the others a part of them. Raises `DivergedError`.
    """
    with pool.ALONE:
        pictures = _pictures(**{name: getattr(recipe, name) for name in DATA})
        start = time.perf_counter()
        steps = recipe.steps(len(pictures.train))
        stops = sorted({math.ceil(steps * check / planned) for check in range(1, planned + 1)})
        until, key = stops[done], (recipe.hash, planned, device)
        states = _SUSPENDED.pop((*key, done), None)
        _SUSPENDED.clear()
        if states is None:
            states = frameworks.fit(recipe, pictures.train, device, state, checkpoint_steps=stops)
        reached = next(one for one in states if one.step == until)
        if until < steps:
            _SUSPENDED[*key, done + 1] = states
        shown = pictures.validation
        if until < steps:
            shown = shown.take(np.arange(0, len(shown), max(1, len(shown) // GLANCE)))
        threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # threads of a worker; 0: one per core
        logits = onnx.answer(recipe, reached.weights(), shown.images, threads)
        accuracy = float((logits.argmax(1) == shown.labels).mean())
        return Step(reached if until < steps else None, accuracy, time.perf_counter() - start)


def cross_validated(recipe: Recipe, folds: int, device: str) -> Step:
    """Cross-validate a recipe."""
    with pool.ALONE:
        samples = development(catalog.find(recipe.dataset))
        start = time.perf_counter()
        answers = crossval.out_of_fold(recipe, samples, folds, device)
        accuracy = float((answers.logits.argmax(1) == samples.labels).mean())
        return Step(None, accuracy, time.perf_counter() - start)


def choose_precision(recipe: Recipe, device: str) -> str:
    """Return the recipe's precision, or for `auto` the best one on a worker's machine."""
    return frameworks.settled(recipe, device)[0].precision


def train_finalist(recipe: Recipe, folder: Path, device: str) -> None:
    """Train a run into `folder`, or resume it.

    If another worker is training it, wait: that worker may be disconnected, so that its task was given to this one.
    """
    with pool.ALONE:
        while not (folder / runs.WEIGHTS).is_file():
            try:
                if (folder / runs.RECIPE).exists():
                    train.resume(folder)
                else:
                    train.train(recipe, folder, device)
            except BusyError:
                time.sleep(1)


@lru_cache(1)
def _pictures(**fields: Any) -> Split:
    """Return the split for recipes with these fields. A worker reads it once."""
    return train.split_for(recipes.replace(recipes.quick(), **fields))
