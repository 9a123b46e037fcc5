"""The report: what the runs hold, as one HTML file that needs nothing else."""

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tenfold import machine, networks, pool, recipes
from tenfold.data import catalog
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.report import material as materials
from tenfold.report.material import Material
from tenfold.report.page import Section, Table, write
from tenfold.report.sections import data, errors, models, tuning
from tenfold.suited import suited
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

# Half of the work, and none that imports a framework.
BESIDE: Sequence[Chapter] = (data.data, models.network, models.training, models.confusion, models.trust)
LEDGER = (
    "Each look at the test set makes it less of a test: choosing a model by its test score fits the model to the test "
    "set. The ledger lists who opened it, when and for which runs; trust a test score less with every line."
)
RECIPE = (
    "The recipe decides the training: every setting, by name. Change one with --set and compare the two runs on "
    "validation; recipes with different hashes differ."
)
ENVIRONMENT = (
    "The machine and the versions that trained the run. Seconds can be compared only on the same machine, and weights "
    "are the same only with the same versions."
)


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
    sections.append(again(gathered, command))
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
        searches = "1 search" if len(material.studies) == 1 else f"{len(material.studies)} searches"
        return (
            f"{searches}; the best trial classifies {best.accuracy:.2%} of the validation pictures correctly. Of many "
            "trials, the best owes part of that to luck: no run here was made to see how much."
        )
    if material.main is None:
        return "No run here is finished and has validation pictures, so there is no answer yet; what there is follows."
    run, score = material.main.run, material.main.score
    machine = run.environment
    low, high = score.interval
    words = [
        f"{run.name} is a network of {networks.parameter_count(run.recipe.layers()):,} parameters. It classifies "
        f"{score.correct:,} of {score.total:,} validation pictures correctly: {score.accuracy:.2%} "
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
    times = "once" if count == 1 else f"{count} times"
    words.append(f"The test set was {f'opened {times}' if count else 'never opened'} in this workspace.")
    return " ".join(words)


def definitions(material: Material) -> list[Section]:
    """Give the recipe of the chosen run in full, and the machine that trained it."""
    if material.main is None:
        return []
    run = material.main.run
    recipe = run.recipe.model_dump() | {"hash": run.recipe.hash}
    return [
        Section(name, f"The {name}", [text], definitions=[{key: str(value) for key, value in values.items()}])
        for name, text, values in (("recipe", RECIPE, recipe), ("environment", ENVIRONMENT, run.environment))
    ]


def openings(material: Material) -> Section:
    """Print the ledger of the test set."""
    title = "Openings of the test set"
    if not material.openings:
        return Section("ledger", title, texts=[LEDGER, "Nobody has opened the test set in this workspace."])
    rows = [
        [str(line["when"]), str(line["who"]), ", ".join(str(asked["run"]) for asked in line["runs"])]
        for line in material.openings
    ]
    return Section("ledger", title, texts=[LEDGER], tables=[Table(["when", "who asked", "for"], rows)])


def again(material: Material, command: str) -> Section:
    """Give the command that trains the chosen run again, and the one that wrote this page."""
    title = "Make it again"
    if material.main is None:
        return Section("again", title, ["This command writes the page again."], commands=[command])
    name, training = _training(material.main.run.recipe)
    text = (
        f"The first command trains {name} again, into a new folder, and the second writes this page from the runs that "
        "are there. On the same machine, with the same versions and number of threads, a CPU finds the same weights."
    )
    return Section("again", title, [text], commands=[training, command])


def _training(used: Recipe) -> tuple[str, str]:
    """Return a recipe in words and the command that trains by it: a named one, with what differs from it."""
    start = ["tenfold", "train"]
    if used.initial_weights:  # their hash is in the recipe; where their run lies is not known
        words = [*start, "--from", "RUN", "--seed", str(used.seed), *_settings(used, None)]
        return "the run from the weights of RUN, with which it began,", shlex.join(words)
    name, base = min(recipes.RECIPES.items(), key=lambda named: len(_settings(used, named[1]())))
    settings = _settings(used, base())
    dataset, seed = catalog.find(used.dataset), f"seed={used.seed}"
    if suited(base(), dataset, [*settings[1::2], seed]) != used:
        settings = _settings(used, None)
        # `--set` cannot remove a network's arguments, but naming another network than the recipe's does.
        fitting = (
            title for title, make in recipes.RECIPES.items() if suited(make(), dataset, [*settings[1::2], seed]) == used
        )
        name = next(fitting, name)
    changed = f"the recipe {name}" + (" with other settings" if settings else "")
    return changed, shlex.join([*start, "--recipe", name, "--seed", str(used.seed), *settings])


def _settings(used: Recipe, base: Recipe | None) -> list[str]:
    """Return `--set` and `key=value` for each field in which a recipe differs from a base; for all without one."""
    usual = base.model_dump() if base else {}
    words = []
    for name, value in used.model_dump(exclude={"initial_weights", "seed"}).items():
        if name == "network_arguments":
            known = usual.get(name, {}) if base and base.network == used.network else {}
            pairs = [(f"network.{key}", given) for key, given in value.items() if known.get(key) != given]
        else:
            pairs = [(name, value)] if name not in usual or usual[name] != value else []
        words += [word for key, given in pairs for word in ("--set", f"{key}={'none' if given is None else given}")]
    return words
