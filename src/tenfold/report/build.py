"""The report: what the runs hold, as one HTML file that needs nothing else."""

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tenfold import machine, networks, pool
from tenfold.progress import SILENT, Progress
from tenfold.report import material as materials
from tenfold.report.material import Material
from tenfold.report.page import Section, Table, write
from tenfold.report.sections import data, errors, models, tuning
from tenfold.tune.study import ranked

Chapter = Callable[[Material], Section | None]


CHAPTERS: Sequence[Chapter] = (
    models.scores,
    data.data,
    data.preprocessing,
    data.simple_models,
    models.network,
    models.training,
    tuning.searches,
    models.confusion,
    models.trust,
    errors.error_atlas,
    errors.doubtful_labels,
    errors.disturbed,
)

BESIDE: Sequence[Chapter] = (data.data, models.confusion, models.trust)  # half of the work, and no framework's import


def build(paths: Sequence[Path], out: Path, progress: Progress = SILENT) -> Path:
    """Write the page that `tenfold.report.write` promises.

    With two cores, a worker process writes the chapters of `BESIDE`.
    """
    gathered = materials.gather(paths, progress)
    jobs = pool.affordable(min(2, machine.cores()), None, 0, progress)
    written: dict[Chapter, Section | None] = {}
    with pool.started(jobs) as workers, progress.task("writing the report", len(CHAPTERS)) as done:
        beside = workers.begin(partial(_written, BESIDE, gathered))
        for chapter in CHAPTERS:
            if chapter not in BESIDE:
                written |= _written([chapter], gathered)
                done(len(written))
        written |= beside()
        done(len(written))
    sections = [section for chapter in CHAPTERS if (section := written[chapter])]
    sections += [*definitions(gathered), openings(gathered)]
    command = shlex.join(["tenfold", "report", *map(str, paths), "--out", str(out)])
    sections.append(Section("again", "Make it again", commands=[*_commands(gathered), command]))
    title = f"Tenfold: {gathered.main.run.name}" if gathered.main else "Tenfold: report"
    write(out, title, answer(gathered), gathered.notes, sections)
    return out


def _written(chapters: Sequence[Chapter], material: Material) -> dict[Chapter, Section | None]:
    return {chapter: chapter(material) for chapter in chapters}


def answer(material: Material) -> str:
    """Return the first paragraph: the model, its accuracy, its seconds of training, the openings of the test set."""
    if material.main is None and (
        found := [ranked(result.trials)[0] for result in material.studies if ranked(result.trials)]
    ):
        best = max(found, key=lambda trial: trial.accuracy or 0)
        return (
            f"{len(material.studies)} searches; the best of their trials reads {best.accuracy:.2%} of the validation "
            "pictures right. The best of many trials owes part of that to luck: no run here was made to see how much."
        )
    if material.main is None:
        return "No run here is finished and has validation pictures, so there is no answer yet; what there is follows."
    run, score = material.main.run, material.main.score
    machine = run.environment
    low, high = score.interval
    words = [
        f"{run.name}, a network of {networks.parameter_count(run.recipe.layers()):,} parameters, reads "
        f"{score.accuracy:.2%} of {score.total:,} validation pictures right "
        f"(95% interval {low:.2%} to {high:.2%})."
    ]
    if test := run.score("test"):
        low, high = test.interval
        words.append(
            f"It classifies {test.correct:,} of {test.total:,} test pictures correctly: {test.accuracy:.2%} "
            f"({low:.2%} to {high:.2%})."
        )
    words.append(
        f"It was trained in {machine['train_seconds']:.0f} s on {machine['cores']} cores of {machine['processor']}."
    )
    count = len(material.openings)
    times = "never" if not count else "once" if count == 1 else f"{count} times"
    words.append(f"The test set was opened {times} in this workspace.")
    return " ".join(words)


def definitions(material: Material) -> list[Section]:
    """Give the recipe of the chosen run in full, and the machine that trained it."""
    if material.main is None:
        return []
    run = material.main.run
    recipe = run.recipe.model_dump() | {"hash": run.recipe.hash}
    return [
        Section(name, f"The {name}", definitions=[{key: str(value) for key, value in values.items()}])
        for name, values in (("recipe", recipe), ("environment", run.environment))
    ]


def openings(material: Material) -> Section:
    """Print the ledger of the test set."""
    title = "Openings of the test set"
    if not material.openings:
        return Section("ledger", title, texts=["Nobody has opened the test set in this workspace."])
    rows = [
        [str(line["when"]), str(line["who"]), ", ".join(str(asked["run"]) for asked in line["runs"])]
        for line in material.openings
    ]
    return Section("ledger", title, tables=[Table(["when", "who asked", "for"], rows)])


def _commands(material: Material) -> list[str]:
    """Return the command that trains the chosen run again: its recipe, spelt out where no name stands for it."""
    if material.main is None:
        return []
    used = material.main.run.recipe
    words = ["tenfold", "train"]
    if used.initial_weights:
        words += ["--from", "RUN"]  # the weights' hash is in the recipe; where the run lies is not known
    for name, value in used.model_dump(exclude={"initial_weights"}).items():
        if name == "network_arguments":
            words += [word for key, given in value.items() for word in ("--set", f"network.{key}={given}")]
        else:
            words += ["--set", f"{name}={'none' if value is None else value}"]
    return [shlex.join(words)]
