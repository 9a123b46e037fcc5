"""The service as a process: its socket, its signals, the headers of every answer."""

import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn

from tenfold import predict
from tenfold.errors import TenfoldError, UsageError
from tenfold.progress import SILENT, Progress
from tenfold.serve.app import create_app
from tenfold.serve.gate import Gate
from tenfold.serve.handwriting import enable
from tenfold.serve.protocol import CONNECTIONS, IDLE_SECONDS, Protocol
from tenfold.serve.telemetry import LogHandler, Telemetry

STOP_SECONDS = 5  # for requests to be finished when the service is asked to stop

# Sent with every answer. The page needs nothing from elsewhere, and nobody else may frame, embed or sniff it.
HEADERS = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-cache"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]


def serve(
    model: Path | None,
    host: str,
    port: int,
    names: Sequence[str] = (),
    handwriting: Path | None = None,
    progress: Progress = SILENT,
) -> None:
    """Answer over HTTP until Ctrl-C, which goes on as `KeyboardInterrupt`, or SIGTERM, after which this returns.

    `names` are hosts that requests may ask for besides addresses and localhost; in the folder `handwriting` drawings
    are kept. The log goes to standard error. Raises `TenfoldError` where the port cannot be had, or the model is none,
    and `UsageError` where others than this machine could have drawings kept.
    """
    with listen(host, port) as listener:
        if handwriting and not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            raise UsageError(f"--handwriting keeps what is drawn on this machine alone; leave out --host {host}")
        telemetry = Telemetry(sys.stderr)
        reader = predict.open_reader(model, threads=1, progress=progress)
        app = create_app(reader, telemetry)
        if handwriting:
            enable(app, handwriting, predict.run_of(model))
        config = configuration(Gate(app, telemetry, names))
        for name in ("uvicorn.error", "tenfold.serve"):
            logging.getLogger(name).addHandler(LogHandler(telemetry))
        print(f"serving {reader.source} on {url(listener)}; Ctrl-C stops it", flush=True)
        server = Server(config)
        try:
            server.run([listener])
        except KeyboardInterrupt:
            if server.stopped_by != signal.SIGTERM:
                raise


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; `TenfoldError` where the address or the port cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        reason = error.strerror
    raise TenfoldError(f"cannot listen on {host}, port {port}: {reason}; choose another --port or --host")


def url(listener: socket.socket) -> str:
    """Return where a browser finds the service."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def configuration(app: Gate) -> uvicorn.Config:
    """Return how uvicorn is to run the application."""
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        headers=HEADERS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


class Server(uvicorn.Server):
    """Remembers which signal stopped it: Ctrl-C interrupts the program, SIGTERM ends it well."""

    stopped_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish what is begun, then stop; a second Ctrl-C does not wait."""
        self.stopped_by = sig
        super().handle_exit(sig, frame)
