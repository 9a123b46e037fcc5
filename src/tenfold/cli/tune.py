"""`tenfold tune`: a search for hyperparameters."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tenfold.cli._options import Data, Device, Figure, Json, Plain, Scheduler, Set, Transposed, Workspace, recipe_for
from tenfold.cli._output import draw, show, table, wrote
from tenfold.errors import UsageError

if TYPE_CHECKING:
    import matplotlib.figure

    from tenfold.tune import study

BEST = 5  # number of trials to print


def tune(
    recipe: Annotated[
        str | None, typer.Option(help="Recipe for all values that are not searched.  [default: quick]")
    ] = None,
    data: Data = None,
    plain: Plain = False,
    transposed: Transposed = False,
    assignments: Set = None,
    search: Annotated[Literal["grid", "random", "tpe"], typer.Option(help="Method that chooses the trials.")] = "tpe",
    space: Annotated[
        Path | None, typer.Option(metavar="SPACE.TOML", help="Search space.  [default: the bundled one]")
    ] = None,
    around: Annotated[Path | None, typer.Option(metavar="RUN", help="Search close to this run's recipe.")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Total number of trials of the study.  [default: the whole grid, or 60]")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time limit of this command.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of processes, which share the cores.  [default: one per core]")
    ] = None,
    scheduler: Scheduler = None,
    prune: Annotated[
        Literal["none", "median", "hyperband"], typer.Option(help="Stop trials that fall behind.")
    ] = "none",
    repeats: Annotated[int, typer.Option(min=1, help="Seeds per trial, which is scored by their mean.")] = 1,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Score each trial by cross-validation with this many folds.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of the sampler. The training has its own: --set seed=.")
    ] = 0,
    study: Annotated[str | None, typer.Option(help="Name of the study.  [default: tune-NETWORK-SEARCH]")] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="TENFOLD_STORAGE",
            help="Database for the study, sqlite:/// or postgresql://, instead of a file in the workspace.",
        ),
    ] = None,
    out: Workspace = Path("runs"),
    device: Device = "auto",
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Search hyperparameters: grid, random or TPE.

    Run the same command again to resume.

    Example: tenfold tune --search tpe --prune hyperband --trials 100
    """
    from tenfold import extras, progress, recipes
    from tenfold.runs import Run

    extras.require("tune", "a search")
    from tenfold.tune import search as stage
    from tenfold.tune import space_file
    from tenfold.tune.study import Question

    if around and recipe:
        raise UsageError("--around RUN uses that run's recipe; change it with --set, and leave --recipe out")
    base = Run(around).recipe if around else recipes.find(recipe or "quick")
    base = recipe_for(base, data, plain, transposed, assignments)
    drawn = space_file.load(space or space_file.default(search), base)
    if around:
        drawn = drawn.around(base)
        study = study or f"tune-{Run(around).name}-{search}"
    question = Question(drawn, search, prune, repeats, folds, seed)
    found = stage.tune(
        question,
        study,
        trials,
        minutes,
        jobs,
        scheduler,
        storage,
        out,
        device,
        progress=progress.for_terminal(),
    )
    pictures = draw(figure, lambda: _history(found))
    show(as_json, lambda: text(found), found.document)
    wrote(as_json, found.folder, *found.final_runs, *pictures)


def text(result: "study.Result") -> str:
    """Return the best trials of a search, the failed ones, and the comparison of the best two."""
    from tenfold.tune.study import ranked

    parameters = list(dict.fromkeys(name for trial in result.trials for name in trial.point))
    best = ranked(result.trials)[:BEST]
    counts = Counter(trial.state for trial in result.trials)
    reused = sum(trial.reused for trial in result.trials)
    lines = [
        ", ".join(f"{count} {state}" for state, count in counts.items())
        + (f"; {reused} from the cache" if reused else "")
    ]
    if best:
        rows = [
            [
                str(t.number),
                f"{t.accuracy:.2%}",
                f"{t.seconds:.1f}",
                *(_short(t.point.get(name)) for name in parameters),
            ]
            for t in best
        ]
        lines += ["", table(["trial", "validation", "seconds", *parameters], rows)]
    if failed := [trial for trial in result.trials if trial.state == "failed"]:
        rows = [[str(t.number), str(t.reason), *(_short(t.point.get(key)) for key in parameters)] for t in failed]
        lines += ["", table(["failed", "why", *parameters], rows)]
    if result.final:
        lines += ["", *_final(result.final)]
    return "\n".join(lines)


def _history(found: "study.Result") -> "matplotlib.figure.Figure":
    from tenfold.report.figures import optuna_plots

    return optuna_plots.history(found)


def _final(final: dict[str, Any]) -> list[str]:
    models = final["models"]
    rows = [
        [
            f"trial {m['trial']}",
            f"{m['mean']:.2%} ± {m['sd']:.2%}",
            "{:.2%} to {:.2%}".format(*m["interval"]),
            f"{m['train_seconds']:.1f}",
            m["runs"][0],
        ]
        for m in models
    ]
    seeds = len(models[0]["runs"])
    lines = [table([f"{seeds} fresh seeds", "validation", "95% interval", "seconds", "first run"], rows)]
    if "comparison" in final:
        test = final["comparison"]
        first, second = (f"trial {model['trial']}" for model in models)
        relation = "is tied with" if test["verdict"] == "tied" else f"is {test['verdict']} than"
        low, high = (100 * end for end in test["interval"])
        lines.append(
            f"{first} {relation} {second}: {100 * test['mean']:+.3f} points ({low:+.3f} to {high:+.3f}), "
            f"paired over {test['n']} seeds, p = {test['p_value']:.2g}"
        )
    return lines


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
