"""What the verbs share: common options, how they print and draw."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from types import ModuleType

    from tenfold.recipes import Recipe


def drawable(path: Path | None) -> Path | None:
    """Refuse, before the work, a figure that could not be drawn after it."""
    if path is not None:
        from tenfold import report

        report.require_libraries()
        from tenfold.report.figures import style

        style.format_of(path)
    return path


Figure = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png|svg|pdf", callback=drawable, help="Draw it too, into this file."),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "--dataset",
        metavar="FOLDER",
        help="A folder of class-named folders of pictures, or of IDX files; or mnist, fashion-mnist.  [default: mnist]",
    ),
]
Plain = Annotated[
    bool, typer.Option("--plain", help="Of a folder: only resize its pictures; they are 28×28, or no characters.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
Device = Annotated[str, typer.Option(envvar="TENFOLD_DEVICE", help="cpu, cuda, mps, or auto.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; repeatable.")]


def recipe_for(recipe: "Recipe", data: str | None, plain: bool, assignments: list[str] | None) -> "Recipe":
    """Return the recipe for what `--data` names, with what `--set` changes."""
    from tenfold import progress, recipes
    from tenfold.data import folder

    changes = assignments or []
    if data is None and not plain:
        return recipes.override(recipe, changes)
    known, _ = folder.find(data or recipe.dataset, plain, progress.for_terminal())
    return recipes.suited(recipe, known, changes)


def draw(path: Path | None, figure: "Callable[[ModuleType], Any]") -> list[Path]:
    """Draw what `--figure` asks for, and return what was written."""
    if path is None:
        return []
    from tenfold.report import verbs
    from tenfold.report.figures import style

    style.save(figure(verbs), path)
    return [path]


def show(as_json: bool, text: Callable[[], str], document: Any) -> None:
    """Print a result, as text or as JSON."""
    print(json.dumps(document, allow_nan=False) if as_json else text())


def wrote(as_json: bool, *paths: Path) -> None:
    """Say last what was written, without disturbing a JSON document."""
    for path in paths:
        print(f"wrote {path}", file=sys.stderr if as_json else sys.stdout)
