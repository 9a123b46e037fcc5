"""`tenfold run`: all stages, from data to report, within a time limit.

It plans, fits the baselines, trains three seeds of `quick` and one of `standard`, chooses on validation pictures, opens
the test set once, and writes a report. `life-N.json` holds the plan and its progress, so a killed life can be resumed.
"""

import itertools
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold import baselines, evaluate, extras, files, frameworks, life, networks, recipes, report, runs, train
from tenfold.baselines import BaselineScore
from tenfold.data import catalog
from tenfold.errors import TenfoldError, UsageError
from tenfold.life import LifeFile
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.runs import Run
from tenfold.scores import Score
from tenfold.suited import suited

QUICK_SEEDS = 3
BASELINE_SHARE = 0.4  # of the time left after `quick`
# Seconds per step of `quick` on the machine that measured `baselines.BASELINES`. A machine on which those took 2.1
# times as long has 0.0091.
REFERENCE_STEP = 0.0042
OVERHEAD = 8.0  # seconds there for data, imports, scoring and everything else besides fitting and training
REPORT = 17.0  # seconds there for the report
REPORT_SHARE = 1 / 3  # of the time limit, at most; a report that takes longer is left to `tenfold report`
PLANNING = ".planning.lock"
NAME = re.compile(r"life-(\d+)\.json")
VALIDATING = 1.15  # duration of an epoch with its validation pass, relative to one without


