"""The service as a process: its socket, its signals, the headers of every answer, and the limits of a connection.

The gate limits the body of a request.
"""

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tenfold import predict, terminal
from tenfold.errors import TenfoldError, UsageError
from tenfold.progress import SILENT, Progress
from tenfold.serve.app import create_app
from tenfold.serve.gate import Gate
from tenfold.serve.handwriting import enable
from tenfold.serve.telemetry import Telemetry

STOP_SECONDS = 5  # for requests to be finished when the service is asked to stop
CONNECTIONS = 512
HEADER_SECONDS = 10.0
HEADER_BYTES = 32_768  # of a request, and of what stands between the parts of a body: all bytes that are no body
PIECE = 4_096  # bytes that are parsed at once, so that the limit is exact to as many
PIPELINED = 64  # requests of a connection that wait for the answer to another one
READ_SECONDS = 30.0  # without reading anything
BUSY = b"503 Service Unavailable\r\nretry-after: 1"
IDLE_SECONDS = 30  # that a connection is kept for the next request

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
        terminal.show(f"serving {reader.source} on {url(listener)}; Ctrl-C stops it")
        server = Server(config)
        try:
            with telemetry.alone():
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
    except UnicodeError:
        reason = "this is no name of a host"
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
        """Finish the running requests, then stop; a second Ctrl-C does not wait."""
        self.stopped_by = sig
        super().handle_exit(sig, frame)


class Protocol(HttpToolsProtocol):
    """A connection of uvicorn that ends where a client is too slow, or sends trailers or too much besides bodies."""

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._in_headers = False
        self._framing = 0  # bytes, without body
        self._headers_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the headers; refuse a connection above the limit."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(BUSY)
        else:
            self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in (self._headers_due, self._reading_due):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and limit the time of headers and the bytes of all that is no body."""
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self._framing += len(piece)
            super().data_received(piece)
            if self._framing > HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
            if len(self.pipeline) > PIPELINED:  # uvicorn reads on with each that it answers
                self._refuse(BUSY)
            if self.transport.is_closing():
                return
        self._watch_headers()

    def on_message_begin(self) -> None:
        """Start to count the bytes of a request."""
        super().on_message_begin()
        self._in_headers, self._framing = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers, which would come too late to be checked, end as what is no HTTP does."""
        if not self._in_headers:
            raise ValueError("trailers are not taken")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._in_headers = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count no body, and allow as many bytes between its parts."""
        self._framing = max(0, self._framing - 2 * len(body))
        super().on_body(body)

    def pause_writing(self) -> None:
        """Start the timer of a client that does not read."""
        super().pause_writing()
        self._reading_due = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer of a client that reads again."""
        super().resume_writing()
        if self._reading_due is not None:
            self._reading_due.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """Close where no request came for long, even if the client has not read the last answer."""
        self.transport.abort()

    def _watch_headers(self) -> None:
        """Run the timer while no request has complete headers."""
        waiting = self._in_headers or self.cycle is None or self.cycle.response_complete
        if not waiting and self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None
        elif waiting and self._headers_due is None and not self.transport.is_closing():
            self._headers_due = self.loop.call_later(HEADER_SECONDS, self._refuse, b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
            self.loop.call_later(READ_SECONDS, self.transport.abort)  # where the client does not read that
