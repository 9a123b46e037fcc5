"""Run a whole search: choose trials, let workers train them, record the results, and compare the best two.

A study is in `<workspace>/<study>/`: Optuna's `journal.jsonl` (unless --storage names a database) and `study.json`,
which anyone can read, with the question, all trials and the final comparison.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from tenfold import extras, files, frameworks, pool, runs, train
from tenfold.errors import InterruptError, TenfoldError, UsageError
from tenfold.pool import Pool, Task
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.tune import finalists, storage
from tenfold.tune.cache import Cache
from tenfold.tune.sampler import Budget, Sampler
from tenfold.tune.study import FINALISTS, SEEDS, Question, Result, Trial, ranked
from tenfold.tune.trial import Attempt, Runner, choose_precision, train_finalist

FINAL, PRECISION = "final", "precision"  # attributes of the study
JOURNAL = "journal.jsonl"
SHOWN = 5  # best trials to show while the search runs
TRIALS = 60  # default for a search without a grid, --trials or --minutes


def tune(
    question: Question,
    study: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    url: str | None = None,
    workspace: Path = runs.RUNS,
    device: str = "auto",
    seeds: int = SEEDS,
    progress: Progress = SILENT,
) -> Result:
    """Search, retrain the best two with fresh seeds, and return the study. An interrupted study is resumed.

    `trials` is the total number of points of the study; `minutes` is the time for this call, including the final.
    Without both, a grid is searched completely, and any other search runs 60 trials. `jobs` processes share the cores,
    or the tasks run on the Dask cluster at `scheduler`. `url` is the address of a database for the study. With 0
    `seeds` there is no final. Raises `UsageError` for a study with another question, `BusyError` if another process is
    searching in it, `InterruptError` after an interruption. Test pictures are never read.
    """
    if (trials is not None and trials < 1) or (minutes is not None and not 0 < minutes < float("inf")):
        raise UsageError("--trials and --minutes must be positive")
    if trials is None and minutes is None and question.search != "grid":
        trials = TRIALS
    if scheduler is not None:
        extras.require("cluster", "a cluster")
    jobs = pool.affordable(jobs, scheduler, frameworks.memory(question.space.base, device), progress)
    name = study or f"tune-{question.space.base.network}-{question.search}"
    folder = workspace / name
    # Before the folder is made, so that an error leaves nothing behind.
    if not folder.exists():
        frameworks.require_memory(question.space.base, device)
        train.split_for(question.space.base, progress)
    database = storage.connect(url) if url else None
    files.make_folder(folder)
    busy = f"another process is searching in {folder}; wait for it, or choose another --study"
    with files.only_one(folder / runs.LOCK, busy), closing(database or storage.journal(folder / JOURNAL)) as store:
        files.sweep(folder)
        budget = Budget(trials, time.monotonic() + 60 * minutes if minutes else None, jobs)
        search = _Search(Sampler(store, name, question, budget), folder, device, seeds, progress)
        try:
            if not search.sampler.over() or search.wanted():
                train.split_for(question.space.base, progress)  # downloaded once, not by each worker
                with pool.started(jobs, scheduler) as workers:
                    search.run(workers)
                    search.final(workers)
        except (KeyboardInterrupt, InterruptError):
            raise InterruptError("stopped; finished trainings are kept, run the same command to resume") from None
        return search.refresh()


class _Search:
    """A running study."""

    def __init__(self, sampler: Sampler, folder: Path, device: str, seeds: int, progress: Progress) -> None:
        self.sampler, self.folder, self.device, self.seeds, self.progress = sampler, folder, device, seeds, progress
        self.began, self.before = time.monotonic(), 0
        self.show: Callable[[str], None] = lambda text: None
        self.result: Result | None = None
        self.before = len(_finished(self.refresh().trials))

    def refresh(self) -> Result:
        """Read the study, write `study.json` if it has changed, and show it."""
        trials, final = self.sampler.trials(), self.sampler.attribute(FINAL)
        if self.result is None or (_finished(trials), final) != (_finished(self.result.trials), self.result.final):
            importances = self.sampler.importances(trials)
            self.result = Result(self.folder, self.sampler.question, trials, importances, final)
            self.result.write()
        self.show(board(trials, self.sampler.budget, self.before, time.monotonic() - self.began))
        return self.result

    def run(self, workers: Pool) -> None:
        """Run trials until none is left."""
        ready: deque[tuple[Attempt, Task[Any]]] = deque()
        runner: Runner | None = None

        def advance(attempt: Attempt, resume: Callable[[], Task[Any]]) -> None:
            try:
                ready.append((attempt, resume()))
            except StopIteration:  # it has recorded its result
                self.refresh()

        def next_task() -> tuple[Attempt, Task[Any]] | None:
            nonlocal runner
            while not ready and (asked := self.sampler.ask()):
                runner = runner or self._runner(workers)
                attempt = runner.attempt(asked)
                advance(attempt, partial(next, attempt))
            return ready.popleft() if ready else None

        with self.progress.board() as self.show:
            self.refresh()
            for attempt, result in workers.completed(next_task):
                try:
                    resume = partial(attempt.send, result())
                except TenfoldError as error:
                    resume = partial(attempt.throw, error)
                advance(attempt, resume)

    def _runner(self, workers: Pool) -> Runner:
        """Return the runner of the trials. The precision is chosen once, so that they are comparable."""
        precision = self.sampler.attribute(PRECISION)
        if precision is None:
            precision = workers.call(partial(choose_precision, self.sampler.question.space.base, self.device))
            self.sampler.set_attribute(PRECISION, precision)
        return Runner(self.sampler, Cache(self.folder.parent), self.device, precision)

    def wanted(self) -> list[tuple[Recipe, Path]]:
        """Return the runs of the final; empty if it is finished or no trial is complete."""
        result = self.refresh()
        best = ranked(result.trials)[:FINALISTS]
        if result.final and [model["trial"] for model in result.final["models"]] == [trial.number for trial in best]:
            return []
        return finalists.trainings(result.question, best, result.name, self.folder.parent, self.seeds)

    def final(self, workers: Pool) -> None:
        """Retrain the best two, unless that is done, and compare them."""
        if not (wanted := self.wanted()):
            return
        best = ranked(self.refresh().trials)[:FINALISTS]
        self.progress.line(f"retraining the best {len(best)}, each with {self.seeds} fresh seeds")
        left = finalists.unfinished(wanted)
        tasks = ((folder, partial(train_finalist, recipe, folder.absolute(), self.device)) for recipe, folder in left)

        with self.progress.task("training the finalists", len(wanted)) as done:
            for folder, result in workers.completed(lambda: next(tasks, None)):
                result()
                if not (folder / runs.WEIGHTS).is_file():
                    raise TenfoldError(f"a worker wrote to another {folder} than this one; all machines must share it")
                done(sum((folder / runs.WEIGHTS).is_file() for _, folder in wanted))
        verdict = finalists.verdict(self.sampler.question, best, [folder for _, folder in wanted])
        self.sampler.set_attribute(FINAL, verdict)


def _finished(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.finished]


def board(trials: Sequence[Trial], budget: Budget, before: int, seconds: float) -> str:
    """Return the state of a search as text: a status line, then the best trials.

    `before` trials were finished when this command started, `seconds` ago.
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
        words.append(f"{rate:.0f} per minute")
    if pruned:
        words.append(f"{pruned / len(finished):.0%} pruned")
    if failed:
        words.append(f"{failed} failed")
    if (left := _left(len(finished), budget, rate)) is not None:
        words.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
    lines = [", ".join(words)]
    lines += [f"  {trial.accuracy:.2%}  trial {trial.number}: {described(trial)}" for trial in best[:SHOWN]]
    return "\n".join(lines)


def described(trial: Trial) -> str:
    """Return the values of a trial as one line."""
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.point.items())


def _left(finished: int, budget: Budget, rate: float | None) -> float | None:
    bounds = []
    if budget.until is not None:
        bounds.append(budget.until - time.monotonic())
    if budget.trials is not None and rate:
        bounds.append(60 * (budget.trials - finished) / rate)
    return max(0.0, min(bounds)) if bounds else None