@dataclass(frozen=True)
class Row:
    """A model of a life: seconds of training, scores, and for a network the number of parameters."""

    model: str
    train_seconds: float
    validation: Score | None
    test: Score | None = None
    parameters: int | None = None
    chosen: bool = False

    def document(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        scores = {
            name: score and score.document() for name in ("validation", "test") for score in [getattr(self, name)]
        }
        return vars(self) | scores


@dataclass(frozen=True)
class Life:
    """The result of `tenfold run`: scores of the baselines (validation) and of the runs (validation and test)."""

    file: Path
    baselines: list[BaselineScore]
    runs: list[Run]
    chosen: Run
    report: Path | None

    def table(self) -> list[Row]:
        """Return a row per model."""
        return [Row(score.title, score.train_seconds, score) for score in self.baselines] + [
            Row(
                run.name,
                run.environment["train_seconds"],
                run.score("validation"),
                run.score("test"),
                networks.parameter_count(run.recipe.layers()),
                run.name == self.chosen.name,
            )
            for run in self.runs
        ]


def live(
    dataset: str = "mnist",
    workspace: Path = runs.RUNS,
    minutes: float | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> Life:
    """Run all stages for a dataset in `workspace`, in about `minutes` if given, and return the result.

    A life with the same settings is resumed. If it is finished, it is returned, and the test set is not opened again.
    """
    if minutes is not None and not 0 < 60 * minutes < float("inf"):
        raise UsageError(f"--minutes must be positive, got {minutes:g}")
    known = catalog.find(dataset)
    models = [suited(recipes.quick(), known, [f"seed={seed}"]) for seed in range(QUICK_SEEDS)]
    models.append(suited(recipes.standard(), known))
    asked = LifeFile(
        dataset=dataset,
        device=device,
        minutes=minutes,
        baseline_names=list(baselines.BASELINES),
        recipes=models,
        report=True,
    )
    if file := _same_life(workspace, asked):
        return _continued(file, progress)
    for extra in ("train", "report"):
        extras.require(extra, "the whole life")
    frameworks.load(models[0].framework).choose_device(device)  # refused before anything is written
    files.make_folder(workspace)
    with files.only_one(workspace / PLANNING, f"another process is planning a life in {workspace}; wait for it"):
        if file := _same_life(workspace, asked):  # planned meanwhile
            return _continued(file, progress)
        if minutes is not None:
            asked = _fit_into(asked, minutes * 60, progress)
        file = _new_file(workspace)
        asked.write(file)
    return resume(file, progress)


def _continued(file: Path, progress: Progress) -> Life:
    progress.line(f"resuming {file}; to start a new one, add --out FOLDER")
    return resume(file, progress)


def resume(file: Path, progress: Progress = SILENT) -> Life:
    """Finish the life that `file` describes; raise `BusyError` if another process is working on it."""
    life.read(file)  # refused without a lock
    with files.only_one(file.with_name(f".{file.stem}.lock"), f"another process is working on {file}; wait for it"):
        return _finish(life.read(file), file, progress)  # in the state that the previous process left


def _finish(known: LifeFile, file: Path, progress: Progress) -> Life:
    progress.line(f"if interrupted, run the same command again, or: tenfold run --resume {file}")
    if known.baselines is None:
        split = train.split_for(known.recipes[0], progress)
        fitted = baselines.compare(split, known.baseline_names, progress=progress) if known.baseline_names else []
        known = known.model_copy(update={"baselines": [model.score for model in fitted]})
        known.write(file)
    trained = [_trained(recipe, file, known.device, progress) for recipe in known.recipes]
    if known.chosen is None:
        best = evaluate.choose(evaluate.evaluate(trained, progress=progress))
        known = known.model_copy(update={"chosen": best.name})
        known.write(file)
    progress.line(f"chosen on validation: {known.chosen}")
    if known.chosen not in [run.name for run in trained]:  # before the test set is opened
        raise UsageError(f"{file} is damaged: the chosen run {known.chosen} is not one of its runs")
    evaluate.evaluate(trained, test=True, who=f"tenfold run, {file.stem}", progress=progress)
    chosen = next(run for run in trained if run.name == known.chosen)
    page = file.with_name(f"{file.stem}-report.html") if known.report else None
    if page and not page.exists():
        report.write([file], page, progress)
    elif not page:
        out = file.with_name(f"{file.stem}-report.html")
        progress.line(f"the report did not fit into the time; to write it, run: tenfold report {file} --out {out}")
    return Life(file, known.baselines or [], trained, chosen, page)


def _fit_into(asked: LifeFile, seconds: float, progress: Progress) -> LifeFile:
    """Measure this machine, and return the part of the plan that fits into `seconds`.

    One seed of `quick` is always part of it.
    """
    *quick, standard = asked.recipes
    pictures = train.split_for(standard, progress).train
    quick_step, standard_step = (
        train.seconds_per_step(model, pictures, asked.device) for model in (quick[0], standard)
    )
    slowness = quick_step / REFERENCE_STEP
    reports = REPORT * slowness <= REPORT_SHARE * seconds
    left = seconds - OVERHEAD * slowness - (REPORT * slowness if reports else 0)
    quick_seconds = quick_step * quick[0].steps(len(pictures))
    quick = quick[: max(1, int(left / 3 / quick_seconds))]
    left -= len(quick) * quick_seconds
    names, spent = [], 0.0
    for name, baseline in baselines.BASELINES.items():
        if spent + baseline.seconds * slowness <= BASELINE_SHARE * left:
            names.append(name)
            spent += baseline.seconds * slowness
    epoch = standard_step * standard.steps_per_epoch(len(pictures)) * VALIDATING
    epochs = min(standard.epochs, max(0, (left - spent) // epoch))
    progress.line(
        f"one step of quick takes {quick_step * 1000:.1f} ms here, one of standard {standard_step * 1000:.1f} ms; "
        f"plan for {seconds:.0f} s: baselines {len(names)}, seeds of quick {len(quick)}, epochs of standard {epochs:g}"
    )
    models = quick + ([recipes.replace(standard, epochs=epochs)] if epochs else [])
    return asked.model_copy(update={"baseline_names": names, "recipes": models, "report": reports})


def _trained(recipe: Recipe, file: Path, device: str, progress: Progress) -> Run:
    """Return the finished run of this recipe in this life: found, resumed, or newly trained."""
    folder = file.with_name(f"{file.stem}-{recipe.network}-seed{recipe.seed}")
    if not (folder / runs.RECIPE).exists():
        return train.train(recipe, folder, device, progress)
    run = Run(folder)
    return run if run.finished else train.resume(folder, progress)


def _new_file(workspace: Path) -> Path:
    """Return the first free path for a life. The caller holds the planning lock."""
    paths = (workspace / f"life-{number}.json" for number in itertools.count(1))
    return next(path for path in paths if not path.exists())


def _same_life(workspace: Path, asked: LifeFile) -> Path | None:
    """Return the newest life in `workspace` with the settings `asked`, if any."""
    numbers = [int(found[1]) for path in workspace.glob("life-*.json") if (found := NAME.match(path.name))]
    for path in (workspace / f"life-{number}.json" for number in sorted(numbers, reverse=True)):
        with suppress(TenfoldError):
            if life.read(path).same(asked):
                return path
    return None
