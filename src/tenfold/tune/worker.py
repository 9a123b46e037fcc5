"""A worker: draws a trial, trains it, tells what came of it, until there is none left.

Run as a program it reads its orders as one line of JSON from standard input, which is no place for others to see a
password, and stops when that input ends: its parent says so, or is gone.
"""

import json
import math
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import TrialState

from tenfold import crossval, frameworks, runs, train
from tenfold.data import catalog
from tenfold.data.split import Split, development
from tenfold.errors import DivergedError, InterruptError, TenfoldError
from tenfold.frameworks import onnx
from tenfold.recipes import Recipe, replace
from tenfold.tune import bookkeeping
from tenfold.tune.bookkeeping import REASON, REUSED, SECONDS
from tenfold.tune.drawing import Budget, Desk
from tenfold.tune.memo import Memo, Training, identity
from tenfold.tune.storage import Store
from tenfold.tune.study import Question

LOOKS = 9  # times that pruning looks into a training, if it has no more epochs: 3 x 3, as hyperband divides by 3
LOOK_PICTURES = 2_000  # of validation that a look on the way is on; all of them would cost a fifth of `quick`
POLL = 0.5  # seconds between two questions whether another's trial came back
STOPPED = "stopped; what is finished stands, and the same command goes on"
Report = Callable[[int, float], bool]  # the number of a look and its accuracy; whether to stop there


@dataclass(frozen=True)
class Orders:
    """What a worker is told: where the study is, what it asks, what it may spend, or else which finalists to train."""

    url: str | None
    workspace: str
    study: str
    question: dict[str, object]
    budget: Budget
    device: str
    finalists: list[tuple[dict[str, object], str]]


