"""The verbs that hand a model on: export, predict, score, serve."""

from pathlib import Path
from typing import Annotated

import typer

from tenfold.cli.options import Json, show, wrote
from tenfold.errors import DataError, UsageError


def export(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    out: Annotated[Path, typer.Option(help="The file; one that is there already is left alone.")] = Path("model.onnx"),
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights and activations: a quarter of the size.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="16-bit floats: half the size.")] = False,
    as_json: Json = False,
) -> None:
    """Write a run as an ONNX file, if it is proved to be what was trained.

    Example: tenfold export runs/quick-seed0 --out model.onnx
    """
    from tenfold import console, progress
    from tenfold import export as stage
    from tenfold.runs import Run

    if int8 and fp16:
        raise UsageError("--int8 and --fp16 are two precisions; choose one")
    precision = "int8" if int8 else "float16" if fp16 else "float32"
    result = stage.export(Run(run), out, precision, progress.for_terminal())
    show(as_json, lambda: console.export(result), result.document())
    wrote(as_json, out)


def predict(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] FILE...",
            help="Pictures; a run folder or ONNX file first is the model, in place of the one that comes along.",
        ),
    ],
    line: Annotated[bool, typer.Option("--line", help="Each picture shows a row of separate digits.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Only resize: black ground, white ink, one digit.")] = False,
    explain: Annotated[
        Path | None, typer.Option(metavar="FILE.png|FOLDER", help="Draw the steps; of several pictures, a file each.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read pictures of digits: the digit, how sure, and what else it could be.

    Example: tenfold predict model.onnx seven.png four.jpg
    """
    from tenfold import console, progress, steps
    from tenfold import predict as stage

    model, pictures = (files[0], files[1:]) if stage.is_model(files[0]) else (None, files)
    if not pictures:
        raise UsageError(f"{model} is a model; name pictures for it to read")
    if line and (plain or explain):
        raise UsageError("--line reads a row of digits; leave --plain and --explain out")
    drawings = steps.targets(pictures, explain) if explain else {}
    reader = stage.open_reader(model, progress=progress.for_terminal())
    results = stage.read_files(reader, pictures, plain, line)
    show(as_json, lambda: console.answers(reader, results, line), [result.document(line) for result in results])
    wrote(as_json, *steps.write(reader, drawings))
    bad = [result for result in results if result.error is not None]
    if bad:
        reasons = "\n".join(f"  {result.path}: {result.error}" for result in bad)
        raise DataError(f"{len(bad)} of {len(results)} files could not be read:\n{reasons}")


def score(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] SOURCE",
            help="A run folder or ONNX file, else the one that comes along; a file, folder, pattern or address.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The job's folder; one that is there already is gone on with.")],
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS|local", help="Run on the Dask cluster there, or on one started here.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes on this machine.  [default: one a core]")] = None,
    column: Annotated[str | None, typer.Option(help="Of Parquet files, if several could hold pictures.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Only resize: black ground, white ink, one digit.")] = False,
    as_json: Json = False,
) -> None:
    """Read very many pictures, each once: stopped, killed or on a cluster, the same command goes on.

    Example: tenfold score model.onnx pictures/ --out scores
    """
    from tenfold import console, predict, progress
    from tenfold.score import require_libraries

    require_libraries(cluster=scheduler is not None)
    from tenfold.score import job

    if len(words) > 2 or (len(words) == 1 and predict.is_model(Path(words[0]))):
        raise UsageError("name one SOURCE of pictures, after the MODEL if there is one; in quotes if it is a pattern")
    model = Path(words[0]) if len(words) == 2 else None
    teller = progress.for_terminal()
    reader = predict.open_reader(model, threads=1, progress=teller)
    result = job.score(reader, words[-1], out, scheduler, jobs, plain, column, teller)
    show(as_json, lambda: console.scoring(result), result.document())
    wrote(as_json, out)


def serve(
    model: Annotated[Path | None, typer.Argument(help="Run folder or ONNX file; the one that comes along.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; the default is this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    names: Annotated[
        list[str] | None, typer.Option("--allow-host", metavar="NAME", help="A name it is called by; repeatable.")
    ] = None,
    handwriting: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep drawings here, and learn from them on the page.")
    ] = None,
) -> None:
    """Answer over HTTP: pictures in, digits and calibrated confidence out; and a page to draw on.

    Example: tenfold serve model.onnx
    """
    from tenfold import progress
    from tenfold.serve import server

    server.serve(model, host, port, names or [], handwriting, progress.for_terminal())
