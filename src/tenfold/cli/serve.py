"""`tenfold serve`: the HTTP service and the page to draw on."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path | None, typer.Argument(help="Run folder or ONNX file.  [default: the bundled model]")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The default serves only this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8000,
    names: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Accept requests for this host name. Repeatable."),
    ] = None,
    handwriting: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep drawings in this folder, and let the page adapt the model to them."),
    ] = None,
) -> None:
    """Serve a model over HTTP, with a page to draw on.

    Example: tenfold serve model.onnx
    """
    from tenfold import extras, progress

    extras.require("serve", "the service")
    from tenfold.serve import server

    server.serve(model, host, port, names or [], handwriting, progress.for_terminal())
