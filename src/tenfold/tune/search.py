"""The whole search: workers, what they have found so far, and the final between the best two.

A study lies in `<workspace>/<study>/`: `journal.jsonl` (Optuna's, unless --storage names another place) and
`study.json`, which anyone can read: the question, every trial, the verdict.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import optuna

from tenfold import files, runs, train
from tenfold.data import catalog
from tenfold.data.split import development
from tenfold.errors import UsageError
from tenfold.progress import SILENT, Progress
from tenfold.tune import bookkeeping, finalists
from tenfold.tune.board import board
from tenfold.tune.drawing import SEEDS, Budget, Desk
from tenfold.tune.storage import Store
from tenfold.tune.study import Question, Result, Trial, ranked
from tenfold.tune.worker import Orders
from tenfold.tune.workers import cores, started, wait

TRIALS = 60  # of a search that is neither a grid nor given a budget


def tune(
    question: Question,
    study: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    jobs: int | None = None,
    storage: str | None = None,
    workspace: Path = runs.RUNS,
    device: str = "auto",
    final: bool = True,
    progress: Progress = SILENT,
) -> Result:
    """Search, with `final` retrain the best two, and return the study; one that was stopped is gone on with.

    `trials` is how many points the study may have in the end, whoever tried them; `minutes` the time from now, the
    final in it. Without either a grid is done whole, another search 60 trials. `jobs` processes share the cores.
    Raises `UsageError` for a study that asks another question, `InterruptError` when it is stopped. Never sees a test
    picture.
    """
    if (trials is not None and trials < 1) or (minutes is not None and not 0 < minutes < float("inf")):
        raise UsageError("--trials and --minutes are budgets: more than 0, please")
    if trials is None and minutes is None and question.search != "grid":
        trials = TRIALS
    jobs = jobs or cores()
    name = study or f"tune-{question.space.base.network}-{question.search}"
    folder = workspace / name
    if not folder.exists():
        train.split_for(question.space.base, progress)  # before the folder is made: bad sizes leave nothing behind
    with closing(Store(storage, folder, name)) as store:
        files.make_folder(folder)
        known = bookkeeping.begin(store, name, question)
        budget = Budget(trials, time.time() + 60 * minutes if minutes else None, jobs)
        orders = Orders(storage, str(workspace), name, question.document, budget, device, [])
        searching = _Watched(store, known, question, folder, budget, progress)
        desk = Desk(store, known, question, budget)
        if not desk.over():
            development(catalog.find(question.space.base.dataset), progress)  # fetched once, not by each worker
            with searching.shown(), started([orders] * jobs) as processes:
                losses = wait(processes, searching.refresh)
                searching.refresh()  # what was finished since the last look
            if losses and not desk.over():
                raise losses[0]
            for loss in losses:
                progress.line(f"the others did without a worker: {loss}")
        found = searching.refresh()
        return _final(found, store, known, orders, jobs, progress) if final else found


def _final(found: Result, store: Store, known: optuna.Study, orders: Orders, jobs: int, progress: Progress) -> Result:
    """Train the best two again where that is not done, compare them, and write it all down."""
    best = finalists.chosen(found.trials)
    if not best:
        return found
    wanted = finalists.trainings(found.question, best, found.name, found.folder.parent)
    numbers = [trial.number for trial in best]
    with store.troubles(), store.locks.tried("final") as mine:
        final = known.user_attrs.get("final")
        if final is None or [model["trial"] for model in final["models"]] != numbers:
            if not mine:
                progress.line("another machine trains the best two again; their scores will be there")
                return found
            progress.line(f"the best {len(best)} are trained again, each with {SEEDS} fresh seeds")
            tasks = [(recipe.model_dump(), str(folder)) for recipe, folder in finalists.unfinished(wanted)]
            shares = [replace(orders, finalists=share) for at in range(jobs) if (share := tasks[at::jobs])]
            with progress.task("training the finalists", len(wanted)) as done, started(shares) as processes:
                losses = wait(processes, lambda: done(sum((folder / runs.WEIGHTS).is_file() for _, folder in wanted)))
            if losses:
                raise losses[0]
            final = finalists.verdict(found.question, best, [folder for _, folder in wanted])
            known.set_user_attr("final", final)
    whole = Result(found.folder, found.question, found.trials, found.importances, final)
    whole.write()
    return whole


class _Watched:
    """The study as its workers change it."""

    def __init__(
        self, store: Store, study: optuna.Study, question: Question, folder: Path, budget: Budget, progress: Progress
    ) -> None:
        self.store, self.study, self.question, self.folder = store, study, question, folder
        self.budget, self.progress = budget, progress
        self.began = time.time()
        with store.troubles():
            self.before = len(_finished(bookkeeping.trials(study)))
        self.result: Result | None = None
        self.show: Callable[[str], None] | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the board while the block runs."""
        with self.progress.board() as self.show:
            yield
        self.show = None

    def refresh(self) -> Result:
        """Look at the study, write it down where it has changed, and show it."""
        with self.store.troubles():
            trials = bookkeeping.trials(self.study)
            if self.result is None or _finished(trials) != _finished(self.result.trials):
                final = self.study.user_attrs.get("final")
                self.result = Result(self.folder, self.question, trials, _importances(self.study, trials), final)
                self.result.write()
        if self.show:
            self.show(board(trials, self.budget, self.before, time.time() - self.began))
        return self.result


def _finished(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.finished]


def _importances(study: optuna.Study, trials: list[Trial]) -> dict[str, float]:
    if len(ranked(trials)) < 5 or len({trial.accuracy for trial in ranked(trials)}) < 2:
        return {}
    shares: dict[str, float] = optuna.importance.get_param_importances(study)
    return shares
