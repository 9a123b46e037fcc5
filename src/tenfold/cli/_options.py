"""Options that several verbs share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tenfold.recipes import Recipe


def _drawable(path: Path | None) -> Path | None:
    """Check before the work starts that the figure can be drawn."""
    if path is not None:
        from tenfold import extras

        extras.require("report", "drawing a figure")
        from tenfold.report.figures import style

        style.format_of(path)
    return path


Figure = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png|svg|pdf", callback=_drawable, help="Also draw the result into this file."),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "--dataset",
        metavar="FOLDER",
        help="A folder with one folder of pictures per class, or with IDX files; a CSV or Parquet file; or mnist, "
        "fashion-mnist or synthetic-digits.  [default: mnist]",
    ),
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="Only resize a folder's pictures. For pictures of 28×28 pixels, and for pictures that are not characters.",
    ),
]
Transposed = Annotated[
    bool, typer.Option("--transposed", help="Exchange rows and columns of the pictures. EMNIST needs it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]
Device = Annotated[str, typer.Option(envvar="TENFOLD_DEVICE", help="Device: cpu, cuda, mps or auto.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field of the recipe. Repeatable.")
]
ValidationSize = Annotated[
    int | None,
    typer.Option(help="Number of pictures set aside for validation.  [default: 5,000, or a fifth if that is fewer]"),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local",
        help="Dask cluster to run on: its address, or local to start one on this machine.",
    ),
]
Workspace = Annotated[Path, typer.Option(envvar="TENFOLD_RUNS", help="Folder for the runs.")]


def recipe_for(
    recipe: "Recipe", data: str | None, plain: bool, transposed: bool, assignments: list[str] | None
) -> "Recipe":
    """Return the recipe for the dataset of `--data`, changed by `--set`; print what else the dataset changes."""
    from tenfold import progress, recipes

    teller = progress.for_terminal()
    asked = recipes.override(recipe, assignments or [])
    if data is None and not plain and not transposed:
        return asked
    from tenfold.data import folder
    from tenfold.suited import suited

    known, _ = folder.find(data or recipe.dataset, plain, transposed, teller)
    chosen = suited(recipe, known, assignments or [])
    values = asked.model_dump() | {"dataset": known.name}
    changes = [
        f"{key}={value if isinstance(value, str) else format(value, 'g')}"
        for key, value in chosen.model_dump().items()
        if value != values[key]
    ]
    if changes:
        teller.line(f"for {known.development_size:,} pictures: {', '.join(changes)}; --set changes them")
    return chosen
