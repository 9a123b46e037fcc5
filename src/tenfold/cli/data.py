"""`tenfold data`: a dataset, fetched, verified and described."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenfold.cli._options import Figure, Json, Plain, Transposed, ValidationSize
from tenfold.cli._output import draw, show, table, wrote

if TYPE_CHECKING:
    import matplotlib.figure

    from tenfold.data.catalog import Dataset


def data(
    dataset: Annotated[
        str,
        typer.Argument(
            help="mnist, fashion-mnist or synthetic-digits; a folder with one folder of pictures per class, or with "
            "IDX files; or a CSV or Parquet file."
        ),
    ] = "mnist",
    plain: Plain = False,
    transposed: Transposed = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Take the dataset's IDX files (plain or .gz) from this folder, without downloading."
        ),
    ] = None,
    validation_size: ValidationSize = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Fetch, verify and describe a dataset.

    Example: tenfold data mnist
    """
    from tenfold import progress
    from tenfold.data import download, folder, split

    teller = progress.for_terminal()
    known, skipped = folder.find(dataset, plain, transposed, teller)
    if directory:
        download.adopt(known, directory)
    samples = split.development(known, teller)
    held = split.usual_validation_size(known) if validation_size is None else validation_size
    parts = split.counts(known, samples.labels, held)
    mean, deviation = split.pixel_moments(samples.images)
    document = {
        "name": known.name,
        "classes": known.classes,
        "counts": parts,
        "pixel_mean": mean,
        "pixel_std": deviation,
        "licence": known.licence,
        "credit": known.credit,
        "sources": known.sources,
        "files": {file.name: {"bytes": file.size, "sha256": file.sha256} for file in download.expected(known)},
        "folder": str(download.cache_folder(known)),
        "skipped": [{"file": path, "reason": reason} for path, reason in skipped],
    }
    drawn = draw(figure, lambda: drawing(parts, known))
    show(as_json, lambda: text(known, document, parts), document)
    wrote(as_json, download.cache_folder(known), *drawn)


def text(known: "Dataset", document: Mapping[str, Any], counts: Mapping[str, Sequence[int]]) -> str:
    """Return the description of a dataset from the document of `--json` and, by part, the `counts` of each class."""
    lines = [
        f"{known.title} ({known.name})",
        f"by {known.credit}; licence: {known.licence}",
        f"{known.development_size:,} development pictures of 28×28 pixels, {len(known.classes)} classes; "
        f"pixel mean {document['pixel_mean']:.2f}, deviation {document['pixel_std']:.2f} (of 255)",
        f"sources: {', '.join(known.sources) or 'a folder of pictures'}",
        "the test set is sealed; `tenfold evaluate --test` opens it",
        "",
        table(
            ["class", *counts],
            [
                *([name, *(f"{part[at]:,}" for part in counts.values())] for at, name in enumerate(known.classes)),
                ["all", *(f"{sum(part):,}" for part in counts.values())],
            ],
        ),
        "",
        table(
            ["file", "bytes", "SHA-256"],
            [[name, f"{file['bytes']:,}", file["sha256"]] for name, file in document["files"].items()],
        ),
    ]
    return "\n".join(lines)


def drawing(counts: Mapping[str, Sequence[int]], known: "Dataset") -> "matplotlib.figure.Figure":
    """Draw the number of pictures per class."""
    from tenfold.report.figures import data as figures

    return figures.class_distribution(counts, known.classes)
