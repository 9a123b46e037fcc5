"""The command line: one verb a stage, that parses, calls and prints. No logic.

Results go to standard output, everything else to standard error.
"""

import typer

from tenfold import processes
from tenfold.cli import judging, learning, searching, shipping
from tenfold.errors import UsageError

app = typer.Typer(
    name="tenfold",
    help="Pictures of single characters, through the whole life of a classifier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (
    judging.run,
    learning.data,
    learning.baseline,
    learning.train,
    searching.tune,
    learning.crossval,
    judging.evaluate,
    judging.report,
    shipping.export,
    shipping.predict,
    shipping.score,
    shipping.serve,
    learning.doctor,
):
    app.command()(verb)


@app.callback()
def alone(context: typer.Context) -> None:
    """Refuse what several processes would do several times."""
    if processes.size() > 1 and context.invoked_subcommand != "train":
        raise UsageError("of the verbs only `train` runs under torchrun; run this one without it")
