"""The verbs that judge and tell: the whole life, scores, the report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli.options import Device, Figure, Json, Plain, draw, show, wrote
from tenfold.errors import UsageError

if TYPE_CHECKING:
    from tenfold.evaluate import Evaluation
    from tenfold.runs import Run


def run(
    dataset: Annotated[
        str, typer.Argument(help="mnist, fashion-mnist, or a folder of class-named folders of pictures.")
    ] = "mnist",
    plain: Plain = False,
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
    from tenfold.data import folder

    if resume and minutes is not None:
        raise UsageError("--resume goes on with the plan that was made; leave --minutes out")
    teller = progress.for_terminal()
    if resume:
        life = lifecycle.resume(resume, teller)
    else:
        known, _ = folder.find(dataset, plain, teller)
        life = lifecycle.live(known.name, out, minutes, device, teller)
    show(as_json, lambda: console.life(life), {"chosen": life.chosen.name, "table": list(life.table())})
    wrote(as_json, life.file, *(trained.folder for trained in life.runs), *([life.report] if life.report else []))


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; several are compared.")],
    test: Annotated[bool, typer.Option("--test", help="Open the sealed test set, and write it in the ledger.")] = False,
    committee: Annotated[
        bool, typer.Option("--committee", help="Score them as one too: the mean of their probabilities.")
    ] = False,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Score runs on validation pictures, or with --test on the test set.

    Example: tenfold evaluate runs/quick-seed0 runs/standard-seed0
    """
    from tenfold.runs import Run

    opened = [Run(folder) for folder in runs]
    results = score(opened, test, as_json, committee)
    drawn = draw(figure, lambda draw: draw.of_evaluations(results))
    wrote(as_json, *(one.folder / "scores.json" for one in opened), *drawn)


def report(
    paths: Annotated[list[Path], typer.Argument(help="Folders of runs, cross-validations, studies; life-N.json.")],
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
    show(as_json, lambda: f"{megabytes:.1f} MB in one file that asks for nothing else", {"report": str(page)})
    wrote(as_json, page)


def score(opened: "list[Run]", test: bool, as_json: bool, committee: bool = False) -> "list[Evaluation]":
    """Score runs and print how they did; with `committee` also all of them as one."""
    from tenfold import console, progress
    from tenfold import evaluate as stage

    if committee:  # refused before the test set is opened
        stage.require_committee([stage.questions(run, test) for run in opened])
    results = stage.evaluate(opened, test, "tenfold evaluate --test", progress.for_terminal())
    documents = [
        {"name": result.run.name, "train_seconds": result.run.environment.get("train_seconds"), **result.entry}
        for result in results
    ]
    together = stage.committee(results) if committee else None
    if together:
        documents.append({"name": together["scoring"], "runs": [run.name for run in opened], **together})
    show(as_json, lambda: console.evaluations(results, together), documents)
    return results
