"""`tenfold doctor`: this machine."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Json, Workspace
from tenfold.cli._output import show

if TYPE_CHECKING:
    from tenfold.doctor import Finding


def doctor(
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Also start each framework, to find device, threads and the faster number format."
        ),
    ] = False,
    out: Workspace = Path("runs"),
    as_json: Json = False,
) -> None:
    """Check this machine: versions, cores, GPU, data, disk.

    The exit status is 1 if a problem must be fixed before Tenfold can work here.

    Example: tenfold doctor
    """
    from tenfold import doctor as stage

    found = stage.examine(out, probe)
    show(as_json, lambda: text(found), [asdict(finding) for finding in found])
    if not all(finding.fine for finding in found):
        raise typer.Exit(1)


def text(found: "Iterable[Finding]") -> str:
    """Return one line per finding, with advice below it."""
    lines = []
    for one in found:
        lines.append(f"{'ok' if one.fine else '!!'}  {one.subject:<14}  {one.state}")
        if one.advice:
            lines += [f"{'':20}→ {line}" for line in one.advice.splitlines()]
    return "\n".join(lines)
