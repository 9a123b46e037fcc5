"""`tenfold predict`: pictures in; character, confidence and verdict out."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Json
from tenfold.cli._output import show, sure, table, wrote
from tenfold.errors import DataError, UsageError

if TYPE_CHECKING:
    from tenfold.answers import Answer
    from tenfold.predict import FileResult, Reader


def predict(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] FILE...",
            help="Pictures to classify. Name a run folder or ONNX file first to use it instead of the bundled model.",
        ),
    ],
    line: Annotated[bool, typer.Option("--line", help="Read rows of separate characters in each picture.")] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Only resize. For pictures of one white character on black.")
    ] = False,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png|FOLDER", help="Draw the steps of preprocessing; for several pictures, one file each."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Classify pictures: label, confidence, and sure or unsure.

    Example: tenfold predict model.onnx seven.png four.jpg
    """
    from tenfold import predict as stage
    from tenfold import progress, steps

    model, pictures = (files[0], files[1:]) if stage.is_model(files[0]) else (None, files)
    if not pictures:
        raise UsageError(f"{model} is a model; add the pictures to classify")
    if line and (plain or explain):
        raise UsageError("--line cannot be combined with --plain or --explain; leave them out")
    drawings = steps.targets(pictures, explain) if explain else {}
    reader = stage.open_reader(model, progress=progress.for_terminal())
    results = stage.read_files(reader, pictures, plain, line)
    drawn = steps.write(reader, drawings)
    show(as_json, lambda: text(reader, results, line), [result.document(reader, line) for result in results])
    wrote(as_json, *drawn)
    bad = [result for result in results if result.error is not None]
    if bad:
        reasons = "\n".join(f"  {result.path}: {result.error}" for result in bad)
        raise DataError(f"{len(bad)} of {len(results)} files could not be read:\n{reasons}")


def text(reader: "Reader", results: "Sequence[FileResult]", line: bool) -> str:
    """Return one row per file, or with `line` the text of each row and one row per character; then explain "sure"."""
    read = [result for result in results if result.error is None]
    given = [(result, *pair) for result in read for pair in itertools.zip_longest(result.answers, result.boxes)]
    header = ["file", "verdict", reader.kind, "confidence", "or"]
    rows = [[str(result.path), *_columns(answer)] for result, answer, _ in given]
    blocks = []
    if line:
        blocks.append("\n".join(f"{result.path}: {result.text or reader.nothing}" for result in read))
        header.append("left, top, width, height")
        rows = [[*row, ", ".join(map(str, box))] for row, (_, _, box) in zip(rows, given, strict=True)]
        unread = [(result, box) for result in read for box in result.unread]
        rows += [[str(result.path), "not read", "-", "-", "-", ", ".join(map(str, box))] for result, box in unread]
    if rows:
        blocks.append(table(header, rows))
    return "\n\n".join([*filter(None, blocks), f"{reader.source}; {sure(reader.threshold)}"])


def _columns(answer: "Answer") -> list[str]:
    if answer.label is None:
        return [answer.verdict, "-", "-", "-"]
    others = ", ".join(f"{name} {share:.2%}" for name, share in answer.top if name != answer.label)
    return [answer.verdict, answer.label, f"{answer.confidence:.2%}", "; ".join([others, *answer.doubts])]
