"""`tenfold score`: very many pictures, streaming and resumable."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenfold.cli._options import Json, Scheduler
from tenfold.cli._output import show, table, wrote
from tenfold.errors import UsageError

if TYPE_CHECKING:
    from tenfold.score import job


def score(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] SOURCE",
            help="A run folder or ONNX file (default: the bundled model), and a file, folder, pattern or address.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the result. Resume if the folder exists.")],
    scheduler: Scheduler = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of processes on this machine.  [default: one per core]")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Column with the pictures in Parquet files, if several could have them.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Only resize. For pictures of one white character on black.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Classify a large collection; run again to resume.

    Example: tenfold score model.onnx pictures/ --out scores
    """
    from tenfold import extras, predict, progress

    extras.require("score", "scoring")
    if scheduler is not None:
        extras.require("cluster", "a cluster")
    from tenfold.score import job

    if len(words) > 2 or (len(words) == 1 and predict.is_model(Path(words[0]))):
        raise UsageError("give one SOURCE, after the MODEL if there is one; put a pattern in quotes")
    model = Path(words[0]) if len(words) == 2 else None
    teller = progress.for_terminal()
    reader = predict.open_reader(model, threads=1, progress=teller)
    result = job.score(reader, words[-1], out, scheduler, jobs, plain, column, teller)
    show(as_json, lambda: text(result, reader.kind), result.document())
    wrote(as_json, out)


def text(result: "job.Result", kind: str) -> str:
    """Return counts per verdict and class, drift from the training data, and the number of unreadable pictures.

    `kind` is the word for what a picture shows: digit or character.
    """
    from tenfold.score.summary import FEWEST

    said = result.summary
    pictures = said["pictures"]
    verdicts = [[name, f"{count:,}", _share(count, pictures)] for name, count in said["verdicts"].items()]
    counts: dict[str, int] = said.get("digits") or said["labels"]
    classes = [[name, f"{count:,}", _share(count, pictures)] for name, count in counts.items()]
    rows = [[one["what"], *_drift(one), _flag(one["drifted"])] for one in said["drift"]]
    blocks = [
        table(["verdict", "pictures", "share"], verdicts),
        table([kind, "pictures", "share"], classes),
        table(["drift", "here", "in training", "distance", "limit", ""], rows),
    ]
    if sum(counts.values()) < FEWEST:
        blocks.append(f"drift is not judged: the shares of fewer than {FEWEST:,} answers vary by chance")
    if said["bad"]:
        blocks.append(f"{said['bad']:,} could not be read; the reasons are in {result.folder / 'bad'}")
    if said["skipped"]:
        blocks.append(f"{said['skipped']:,} files in tar files are not pictures and were ignored")
    rate = result.pictures / max(result.seconds, 1e-3)
    speed = f", {result.pictures:,} of them now, at {rate:,.0f} per second" if result.pictures else ""
    return "\n\n".join([*blocks, f"{pictures:,} pictures classified{speed}"])


def _share(count: int, total: int) -> str:
    return f"{count / total:.2%}" if total else "-"


def _drift(one: dict[str, Any]) -> list[str]:
    """Return the cells of one figure: here, in training, distance, limit. The table above has the class shares."""
    many = isinstance(one["here"] or one["training"], dict)
    ends = ["", ""] if many else [_figure(one["what"], one[key]) for key in ("here", "training")]
    return [*ends, "not known" if one["distance"] is None else f"{one['distance']:.4f}", f"{one['limit']}"]


def _figure(what: str, value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:.2f}" if what == "mean ink" else f"{value:.2%}"


def _flag(drifted: bool | None) -> str:
    return "DRIFTED" if drifted else ""
