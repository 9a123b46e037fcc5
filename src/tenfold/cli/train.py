"""`tenfold train`: a recipe and data become a run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli import evaluate
from tenfold.cli._options import Data, Device, Figure, Json, Plain, Set, Transposed, recipe_for
from tenfold.cli._output import draw, interval, percent, show, table, wrote
from tenfold.errors import UsageError

if TYPE_CHECKING:
    import matplotlib.figure

    from tenfold.personal import Personal
    from tenfold.runs import Run


def train(
    recipe: Annotated[
        str | None, typer.Option(help="Recipe: quick, instant, standard, strong, best or hands.  [default: quick]")
    ] = None,
    data: Data = None,
    plain: Plain = False,
    transposed: Transposed = False,
    framework: Annotated[
        str | None, typer.Option(help="Framework that trains: pytorch or tensorflow.  [default: pytorch]")
    ] = None,
    assignments: Set = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; with --seeds, the first one.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1_000, help="Number of runs, with consecutive seeds.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; with several seeds, the folder that holds them.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Resume an interrupted run.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Fine-tune this run at a tenth of its learning rate. "
            "Add --data FOLDER to adapt it to your handwriting.",
        ),
    ] = None,
    device: Device = "auto",
    tensorboard: Annotated[bool, typer.Option(help="Also write TensorBoard event files into the run folder.")] = False,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Train a network into a run folder.

    Example: tenfold train --recipe quick --set epochs=2 --set network.width=24 --seeds 3
    """
    from tenfold import extras, progress, recipes
    from tenfold import train as stage
    from tenfold.runs import Run

    if tensorboard:
        extras.require("tensorboard", "--tensorboard")
    teller, learnt = progress.for_terminal(), None
    if resume:
        named = (recipe, data, plain, transposed, framework, assignments, out, start)
        if any(named) or seed is not None or seeds > 1:
            raise UsageError("--resume uses the recipe, seed and folder of the run; leave the options for them out")
        trained = [stage.resume(resume, teller)]
    else:
        if start and recipe:
            raise UsageError("--from RUN uses that run's recipe; change it with --set, and leave --recipe out")
        shortcuts = {"framework": framework, "seed": seed}
        assignments = [*(assignments or []), *(f"{key}={v}" for key, v in shortcuts.items() if v is not None)]
        source = Run(start) if start else None
        if source and data:
            from tenfold import personal
            from tenfold.data import catalog, folder

            if seeds > 1:
                raise UsageError("--from RUN --data FOLDER trains one run; leave --seeds out")
            drawings, _ = folder.read(Path(data), plain, transposed, catalog.find(source.recipe.dataset), teller)
            learnt = personal.personalise(source, drawings, out, assignments, device, teller)
            trained = [learnt.run]
        else:
            chosen = stage.fine_tuning(source) if source else recipes.find(recipe or "quick")
            chosen = recipe_for(chosen, data, plain, transposed, assignments)
            trained = stage.train_seeds(chosen, seeds, out, device, teller, source.weights() if source else None)
    if tensorboard:
        from tenfold import tensorboard as events

        for one in trained:
            events.write(one.history, one.folder / "tensorboard")
    drawn = draw(figure, lambda: drawing(trained))
    if learnt:
        show(as_json, lambda: text(learnt), learnt.document())
    elif all(one.recipe.validation_size for one in trained):
        evaluate.score(trained, test=False, as_json=as_json)
    else:
        documents = [{"name": one.name, **one.environment} for one in trained]
        show(as_json, lambda: "trained on every picture; `tenfold evaluate --test` scores it", documents)
    wrote(as_json, *(one.folder for one in trained), *drawn)


def text(result: "Personal") -> str:
    """Return the accuracy before and after adapting to a handwriting, on its drawings and on the dataset."""
    changes = [("your pictures, each by a model that never saw it", result.own)]
    if result.known:
        changes.append((f"validation pictures of {result.run.recipe.dataset}", result.known))
    rows = [
        [title, f"{change.after.total:,}", percent(change.before), percent(change.after), interval(change.after)]
        for title, change in changes
    ]
    return table(["", "pictures", "before", "after", "95% interval"], rows) + f"\n\nin {result.seconds:.1f} s"


def drawing(trained: "Sequence[Run]") -> "matplotlib.figure.Figure":
    """Draw the training histories of one recipe's seeds."""
    from tenfold.report.figures import training

    return training.history([run.history for run in trained], [run.finished for run in trained])
