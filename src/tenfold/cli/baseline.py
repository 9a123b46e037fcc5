"""`tenfold baseline`: classical models, fitted and compared."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenfold.cli._options import Data, Figure, Json, Plain, ValidationSize
from tenfold.cli._output import draw, interval, percent, show, table, wrote

if TYPE_CHECKING:
    import matplotlib.figure


def baseline(
    models: Annotated[list[str] | None, typer.Argument(help="Names of the models.  [default: all]")] = None,
    data: Data = None,
    plain: Plain = False,
    validation_size: ValidationSize = None,
    train_size: Annotated[
        int | None, typer.Option(help="Number of pictures to fit on.  [default: all that are left]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed for models that use randomness.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the scores to this JSON file too.")] = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Fit and compare classical models.

    Example: tenfold baseline ridge nearest-neighbours
    """
    from tenfold import baselines, files, progress
    from tenfold.data import folder, split

    teller = progress.for_terminal()
    known, _ = folder.find(data or "mnist", plain, teller)
    held = split.usual_validation_size(known) if validation_size is None else validation_size
    pictures = split.split(known, held, train_size=train_size, progress=teller)
    scores = [model.score for model in baselines.compare(pictures, models or None, seed, teller)]
    if out:
        files.write_json(out, scores)
    drawn = draw(figure, lambda: drawing(scores))
    show(as_json, lambda: text(scores), scores)
    wrote(as_json, *([out] if out else []), *drawn)


def text(entries: Iterable[dict[str, Any]]) -> str:
    """Return the comparison of classical models as a table."""
    from tenfold import baselines

    return table(
        ["model", "validation", "95% interval", "fit s", "predict s", "MB", "published (test)"],
        [
            [
                baselines.BASELINES[entry["name"]].title,
                percent(entry),
                interval(entry),
                f"{entry['train_seconds']:.1f}",
                f"{entry['predict_seconds']:.1f}",
                f"{entry['bytes'] / 1e6:.2f}",
                entry["published"] or "-",
            ]
            for entry in entries
        ],
    )


def drawing(scores: Sequence[dict[str, Any]]) -> "matplotlib.figure.Figure":
    """Draw accuracy against the seconds that fitting takes."""
    from tenfold.report.figures import baselines as figures

    return figures.accuracy_against_seconds(scores)
