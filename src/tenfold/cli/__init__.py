"""The command line: one verb a stage, that parses, calls and prints. No logic.

Results go to standard output, everything else to standard error.
"""

import typer

from tenfold.cli import judging, learning, searching, shipping

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