class Worker:
    """One process' part in a search."""

    def __init__(self, orders: Orders, stopped: Callable[[], bool]) -> None:
        self.question = Question.parse(orders.question)
        self.stopped = stopped
        self.threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # what `workers` sets; 0: one a core
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.memo = Memo(Path(orders.workspace))
        self.store = Store(orders.url, Path(orders.workspace) / orders.study, orders.study)
        self.study = bookkeeping.begin(self.store, orders.study, self.question)
        self.study.pruner = _pruner(self.question)
        self.desk = Desk(self.store, self.study, self.question, orders.budget)
        base = self.question.space.base
        self.framework: ModuleType = frameworks.load(base.framework)
        self.device = self.framework.choose_device(orders.device)
        self.pictures: Split = train.split_for(base)

    def work(self) -> None:
        """Run trials until none is left; `InterruptError` if it was stopped."""
        with self.store.troubles(), self.store.locks.held(self.name):
            precision = self._precision()
            while True:
                if self.stopped():
                    raise InterruptError(STOPPED)
                drawn = self.desk.draw(self.name, precision)
                if drawn == "over":
                    return
                if drawn == "wait":
                    time.sleep(POLL)
                elif not isinstance(drawn, str):
                    self._run(drawn.trial, drawn.recipe)

    def _precision(self) -> str:
        """Return the precision of all trials: what the first worker's machine found best, so that they compare."""
        base = self.question.space.base
        with self.store.locks.held("ask"):
            known = self.study.user_attrs.get("precision")
            if known is None:
                known = frameworks.choose_precision(base, self.framework, self.device)
                self.study.set_user_attr("precision", known)
        return str(known)

    def _run(self, trial: optuna.Trial, recipe: Recipe) -> None:
        """Run one trial to its end, whatever that is, and tell."""
        trainings: list[Training] = []
        reused = True
        try:
            for repeat in range(self.question.repeats):
                seeded = replace(recipe, seed=recipe.seed + repeat)
                report = _reporter(trial) if self.question.prune != "none" and repeat == 0 else None
                training, known = self._trained(seeded, report)
                reused = reused and known
                trainings.append(training)
                if training.accuracy is None:
                    break
        except DivergedError as error:  # the recipe's fault, and so a result
            _tell(self.study, trial, {REASON: str(error).partition(".\n")[0]}, TrialState.FAIL)
            return
        except TenfoldError:
            self.desk.put_back(trial)
            raise
        except UpdateFinishedTrialError:  # this worker was taken for dead: another's result counts
            return
        attributes = {SECONDS: round(sum(t.seconds for t in trainings), 4), REUSED: reused}
        accuracies = [training.accuracy for training in trainings if training.accuracy is not None]
        if len(accuracies) < len(trainings):
            _tell(self.study, trial, attributes, TrialState.PRUNED)
        else:
            _tell(self.study, trial, attributes, TrialState.COMPLETE, float(np.mean(accuracies)))

    def _trained(self, recipe: Recipe, report: Report | None) -> tuple[Training, bool]:
        """Return how the training of a recipe goes, and whether that was known already."""
        key = identity(recipe, self.question.folds)
        known = self.memo.find(key)
        planned = _planned(self.question) if report else 0
        if known:
            looks = known.looks if known.planned == planned else []
            for look, accuracy in enumerate(looks, 1):
                if report and report(look, accuracy) and (look < len(looks) or known.accuracy is None):
                    return Training(looks[:look], planned, None, known.seconds * look / len(looks)), True
            if known.accuracy is not None:
                return known, True
        training = self._train(recipe, planned, report, len(known.looks) if known and known.planned == planned else 0)
        self.memo.add(key, training)
        return training, False

    def _train(self, recipe: Recipe, planned: int, report: Report | None, seen: int) -> Training:
        """Train, looking `planned` times; the first `seen` looks were reported before."""
        start = time.perf_counter()
        looks: list[float] = []
        final = self._crossvalidated(recipe) if self.question.folds else None
        for accuracy, ended in () if self.question.folds else self._looks(recipe, planned):
            looks.append(accuracy)
            pruned = report is not None and len(looks) > seen and report(len(looks), accuracy)
            if ended:
                final = accuracy
            elif pruned:
                break
        return Training(looks if planned else [], planned, final, round(time.perf_counter() - start, 4))

    def _looks(self, recipe: Recipe, planned: int) -> Iterator[tuple[float, bool]]:
        """Train, yielding the accuracy at `planned` times in equal steps, and whether that is the end.

        With none planned there is one at the end. On the way it is that on a part of the validation pictures.
        """
        samples, validation = self.pictures.train, self.pictures.validation
        glance = validation.take(np.arange(0, len(validation), max(1, len(validation) // LOOK_PICTURES)))
        steps = recipe.steps(len(samples))
        pauses = {math.ceil(steps * look / planned) for look in range(1, planned)}
        for state in frameworks.fit(recipe, samples, self.device, None, self.stopped, pauses):
            if self.stopped():
                raise InterruptError(STOPPED)
            if state.step in pauses or state.step == steps:
                ended = state.step == steps
                shown = validation if ended else glance
                logits = onnx.answer(recipe, state.weights(), shown.images, self.threads)
                yield float((logits.argmax(1) == shown.labels).mean()), ended

    def _crossvalidated(self, recipe: Recipe) -> float:
        samples = development(catalog.find(recipe.dataset))
        answers = crossval.out_of_fold(recipe, samples, self.question.folds or 0, self.device, stopped=self.stopped)
        return float((answers.logits.argmax(1) == samples.labels).mean())


def train_finalists(orders: Orders, stopped: Callable[[], bool]) -> None:
    """Train finalists, each into a run folder of its own; one that was begun is gone on with."""
    for values, folder in orders.finalists:
        path = Path(folder)
        if stopped():
            raise InterruptError(STOPPED)
        if (path / runs.RECIPE).exists():
            train.resume(path)
        else:
            train.train(Recipe.model_validate(values), path, orders.device)


def _planned(question: Question) -> int:
    """Return how often pruning looks into a training: each epoch of the longest, and `LOOKS` times at least."""
    drawn = [parameter for parameter in question.space.parameters if parameter.key == "epochs"]
    longest = max([question.space.base.epochs, *(float(v) for p in drawn for v in (p.choices or (p.high,)))])
    return max(LOOKS, math.ceil(longest))


def _pruner(question: Question) -> BasePruner:
    if question.prune == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=1)
    if question.prune == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=_planned(question), reduction_factor=3)
    return NopPruner()


def _reporter(trial: optuna.Trial) -> Report:
    def report(look: int, accuracy: float) -> bool:
        trial.report(accuracy, look)
        return trial.should_prune()

    return report


def _tell(
    study: optuna.Study,
    trial: optuna.Trial,
    attributes: Mapping[str, object],
    state: TrialState,
    value: float | None = None,
) -> None:
    """Tell a result, unless this worker was taken for dead meanwhile: then another's counts."""
    try:
        for key, attribute in attributes.items():
            trial.set_user_attr(key, attribute)
        study.tell(trial, value, state, skip_if_finished=True)
    except UpdateFinishedTrialError:
        pass


def main() -> None:
    """Do what standard input says; the exit status is the error's, whose text is on standard error."""
    values = json.loads(sys.stdin.readline())
    orders = Orders(**values | {"budget": Budget(**values["budget"])})
    ended = threading.Event()

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        ended.set()
        if orders.finalists:
            signal.raise_signal(signal.SIGTERM)  # the stage that trains them listens to nothing else

    threading.Thread(target=watch, daemon=True).start()
    try:
        with train.stop_signals() as stopped:

            def ending() -> bool:
                return stopped() or ended.is_set()

            if orders.finalists:
                train_finalists(orders, ending)
            else:
                Worker(orders, ending).work()
    except TenfoldError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.status) from None
    except KeyboardInterrupt:  # a second signal does not wait for anything
        raise SystemExit(InterruptError.status) from None


def encoded(orders: Orders) -> str:
    """Return orders as the line that `main` reads."""
    return json.dumps(asdict(orders)) + "\n"


if __name__ == "__main__":
    main()
