"""The command line: one verb a stage, that parses, calls and prints. No logic.

Results go to standard output, everything else to standard error.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenfold.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from tenfold.evaluate import Evaluation
    from tenfold.runs import Run

app = typer.Typer(
    name="tenfold",
    help="Pictures of single characters, through the whole life of a classifier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _drawable(path: Path | None) -> Path | None:
    """Refuse, before the work, a figure that could not be drawn after it."""
    if path is not None:
        from tenfold import report

        report.require_libraries()
        from tenfold.report.figures import style

        style.format_of(path)
    return path


Figure = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png|svg|pdf", callback=_drawable, help="Draw it too, into this file."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
Device = Annotated[str, typer.Option(envvar="TENFOLD_DEVICE", help="cpu, cuda, mps, or auto.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; repeatable.")]


@app.command()
def run(
    dataset: Annotated[str, typer.Argument(help="mnist or fashion-mnist.")] = "mnist",
    minutes: Annotated[float | None, typer.Option(help="Do what fits: measures this machine first.")] = None,
    out: Annotated[Path, typer.Option(envvar="TENFOLD_RUNS", help="Folder for the runs.")] = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="LIFE.JSON", help="Go on with a life that was stopped.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Do it all: data, baselines, networks, the choice on validation, the test set once.

    Example: tenfold run --minutes 2
    """
    from tenfold import console, lifecycle, progress

    if resume and minutes is not None:
        raise UsageError("--resume goes on with the plan that was made; leave --minutes out")
    show = progress.for_terminal()
    life = lifecycle.resume(resume, show) if resume else lifecycle.live(dataset, out, minutes, device, show)
    _print(as_json, lambda: console.life(life), {"chosen": life.chosen.name, "table": list(life.table())})
    _wrote(as_json, life.file, *(trained.folder for trained in life.runs), *([life.report] if life.report else []))


@app.command()
def data(
    dataset: Annotated[str, typer.Argument(help="mnist or fashion-mnist.")] = "mnist",
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Take the files (plain or .gz) from this folder.")
    ] = None,
    validation_size: Annotated[int, typer.Option(help="Pictures set aside to choose on.")] = 5_000,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Fetch, verify and describe a dataset.

    Example: tenfold data mnist
    """
    from tenfold import console, progress
    from tenfold.data import catalog, download, split

    known = catalog.find(dataset)
    if directory:
        download.adopt(known, directory)
    samples = split.development(known, progress.for_terminal())
    parts = split.counts(samples.labels, len(known.classes), validation_size)
    document = {
        "name": known.name,
        "classes": known.classes,
        "counts": parts,
        "pixel_mean": float(samples.images.mean()),
        "pixel_std": float(samples.images.std()),
        "licence": known.licence,
        "credit": known.credit,
        "sources": known.sources,
        "files": {file.name: {"bytes": file.size, "sha256": file.sha256} for file in known.files},
        "folder": str(download.cache_folder(known)),
    }
    _print(as_json, lambda: console.dataset(known, samples, parts), document)
    drawn = _draw(figure, lambda draw: draw.of_dataset(parts, known))
    _wrote(as_json, download.cache_folder(known), *drawn)


@app.command()
def baseline(
    models: Annotated[list[str] | None, typer.Argument(help="Which ones; all if none is named.")] = None,
    dataset: Annotated[str, typer.Option(help="mnist or fashion-mnist.")] = "mnist",
    validation_size: Annotated[int, typer.Option(help="Pictures set aside to score on.")] = 5_000,
    train_size: Annotated[int | None, typer.Option(help="Pictures to fit on; all that are left if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Of the models that draw lots.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the scores to this JSON file too.")] = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Fit and compare classical models.

    Example: tenfold baseline ridge nearest-neighbours
    """
    from tenfold import baselines, console, files, progress
    from tenfold.data import catalog, split

    show = progress.for_terminal()
    pictures = split.split(catalog.find(dataset), validation_size, train_size=train_size, progress=show)
    scores = [model.score for model in baselines.compare(pictures, models or None, seed, show)]
    if out:
        files.write_json(out, scores)
    _print(as_json, lambda: console.baseline_scores(scores), scores)
    drawn = _draw(figure, lambda draw: draw.of_baselines(scores))
    _wrote(as_json, *([out] if out else []), *drawn)


