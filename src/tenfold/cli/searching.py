"""The verb that searches hyperparameters."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tenfold.cli.options import Data, Device, Figure, Json, Plain, Set, draw, recipe_for, show, wrote
from tenfold.errors import UsageError


def tune(
    recipe: Annotated[str | None, typer.Option(help="What is not drawn is as in it.  [default: quick]")] = None,
    data: Data = None,
    plain: Plain = False,
    assignments: Set = None,
    search: Annotated[Literal["grid", "random", "tpe"], typer.Option(help="How points are chosen.")] = "tpe",
    space: Annotated[
        Path | None, typer.Option(metavar="SPACE.TOML", help="What is drawn; a good default if not given.")
    ] = None,
    around: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Take this run's recipe, and the space close around it.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Points in the end.  [default: the whole grid, or 60]")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time for it all, from now.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that share the cores.  [default: one each]")
    ] = None,
    prune: Annotated[
        Literal["none", "median", "hyperband"], typer.Option(help="Stop trainings that fall behind.")
    ] = "none",
    repeats: Annotated[int, typer.Option(min=1, help="Seeds a trial; their mean counts.")] = 1,
    folds: Annotated[int | None, typer.Option(min=2, help="Cross-validate each trial instead.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn; a training's own is --set seed=.")] = 0,
    study: Annotated[str | None, typer.Option(help="Its name.  [default: tune-NETWORK-SEARCH]")] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="TENFOLD_STORAGE",
            help="sqlite:/// or postgresql://, not a file in the workspace.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(envvar="TENFOLD_RUNS", help="The workspace.")] = Path("runs"),
    device: Device = "auto",
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Search hyperparameters: grid, random or Bayesian, on every core; called again it goes on.

    Example: tenfold tune --search tpe --prune hyperband --trials 100
    """
    from tenfold import console, progress, recipes
    from tenfold.runs import Run
    from tenfold.tune import require_libraries

    require_libraries()
    from tenfold.tune import search as stage
    from tenfold.tune import space_file
    from tenfold.tune.study import Question

    if around and recipe:
        raise UsageError("--around RUN takes that run's recipe; change it with --set, and leave --recipe out")
    base = Run(around).recipe if around else recipes.find(recipe or "quick")
    base = recipe_for(base, data, plain, assignments)
    drawn = space_file.load(space or space_file.default(search), base)
    if around:
        drawn = drawn.around(base)
        study = study or f"tune-{Run(around).name}-{search}"
    question = Question(drawn, search, prune, repeats, folds, seed)
    found = stage.tune(question, study, trials, minutes, jobs, storage, out, device, progress=progress.for_terminal())
    pictures = draw(figure, lambda draw_: draw_.of_search(found))
    show(as_json, lambda: console.search(found), found.document)
    wrote(as_json, found.folder, *found.final_runs, *pictures)
