"""The limits of requests, over a real socket where that matters."""

import asyncio
import json
import socket
from contextlib import suppress

import pytest
import requests

from tenfold.serve import gate
from tenfold.serve.gate import Gate
from tenfold.serve.telemetry import Telemetry

HEAD = b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n"


def status(answer):
    return int(answer.split(b" ", 2)[1])


def chunked(size, part=65_536):
    chunk = b"%x\r\n" % part + bytes(part) + b"\r\n"
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk * (size // part) + b"0\r\n\r\n"


def test_a_body_may_have_twelve_megabytes(service):
    """However it comes; and one that is announced as far too large is not waited for."""
    allowed = requests.post(service.url("/predict"), data=bytes(12_000_000), timeout=20)
    assert allowed.status_code == 415
    for size in (12_000_001, 20_000_000):
        refused = requests.post(service.url("/predict"), data=bytes(size), timeout=20)
        assert (refused.status_code, refused.headers["connection"]) == (413, "close")
    assert status(service.raw(chunked(1_000_000).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))) == 415
    assert status(service.raw(chunked(12_100_000))) == 413
    assert status(service.raw(HEAD + b"content-length: 9000000000\r\n\r\n")) == 413


def test_a_stream_without_end_is_cut(service):
    """More is read than is allowed, so that the client hears the reason; but not for ever."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
        sent = 0
        with suppress(OSError):  # the connection is gone, by whatever name
            while sent < 1e9:
                connection.sendall(chunk)
                sent += 65_536
    assert gate.DRAINED / 2 < sent < gate.DRAINED + 20_000_000


def test_a_slow_body_is_cut_off(service, monkeypatch):
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.05)
    answer = service.raw(HEAD + b"content-length: 100\r\n\r\nhalf of it")
    assert status(answer) == 408
    assert b"connection: close" in answer


def test_a_client_that_leaves_is_only_in_the_log(service):
    before = len(service.lines())
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(HEAD + b"content-length: 100\r\n\r\nhalf")
    while not any(line.get("status") == 499 for line in service.lines()[before:]):
        requests.get(service.url("/health"), timeout=20)


OURS = ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000", "192.168.1.7:8000", "Digits.Example:443"]
OTHERS = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:127.0.0.1", ""]


@pytest.mark.parametrize(("host", "expected"), [*((name, 200) for name in OURS), *((name, 421) for name in OTHERS)])
def test_a_name_that_is_not_ours_is_refused(service, host, expected):
    """A page of evil.example, whose name was pointed at this machine, sends evil.example as the host."""
    answer = service.raw(f"GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    assert status(answer) == expected


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("origin", ["evil.example", "127.0.0.1", "null", "evil.example://127.0.0.1:8000"])
def test_the_page_of_another_site_may_not_post(service, scheme, origin):
    headers = {"host": "127.0.0.1:8000"}
    for extra, expected in (
        ({}, 415),
        ({"origin": f"{scheme}://127.0.0.1:8000"}, 415),
        ({"origin": f"{scheme}://{origin}" if origin != "null" else origin}, 403),
    ):
        answer = requests.post(service.url("/predict"), data=b"x", headers=headers | extra, timeout=20)
        assert answer.status_code == expected
        assert requests.get(service.url("/health"), headers=headers | extra, timeout=20).status_code == 200


def ask(one, *chunks, headers=()):
    """Ask a gate, which is no server's; return what it sends."""
    sent = []
    messages = [
        {"type": "http.request", "body": chunk, "more_body": at < len(chunks) - 1} for at, chunk in enumerate(chunks)
    ]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost"), *headers]}
    asyncio.run(one(scope, receive, send))
    return sent


def test_the_application_gets_the_whole_body_at_once_and_it_is_let_go_after():
    seen = []

    async def app(scope, receive, send):
        seen.append((await receive(), one.held))
        raise RuntimeError("a bug")

    one = Gate(app, Telemetry())
    with pytest.raises(RuntimeError):
        ask(one, b"a", b"bc", b"")
    assert seen == [({"type": "http.request", "body": b"abc", "more_body": False}, 3)]
    assert one.held == 0


def test_bodies_share_their_memory():
    """While others are held, one for which there is no room is refused with a time to come back."""

    async def app(scope, receive, send):
        await receive()

    one = Gate(app, Telemetry())
    one.held = gate.HELD - 500
    (start, body) = ask(one, bytes(600))
    assert (start["status"], (b"retry-after", b"1") in start["headers"]) == (503, True)
    assert "busy" in json.loads(body["body"])["detail"]
    assert ask(one, bytes(400)) == []
    assert one.held == gate.HELD - 500