@app.command()
def train(
    recipe: Annotated[str | None, typer.Option(help="quick or standard.  [default: quick]")] = None,
    framework: Annotated[str | None, typer.Option(help="pytorch or tensorflow.  [default: pytorch]")] = None,
    assignments: Set = None,
    seed: Annotated[int | None, typer.Option(help="The (first) seed.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train so many, with seeds one after the other.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Run folder; with several seeds, a folder of them.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped.")] = None,
    device: Device = "auto",
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard event files into the run folder too.")] = False,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Train a recipe into a run folder.

    Example: tenfold train --recipe quick --set epochs=2 --set network.width=24 --seeds 3
    """
    from tenfold import progress, recipes
    from tenfold import train as stage

    show = progress.for_terminal()
    if resume:
        if recipe or framework or assignments or seed is not None or seeds > 1 or out:
            raise UsageError("--resume goes on with the recipe and folder that the run began with; leave them out")
        trained = [stage.resume(resume, show)]
    else:
        shortcuts = {key: value for key, value in (("framework", framework), ("seed", seed)) if value is not None}
        chosen = recipes.replace(recipes.override(recipes.find(recipe or "quick"), assignments or []), **shortcuts)
        trained = stage.train_seeds(chosen, seeds, out, device, show)
    if tensorboard:
        from tenfold import tensorboard as events

        for one in trained:
            events.write(one.history, one.folder / "tensorboard")
    drawn = _draw(figure, lambda draw: draw.of_training(trained))
    if all(one.recipe.validation_size for one in trained):
        _evaluate(trained, test=False, as_json=as_json)
    else:
        documents = [{"name": one.name, **one.environment} for one in trained]
        _print(as_json, lambda: "trained on every picture; `tenfold evaluate --test` scores it", documents)
    _wrote(as_json, *(one.folder for one in trained), *drawn)


@app.command()
def crossval(
    recipe: Annotated[str, typer.Option(help="quick or standard.")] = "quick",
    assignments: Set = None,
    folds: Annotated[int, typer.Option(min=2, help="How many parts the pictures are cut into.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Folder; one that was stopped is gone on with.")] = None,
    device: Device = "auto",
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Cross-validate a recipe over all development pictures, and list the labels it doubts.

    Example: tenfold crossval --folds 10
    """
    from tenfold import console, progress, recipes
    from tenfold import crossval as stage

    chosen = recipes.override(recipes.find(recipe), assignments or [])
    result = stage.crossval(chosen, folds, out, device, progress.for_terminal())
    document = {"name": result.folder.name, "train_seconds": result.seconds, **result.entry}
    drawn = _draw(figure, lambda draw: draw.of_crossvalidation(result))
    _print(as_json, lambda: console.crossvalidation(result), document)
    _wrote(as_json, result.folder, *drawn)


@app.command()
def report(
    paths: Annotated[list[Path], typer.Argument(help="Run folders, life-N.json files, cross-validation folders.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page about runs.

    Example: tenfold report runs/life-1.json --out report.html
    """
    from tenfold import progress
    from tenfold import report as stage

    page = stage.write(paths, out, progress.for_terminal())
    megabytes = page.stat().st_size / 1e6
    _print(as_json, lambda: f"{megabytes:.1f} MB in one file that asks for nothing else", {"report": str(page)})
    _wrote(as_json, page)


@app.command()
def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; several are compared.")],
    test: Annotated[bool, typer.Option("--test", help="Open the sealed test set, and write it in the ledger.")] = False,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Score runs on validation pictures, or with --test on the test set.

    Example: tenfold evaluate runs/quick-seed0 runs/standard-seed0
    """
    from tenfold.runs import Run

    opened = [Run(folder) for folder in runs]
    results = _evaluate(opened, test, as_json)
    drawn = _draw(figure, lambda draw: draw.of_evaluations(results))
    _wrote(as_json, *(one.folder / "scores.json" for one in opened), *drawn)


def _evaluate(opened: "list[Run]", test: bool, as_json: bool) -> "list[Evaluation]":
    from tenfold import console, progress
    from tenfold import evaluate as stage

    results = stage.evaluate(opened, test, "tenfold evaluate --test", progress.for_terminal())
    documents = [
        {"name": result.run.name, "train_seconds": result.run.environment.get("train_seconds"), **result.entry}
        for result in results
    ]
    _print(as_json, lambda: console.evaluations(results), documents)
    return results


def _draw(path: Path | None, figure: "Callable[[ModuleType], Any]") -> list[Path]:
    if path is None:
        return []
    from tenfold.report import verbs
    from tenfold.report.figures import style

    style.save(figure(verbs), path)
    return [path]


def _print(as_json: bool, text: Callable[[], str], document: Any) -> None:
    print(json.dumps(document, allow_nan=False) if as_json else text())


def _wrote(as_json: bool, *paths: Path) -> None:
    """Say last what was written, without disturbing a JSON document."""
    for path in paths:
        print(f"wrote {path}", file=sys.stderr if as_json else sys.stdout)
