"""`tenfold report`: one self-contained HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from tenfold.cli._options import Json
from tenfold.cli._output import show, wrote


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Runs, folders of runs, cross-validations, studies, or the file life-N.json of a `tenfold run`."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page about runs.

    Example: tenfold report runs/life-1.json --out report.html
    """
    from tenfold import progress
    from tenfold import report as stage

    page = stage.write(paths, out, progress.for_terminal())
    megabytes = page.stat().st_size / 1e6
    show(as_json, lambda: f"{megabytes:.1f} MB in one self-contained file", {"report": str(page)})
    wrote(as_json, page)
