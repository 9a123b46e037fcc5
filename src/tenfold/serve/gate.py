"""The gate before the application: an ASGI middleware that checks host and origin, and limits bodies in size and time.

It collects the whole body in memory for the application, and logs and counts each request.
"""

import asyncio
import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from time import perf_counter

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenfold.serve.intake import BODY, BUSY, JSON_BODY, RefusedError
from tenfold.serve.telemetry import Telemetry

BODY_SECONDS = 10.0  # longest time for a body to arrive
HELD = 64_000_000  # bytes in memory for the bodies of all requests
DRAINED = 4 * BODY  # bytes to read and drop, so that a client that is still sending receives the reason
HARMLESS = ("GET", "HEAD", "OPTIONS")
GONE = 499  # the client left before the answer; this status appears only in the log


class Gate:
    """Pass a request with its body to the application, or answer with the reason for refusing it.

    Other sites cannot send requests through a visitor's browser. The Host must be an address, `localhost` or one of
    `names`, which excludes an attacker's name that points to this machine. An Origin, if present, must match it.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, names: Iterable[str] = ()) -> None:
        self.app = app
        self.telemetry = telemetry
        self.held = 0
        known = {"localhost", *(name.lower() for name in names)}
        self.is_ours = lru_cache(64)(lambda host: _is_address(_name(host)) or _name(host) in known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; pass on other ASGI events."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, came, went = perf_counter(), GONE, 0, 0

        async def counted(message: Message) -> None:
            nonlocal status, went
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                went += len(message["body"])
            await send(message)

        try:
            headers = dict(scope["headers"])
            if any(sum(name == single for name, _ in scope["headers"]) > 1 for single in (b"host", b"origin")):
                raise RefusedError(400, "the header Host or Origin is repeated")
            self._check_host(scope["method"], headers)
            most = JSON_BODY if b"json" in headers.get(b"content-type", b"").lower() else BODY
            body = await self._body(int(headers.get(b"content-length", 0)), most, receive)
            came = len(body)
            await self.app(scope, _giving(body, receive), counted)
        except RefusedError as refusal:
            if refusal.http_status != GONE:
                headers = {"connection": "close"} | refusal.headers  # the rest of the request is not read
                answer = JSONResponse({"detail": str(refusal)}, refusal.http_status, headers)
                await answer(scope, receive, counted)
        finally:
            self.held -= came
            self.telemetry.request(scope, status, perf_counter() - start, came, went)

    def _check_host(self, method: str, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self.is_ours(host):
            raise RefusedError(421, "unknown host; to allow it, use `tenfold serve --allow-host NAME`")
        origin = headers.get(b"origin")
        if origin is None or method in HARMLESS:
            return
        if origin.decode("latin-1").lower().partition("://")[2] != host:
            raise RefusedError(403, "pages of other sites must not send requests")

    async def _body(self, announced: int, most: int, receive: Receive) -> bytes:
        """Return the body, of `announced` and at most `most` bytes; it counts as held until the request is done."""
        if announced > DRAINED:
            raise _too_large(most)
        body = bytearray()
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more and size <= DRAINED:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusedError(GONE, "the client left")
                    chunk, more = message["body"], message["more_body"]
                    size += len(chunk)
                    if size <= most:
                        body += chunk
                        self.held += len(chunk)
                    if self.held > HELD:
                        raise RefusedError(503, BUSY)
            if size > most:
                raise _too_large(most)
        except BaseException as error:
            self.held -= len(body)
            if isinstance(error, TimeoutError):
                raise RefusedError(408, f"the body took longer than {BODY_SECONDS:g} seconds") from None
            raise
        return bytes(body)


def _giving(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` function for a request whose body has arrived."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give


def _too_large(most: int) -> RefusedError:
    advice = "send a smaller picture" if most == BODY else "send pictures as files, or fewer at once"
    return RefusedError(413, f"the body has more than {most:,} bytes; {advice}")


def _name(host: str) -> str:
    """Return the Host header without port, and an IPv6 address without brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
