"""The verbs up to a trained model: the machine, data, baselines, training, cross-validation."""

from pathlib import Path
from typing import Annotated

import typer

from tenfold.cli import judging
from tenfold.cli.options import Data, Device, Figure, Json, Plain, Set, draw, recipe_for, show, wrote
from tenfold.errors import UsageError


def doctor(
    out: Annotated[Path, typer.Option(envvar="TENFOLD_RUNS", help="Folder where runs will go.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """Look at this machine: versions, cores, the precision that pays, data, disk. Ends with 1 if it is not ready.

    Example: tenfold doctor
    """
    from tenfold import console
    from tenfold import doctor as stage

    found = stage.examine(out)
    show(as_json, lambda: console.findings(found), [finding.document() for finding in found])
    if not all(finding.fine for finding in found):
        raise typer.Exit(1)


def data(
    dataset: Annotated[
        str,
        typer.Argument(help="mnist, fashion-mnist, or a folder of class-named folders of pictures, or of IDX files."),
    ] = "mnist",
    plain: Plain = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Take the dataset's files (IDX, or .gz) from this folder.")
    ] = None,
    validation_size: Annotated[
        int | None, typer.Option(help="Pictures set aside to choose on.  [default: 5,000, or a fifth]")
    ] = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Fetch, verify and describe a dataset.

    Example: tenfold data mnist
    """
    from tenfold import console, progress
    from tenfold.data import download, folder, split

    teller = progress.for_terminal()
    known, skipped = folder.find(dataset, plain, teller)
    if directory:
        download.adopt(known, directory)
    samples = split.development(known, teller)
    held = split.usual_validation_size(known) if validation_size is None else validation_size
    parts = split.counts(samples.labels, len(known.classes), held)
    mean, deviation = split.pixel_moments(known, samples.images)
    document = {
        "name": known.name,
        "classes": known.classes,
        "counts": parts,
        "pixel_mean": mean,
        "pixel_std": deviation,
        "licence": known.licence,
        "credit": known.credit,
        "sources": known.sources,
        "files": {file.name: {"bytes": file.size, "sha256": file.sha256} for file in known.files},
        "folder": str(download.cache_folder(known)),
        "skipped": [{"file": path, "reason": reason} for path, reason in skipped],
    }
    show(as_json, lambda: console.dataset(known, document, parts), document)
    drawn = draw(figure, lambda draw: draw.of_dataset(parts, known))
    wrote(as_json, download.cache_folder(known), *drawn)


def baseline(
    models: Annotated[list[str] | None, typer.Argument(help="Which ones; all if none is named.")] = None,
    data: Data = None,
    plain: Plain = False,
    validation_size: Annotated[
        int | None, typer.Option(help="Pictures set aside to score on.  [default: 5,000, or a fifth]")
    ] = None,
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
    from tenfold.data import folder, split

    teller = progress.for_terminal()
    known, _ = folder.find(data or "mnist", plain, teller)
    held = split.usual_validation_size(known) if validation_size is None else validation_size
    pictures = split.split(known, held, train_size=train_size, progress=teller)
    scores = [model.score for model in baselines.compare(pictures, models or None, seed, teller)]
    if out:
        files.write_json(out, scores)
    show(as_json, lambda: console.baseline_scores(scores), scores)
    drawn = draw(figure, lambda draw: draw.of_baselines(scores))
    wrote(as_json, *([out] if out else []), *drawn)


def train(
    recipe: Annotated[str | None, typer.Option(help="quick, standard, strong or best.  [default: quick]")] = None,
    data: Data = None,
    plain: Plain = False,
    framework: Annotated[str | None, typer.Option(help="pytorch or tensorflow.  [default: pytorch]")] = None,
    assignments: Set = None,
    seed: Annotated[int | None, typer.Option(help="The (first) seed.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train so many, with seeds one after the other.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Run folder; with several seeds, a folder of them.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Begin with this run's weights and recipe, at a tenth of its learning rate; with --data, a hand.",
        ),
    ] = None,
    device: Device = "auto",
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard event files into the run folder too.")] = False,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Train a recipe into a run folder.

    Example: tenfold train --recipe quick --set epochs=2 --set network.width=24 --seeds 3
    """
    from tenfold import console, follow, personal, processes, progress, recipes
    from tenfold import train as stage
    from tenfold.data import catalog, folder
    from tenfold.runs import Run

    if processes.rank():
        follow.follow()
        return
    teller, learnt = progress.for_terminal(), None
    if resume:
        if recipe or data or plain or framework or assignments or seed is not None or seeds > 1 or out or start:
            raise UsageError(
                "--resume goes on with the recipe, seed and folder that the run began with; leave them out"
            )
        trained = [stage.resume(resume, teller)]
    else:
        if start and recipe:
            raise UsageError("--from RUN takes that run's recipe; change it with --set, and leave --recipe out")
        shortcuts = {"framework": framework, "seed": seed}
        assignments = [*(assignments or []), *(f"{key}={v}" for key, v in shortcuts.items() if v is not None)]
        source = Run(start) if start else None
        if source and data:
            if seeds > 1:
                raise UsageError("--from RUN --data FOLDER trains one run; leave --seeds out")
            drawings, _ = folder.read(Path(data), plain, catalog.find(source.recipe.dataset), teller)
            learnt = personal.personalise(source, drawings, out, assignments, device, teller)
            trained = [learnt.run]
        else:
            chosen = stage.fine_tuning(source) if source else recipes.find(recipe or "quick")
            chosen = recipe_for(chosen, data, plain, assignments)
            trained = stage.train_seeds(chosen, seeds, out, device, teller, source.weights() if source else None)
    if tensorboard:
        from tenfold import tensorboard as events

        for one in trained:
            events.write(one.history, one.folder / "tensorboard")
    drawn = draw(figure, lambda draw: draw.of_training(trained))
    if learnt:
        show(as_json, lambda: console.personal(learnt), learnt.document())
    elif all(one.recipe.validation_size for one in trained):
        judging.score(trained, test=False, as_json=as_json)
    else:
        documents = [{"name": one.name, **one.environment} for one in trained]
        show(as_json, lambda: "trained on every picture; `tenfold evaluate --test` scores it", documents)
    wrote(as_json, *(one.folder for one in trained), *drawn)


def crossval(
    recipe: Annotated[str, typer.Option(help="quick, standard, strong or best.")] = "quick",
    data: Data = None,
    plain: Plain = False,
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

    chosen = recipe_for(recipes.find(recipe), data, plain, assignments)
    result = stage.crossval(chosen, folds, out, device, progress.for_terminal())
    document = {"name": result.folder.name, "train_seconds": result.seconds, **result.entry}
    drawn = draw(figure, lambda draw: draw.of_crossvalidation(result))
    show(as_json, lambda: console.crossvalidation(result), document)
    wrote(as_json, result.folder, *drawn)
