"""The service as a process: its socket, its signals."""

import ipaddress
import socket
from pathlib import Path

import uvicorn

from tenfold import predict
from tenfold.errors import TenfoldError, UsageError
from tenfold.progress import SILENT, Progress
from tenfold.serve.app import create_app
from tenfold.serve.handwriting import enable


def serve(
    model: Path | None, host: str, port: int, handwriting: Path | None = None, progress: Progress = SILENT
) -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM; raises `TenfoldError` where the port cannot be had.

    With a folder for `handwriting` drawings are kept in it: `UsageError` if others than this machine could send some.
    """
    with listen(host, port) as listener:
        if handwriting and not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            raise UsageError(f"--handwriting keeps what is drawn on this machine alone; leave out --host {host}")
        app = create_app(predict.open_reader(model, progress=progress))
        if handwriting:
            enable(app, handwriting, predict.run_of(model, progress))
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none")
        print(f"serving {app.state.reader.source} on {url(listener)}", flush=True)
        uvicorn.Server(config).run([listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; `TenfoldError` where the address or the port cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise TenfoldError(f"cannot listen on {host}, port {port}: {error.strerror}; choose another --port") from None


def url(listener: socket.socket) -> str:
    """Return where a browser finds the service."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
