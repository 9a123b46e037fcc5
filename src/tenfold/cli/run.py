"""`tenfold run`: the whole life of a classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Device, Json, Plain, Transposed, Workspace
from tenfold.cli._output import interval, percent, show, table, wrote
from tenfold.errors import UsageError

if TYPE_CHECKING:
    from tenfold.lifecycle import Life


def run(
    dataset: Annotated[str, typer.Argument(help="mnist, fashion-mnist, or anything that --data accepts.")] = "mnist",
    plain: Plain = False,
    transposed: Transposed = False,
    minutes: Annotated[
        float | None, typer.Option(help="Time limit: measures this machine and leaves out what does not fit.")
    ] = None,
    out: Workspace = Path("runs"),
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="LIFE.JSON",
            help="Resume the `tenfold run` recorded in this file instead of the newest one with the same settings.",
        ),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Run everything: data, baselines, networks, the test set, report.

    Networks are compared on validation pictures; the test set is opened once, at the end. Run the same command again
    to resume after an interruption, or to show the finished result.

    Example: tenfold run --minutes 2
    """
    from tenfold import lifecycle, progress
    from tenfold.data import folder

    if resume and minutes is not None:
        raise UsageError("--resume continues an existing plan; leave --minutes out")
    teller = progress.for_terminal()
    if resume:
        life = lifecycle.resume(resume, teller)
    else:
        known, _ = folder.find(dataset, plain, transposed, teller)
        life = lifecycle.live(known.name, out, minutes, device, teller)
    show(as_json, lambda: text(life), {"chosen": life.chosen.name, "table": [row.document() for row in life.table()]})
    wrote(as_json, life.file, *(trained.folder for trained in life.runs), *([life.report] if life.report else []))


def text(result: "Life") -> str:
    """Return a table of all models, and the test result of the chosen one."""
    rows = [
        [
            ("→ " if row.chosen else "  ") + row.model,
            f"{row.parameters:,}" if row.parameters else "-",
            f"{row.train_seconds:.1f}",
            percent(row.validation),
            percent(row.test),
            interval(row.test or row.validation) + ("" if row.test else " (validation)"),
        ]
        for row in result.table()
    ]
    test = next(row.test for row in result.table() if row.chosen and row.test)
    return "\n".join(
        [
            table(["  model", "parameters", "seconds", "validation", "test", "95% interval"], rows),
            "",
            f"chosen on validation: {result.chosen.name}; {test.correct:,} of {test.total:,} test pictures "
            f"classified correctly: {percent(test)} ({interval(test)})",
        ]
    )
