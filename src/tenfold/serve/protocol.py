"""HTTP on one connection: uvicorn's, with the limits that it lacks. Who is too slow is cut off.

A client has so many seconds to send its headers, and to go on reading what it asked for; headers have a largest size;
there are so many connections and no more. (What a body may take is the gate's to say.)
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTIONS = 512
HEADER_SECONDS = 10.0
HEADER_BYTES = 32_768
READ_SECONDS = 30.0  # without reading anything
IDLE_SECONDS = 30  # that a connection is kept for the next request


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._in_headers = False
        self._header_bytes = 0
        self._headers_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request; refuse it where there are too many connections already."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(b"503 Service Unavailable\r\nretry-after: 1")
        else:
            self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in (self._headers_due, self._reading_due):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; then, if the headers of a request are not complete, see that they will be."""
        super().data_received(data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
        self._watch_headers()

    def on_message_begin(self) -> None:
        """Begin a request, whose headers are not complete."""
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Begin to answer it."""
        self._in_headers = False
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        self._reading_due = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        super().resume_writing()
        if self._reading_due is not None:
            self._reading_due.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """Close where no request came for long, even if the client has not read the last answer."""
        self.transport.abort()

    def _watch_headers(self) -> None:
        """Set the timer while there is no request whose headers are complete, and stop it where there is one."""
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
