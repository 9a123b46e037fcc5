"""`tenfold baseline`: classical models, fitted and compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Data, Figure, Json, Plain, Transposed, ValidationSize
from tenfold.cli._output import draw, show, table, wrote

if TYPE_CHECKING:
    import matplotlib.figure

    from tenfold.baselines import BaselineScore

NAMES = "majority, ridge, nearest-centroid, mlp, nearest-neighbours, logistic-regression, rbf-kernel, extra-trees"


def baseline(
    models: Annotated[list[str] | None, typer.Argument(help=f"Models: {NAMES}.  [default: all]")] = None,
    data: Data = None,
    plain: Plain = False,
    transposed: Transposed = False,
    validation_size: ValidationSize = None,
    train_size: Annotated[int | None, typer.Option(help="Number of training pictures.  [default: all]")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed for models that use randomness.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the scores to this JSON file.")] = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Fit and compare classical models.

    Example: tenfold baseline ridge nearest-neighbours
    """
    from tenfold import baselines, files, progress
    from tenfold import scores as stage
    from tenfold.data import folder, split

    teller = progress.for_terminal()
    known, _ = folder.find(data or "mnist", plain, transposed, teller)
    held = split.usual_validation_size(known) if validation_size is None else validation_size
    pictures = split.split(known, held, train_size=train_size, progress=teller)
    scores = [model.score for model in baselines.compare(pictures, models or None, seed, teller)]
    documents = stage.documents(scores)
    if out:
        files.write_json(out, documents)
    drawn = draw(figure, lambda: drawing(scores))
    show(as_json, lambda: text(scores), documents)
    wrote(as_json, *([out] if out else []), *drawn)


def text(scores: "Sequence[BaselineScore]") -> str:
    """Return the comparison of classical models as a table."""
    from tenfold.scores import metrics

    titles, cells = metrics(scores)
    rows = [
        [
            one.title,
            *row,
            f"{one.train_seconds:.1f}",
            f"{one.predict_seconds:.1f}",
            f"{one.bytes / 1e6:.2f}",
            one.published or "-",
        ]
        for one, row in zip(scores, cells, strict=True)
    ]
    return table(["model", *titles, "fit s", "predict s", "MB", "published (test)"], rows)


def drawing(scores: "Sequence[BaselineScore]") -> "matplotlib.figure.Figure":
    """Draw accuracy against the seconds that fitting takes."""
    from tenfold.report.figures import baselines as figures

    return figures.accuracy_against_seconds([(one.name, one.train_seconds, one) for one in scores])
