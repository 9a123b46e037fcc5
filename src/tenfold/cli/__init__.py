"""The command line: one file per verb, which parses, calls, prints and draws. No logic.

Results go to standard output, everything else to standard error.
"""

from typing import Annotated

import typer

from tenfold import terminal
from tenfold.cli import (
    baseline,
    crossval,
    data,
    doctor,
    evaluate,
    export,
    predict,
    report,
    run,
    score,
    serve,
    train,
    tune,
)

app = typer.Typer(
    name="tenfold",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (
    run.run,
    data.data,
    baseline.baseline,
    train.train,
    tune.tune,
    crossval.crossval,
    evaluate.evaluate,
    report.report,
    export.export,
    predict.predict,
    score.score,
    serve.serve,
    doctor.doctor,
):
    app.command()(verb)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        terminal.show(f"tenfold {version('tenfold')}")
        raise typer.Exit


@app.callback()
def tenfold(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train, evaluate, export and serve classifiers for pictures of single characters."""
