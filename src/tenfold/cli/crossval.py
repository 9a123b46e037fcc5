"""`tenfold crossval`: k-fold cross-validation, and doubtful labels."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Data, Device, Figure, Json, Plain, Scheduler, Set, Transposed, recipe_for
from tenfold.cli._output import draw, interval, percent, show, table, wrote

if TYPE_CHECKING:
    import matplotlib.figure

    from tenfold.crossval import CrossValidation

MOST_DOUBTFUL = 10  # number of labels to print; the file has all


def crossval(
    recipe: Annotated[str, typer.Option(help="Recipe: quick, instant, standard, strong, best or hands.")] = "quick",
    data: Data = None,
    plain: Plain = False,
    transposed: Transposed = False,
    assignments: Set = None,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Folder for the result. Resume if the folder exists.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes, which share the cores.")] = 1,
    scheduler: Scheduler = None,
    device: Device = "auto",
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Cross-validate a recipe and list doubtful labels.

    Example: tenfold crossval --folds 10
    """
    from tenfold import crossval as stage
    from tenfold import progress, recipes

    chosen = recipe_for(recipes.find(recipe), data, plain, transposed, assignments)
    result = stage.crossval(chosen, folds, out, device, jobs, scheduler, progress.for_terminal())
    document = {"name": result.folder.name, "train_seconds": result.seconds, **result.score.document()}
    drawn = draw(figure, lambda: drawing(result))
    show(as_json, lambda: text(result), document)
    wrote(as_json, result.folder, *drawn)


def text(result: "CrossValidation") -> str:
    """Return the accuracy over all folds, and the most doubtful labels."""
    from tenfold.crossval import DOUBTFUL
    from tenfold.data import catalog

    classes, doubts = catalog.find(result.recipe.dataset).classes, result.doubts
    folds = result.fold_accuracies
    ranked = zip(doubts.pictures, doubts.given, doubts.suggested, doubts.margin, strict=True)
    rows = [
        [f"{picture:,}", classes[given], classes[suggested], f"{margin:.3f}"]
        for picture, given, suggested, margin in itertools.islice(ranked, MOST_DOUBTFUL)
    ]
    return "\n".join(
        [
            f"{result.score.correct:,} of {result.score.total:,} development pictures classified correctly, each "
            f"by a model that never saw it: {percent(result.score)} ({interval(result.score)}), "
            f"in {result.seconds:.0f} s",
            f"{len(folds)} folds: {min(folds):.2%} to {max(folds):.2%}",
            f"doubtful labels: {len(doubts)}, all in {result.folder / DOUBTFUL}; the most doubtful:",
            "",
            table(["picture", "label", "looks like", "margin"], rows),
        ]
    )


def drawing(result: "CrossValidation") -> "matplotlib.figure.Figure":
    """Draw the most doubtful labels."""
    from tenfold.data import catalog
    from tenfold.data.split import development
    from tenfold.report.figures import doubt

    known, doubts = catalog.find(result.recipe.dataset), result.doubts
    images = development(known).images[doubts.pictures]
    return doubt.doubtful(images, doubts.given, doubts.suggested, known.classes)
