"""The gate before the application: an ASGI middleware that checks host and origin, and limits bodies in size and time.

It collects the body, so that the application has it in memory at once, and logs and counts each request.
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

BODY_SECONDS = 10.0  # in which a body must have arrived
HELD = 64_000_000  # bytes of bodies in memory, of all requests together
DRAINED = 4 * BODY  # bytes that are read and dropped, so that a client that is still sending hears why it is refused
HARMLESS = ("GET", "HEAD", "OPTIONS")
GONE = 499  # the client left before it was answered: a status that the log alone sees


class Gate:
    """Passes a request with its body to the application, or answers with the reason of the refusal.

    No other site can use a visitor's browser to ask here: the Host must be an address, `localhost` or one of `names`
    (an attacker's name that points at this machine is none of them), and an Origin, if there is one, that same host.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, names: Iterable[str] = ()) -> None:
        self.app = app
        self.telemetry = telemetry
        self.held = 0
        known = {"localhost", *(name.lower() for name in names)}
        self.is_ours = lru_cache(64)(lambda host: _is_address(_name(host)) or _name(host) in known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; pass other ASGI events on."""
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
                raise RefusedError(400, "two of the headers Host or Origin")
            self._check_host(scope["method"], headers)
            most = JSON_BODY if b"json" in headers.get(b"content-type", b"").lower() else BODY
            body = await self._body(int(headers.get(b"content-length", 0)), most, receive)
            came = len(body)
            await self.app(scope, _giving(body, receive), counted)
        except RefusedError as refusal:
            if refusal.http_status != GONE:
                headers = {"connection": "close"} | refusal.headers  # what the client still sends is not read
                answer = JSONResponse({"detail": str(refusal)}, refusal.http_status, headers)
                await answer(scope, receive, counted)
        finally:
            self.held -= came
            self.telemetry.request(scope, status, perf_counter() - start, came, went)

    def _check_host(self, method: str, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self.is_ours(host):
            raise RefusedError(421, "this host is not served here; `tenfold serve --allow-host NAME` allows a name")
        origin = headers.get(b"origin")
        if origin is None or method in HARMLESS:
            return
        if origin.decode("latin-1").lower().partition("://")[2] != host:
            raise RefusedError(403, "the page of another site may not ask this")

    async def _body(self, announced: int, most: int, receive: Receive) -> bytes:
        """Return the body, of `announced` bytes and `most` at most; it counts as held until the request is done."""
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
    """Return the `receive` of a request whose body has arrived."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give


def _too_large(most: int) -> RefusedError:
    advice = "a smaller picture, please" if most == BODY else "send pictures as files, or fewer at once"
    return RefusedError(413, f"more than {most:,} bytes; {advice}")


def _name(host: str) -> str:
    """Return the Host header without its port, and an IPv6 address without its brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
