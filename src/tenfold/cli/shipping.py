"""The verbs that hand a model on: export, serve."""

from pathlib import Path
from typing import Annotated

import typer

from tenfold.cli.options import Json, show, wrote
from tenfold.errors import UsageError


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
