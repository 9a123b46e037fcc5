"""The whole search: workers, what they have found so far, and the final between the best two.

A study lies in `<workspace>/<study>/`: `journal.jsonl` (Optuna's, unless --storage names another place) and
`study.json`, which anyone can read: the question, every trial, the verdict.
"""

import time
from pathlib import Path

import optuna

from tenfold import files, runs
from tenfold.data import catalog
from tenfold.data.split import development
from tenfold.errors import UsageError
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.tune import bookkeeping, finalists
from tenfold.tune.board import board
from tenfold.tune.drawing import SEEDS, Budget, Desk
from tenfold.tune.storage import Store
from tenfold.tune.study import Question, Result, Trial, ranked
from tenfold.tune.worker import Orders
from tenfold.tune.workers import cores, started, wait

TRIALS = 60  # of a search that is neither a grid nor given a budget
ENOUGH = 10  # complete trials, from which parameters' importances say something


def tune(
    question: Question,
    study: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    jobs: int | None = None,
    storage: str | None = None,
    workspace: Path = runs.RUNS,
    device: str = "auto",
    progress: Progress = SILENT,
) -> Result:
    """Search, retrain the best two with fresh seeds, and return the study; one that was stopped is gone on with.

    `trials` is how many points the study may have in the end, whoever tried them; `minutes` the time from now, the
    final in it. Without either a grid is done whole, another search 60 trials. `jobs` processes share the cores.
    Raises `UsageError` for a study that asks another question, `InterruptError` when it is stopped. Never sees a test
    picture.
    """
    work = _Work(question, study, trials, minutes, jobs, storage, workspace, device, progress)
    work.search()
    return work.final()


def search(
    question: Question,
    study: str | None = None,
    trials: int | None = None,
    jobs: int | None = None,
    workspace: Path = runs.RUNS,
) -> Result:
    """Search as `tune` does, without the final."""
    work = _Work(question, study, trials, None, jobs, None, workspace, "auto", SILENT)
    return work.search()


class _Work:
    """A study, and what this process does for it."""

    def __init__(
        self,
        question: Question,
        study: str | None,
        trials: int | None,
        minutes: float | None,
        jobs: int | None,
        storage: str | None,
        workspace: Path,
        device: str,
        progress: Progress,
    ) -> None:
        if (trials is not None and trials < 1) or (minutes is not None and not 0 < minutes < float("inf")):
            raise UsageError("--trials and --minutes are budgets: more than 0, please")
        if trials is None and minutes is None and question.search != "grid":
            trials = TRIALS
        name = study or f"tune-{question.space.base.network}-{question.search}"
        self.question, self.progress, self.jobs = question, progress, jobs or cores()
        self.folder = workspace / name
        self.budget = Budget(trials, time.time() + 60 * minutes if minutes else None, self.jobs)
        files.make_folder(self.folder)
        self.store = Store(storage, self.folder, name)
        self.study = bookkeeping.begin(self.store, name, question)
        threads = max(1, cores() // self.jobs)
        self.orders = Orders(storage, str(workspace), name, question.document, self.budget, device, threads, [])
        self.began = time.time()
        self.before = sum(trial.finished for trial in bookkeeping.trials(self.study))
        self.seen: Result | None = None

    def search(self) -> Result:
        """Run trials until the budget is spent."""
        desk = Desk(self.store, self.study, self.question, self.budget)
        if not desk.over():
            dataset = catalog.find(self.question.space.base.dataset)
            development(dataset, self.progress)  # fetched once, not by each worker
            with self.progress.board() as show, started(self.orders, self.jobs) as processes:
                losses = wait(processes, lambda: show(self._board()))
                show(self._board())
            if losses and not desk.over():
                raise losses[0]
            for loss in losses:
                self.progress.line(f"the others did without a worker: {loss}")
        return self._look()

    def final(self) -> Result:
        """Train the best two again where that is not done, compare them, and write it all down."""
        found = self._look()
        best = finalists.chosen(found.trials)
        if not best:
            return found
        wanted = finalists.trainings(self.question, best, found.name, self.folder.parent)
        with self.store.troubles(), self.store.locks.tried("final") as mine:
            if found.final is None or [m["trial"] for m in found.final["models"]] != [t.number for t in best]:
                if not mine:
                    self.progress.line("another machine trains the best two again; their scores will be there")
                    return found
                self._train(wanted)
                verdict = finalists.verdict(self.question, best, [folder for _, folder in wanted])
                self.study.set_user_attr("final", verdict)
        return self._look()

    def _train(self, wanted: list[tuple[Recipe, Path]]) -> None:
        tasks = [(recipe.model_dump(), str(folder)) for recipe, folder in wanted]
        orders = Orders(**vars(self.orders) | {"finalists": tasks})
        title = f"training the best again, each with {SEEDS} fresh seeds"
        with self.progress.task(title, len(wanted)) as done, started(orders, self.jobs) as processes:
            losses = wait(processes, lambda: done(sum((folder / runs.WEIGHTS).is_file() for _, folder in wanted)))
        if losses:
            raise losses[0]

    def _board(self) -> str:
        return board(self._look().trials, self.budget, self.before, time.time() - self.began)

    def _look(self) -> Result:
        """Return the study as it stands, written to `study.json` where something has come of it since the last look."""
        with self.store.troubles():
            trials, final = bookkeeping.trials(self.study), self.study.user_attrs.get("final")
            seen = self.seen
            if seen and final == seen.final and _finished(trials) == _finished(seen.trials):
                return Result(self.folder, self.question, trials, seen.importances, final)
            self.seen = Result(self.folder, self.question, trials, _importances(self.study, trials), final)
        self.seen.write()
        return self.seen


def _finished(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.finished]


def _importances(study: optuna.Study, trials: list[Trial]) -> dict[str, float]:
    """Return each parameter's share in what sets the good trials apart; nothing where too few trials tell."""
    best = ranked(trials)
    if len(best) < ENOUGH or best[0].accuracy == best[-1].accuracy:
        return {}
    shares: dict[str, float] = optuna.importance.get_param_importances(study)
    return shares
