"""The service as a process: socket, signals, headers of every answer, and limits of a connection.

`gate` limits the body of a request.
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

STOP_SECONDS = 5  # for running requests after a signal to stop
CONNECTIONS = 512
HEADER_SECONDS = 10.0
HEADER_BYTES = 32_768  # of a request, counting all bytes outside the body, also those between chunks
PIECE = 4_096  # bytes parsed at a time; the limit is exact to this number
PIPELINED = 64  # requests waiting in one connection
READ_SECONDS = 30.0  # longest time in which a client reads nothing
BUSY = b"503 Service Unavailable\r\nretry-after: 1"
IDLE_SECONDS = 30  # that an idle connection stays open

# Sent with every answer. The page loads nothing external, and no other site may frame, embed or sniff it.
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
    """Serve over HTTP until Ctrl-C, which raises `KeyboardInterrupt`, or SIGTERM, after which this returns.

    `names` are the hosts that requests may use besides addresses and localhost. The folder `handwriting` stores
    drawings. The log goes to standard error. Raises `TenfoldError` if the port is not available or the model is
    invalid, and `UsageError` if other machines could store drawings.
    """
    with listen(host, port) as listener:
        if handwriting and not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            raise UsageError(f"--handwriting works only for this machine; leave --host {host} out")
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
    """Return a listening socket; raise `TenfoldError` if the address or the port is not available."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        reason = error.strerror
    except UnicodeError:
        reason = "not a valid host name"
    raise TenfoldError(f"cannot listen on {host}, port {port}: {reason}; choose another --port or --host")


def url(listener: socket.socket) -> str:
    """Return the address of the service for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def configuration(app: Gate) -> uvicorn.Config:
    """Return the configuration for uvicorn."""
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
    """A server that remembers the signal that stopped it: Ctrl-C interrupts the program, SIGTERM ends it normally."""

    stopped_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish running requests, then stop; a second Ctrl-C stops at once."""
        self.stopped_by = sig
        super().handle_exit(sig, frame)


class Protocol(HttpToolsProtocol):
    """A connection that ends if the client is too slow, or sends trailers or too many bytes outside bodies."""

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._in_headers = False
        self._framing = 0  # bytes outside the body
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
        """Cancel the timers."""
        for timer in (self._headers_due, self._reading_due):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, and limit the time for headers and the bytes outside the body."""
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self._framing += len(piece)
            super().data_received(piece)
            if self._framing > HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
            if len(self.pipeline) > PIPELINED:  # uvicorn reads on after each answer
                self._refuse(BUSY)
            if self.transport.is_closing():
                return
        self._watch_headers()

    def on_message_begin(self) -> None:
        """Start counting the bytes of a request."""
        super().on_message_begin()
        self._in_headers, self._framing = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Accept a header. Trailers, which would arrive too late for the checks, count as invalid HTTP."""
        if not self._in_headers:
            raise ValueError("trailers are not accepted")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._in_headers = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Exclude the body from the count, and allow as many bytes again between its chunks."""
        self._framing = max(0, self._framing - 2 * len(body))
        super().on_body(body)

    def pause_writing(self) -> None:
        """Start the timer for a client that does not read."""
        super().pause_writing()
        self._reading_due = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer when the client reads again."""
        super().resume_writing()
        if self._reading_due is not None:
            self._reading_due.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, even if the client has not read the last answer."""
        self.transport.abort()

    def _watch_headers(self) -> None:
        """Run the timer until the headers of a request are complete."""
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
            self.loop.call_later(READ_SECONDS, self.transport.abort)  # if the client does not read this
