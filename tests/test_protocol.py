"""Who is too slow is cut off: by a real socket."""

import socket
import time
from contextlib import ExitStack, suppress

import pytest
import requests
from starlette.responses import PlainTextResponse

from tenfold.serve import server

GET = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"


def last_status(answer):
    return int(answer[answer.rindex(b"HTTP/1.1 ") :].split(b" ", 2)[1])


@pytest.mark.parametrize(
    "said",
    [b"", b"GET", b"GET /health HTTP/1.1\r\nhost: local", GET[:-2], GET + b"GET /hea"],
    ids=["nothing", "a word", "half a header", "no end", "half a second request"],
)
def test_headers_that_do_not_come_are_not_waited_for(service, monkeypatch, said):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.05)
    answer = service.raw(said)
    assert last_status(answer) == 408
    assert answer.count(b"HTTP/1.1 200 OK") == said.count(GET)
    assert b"connection: close" in answer


def test_empty_lines_do_not_keep_a_connection(service, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(GET)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")
        assert connection.recv(1) == b""


def test_a_connection_that_waits_for_its_next_request_is_not_hurried(service, monkeypatch):
    """The time for headers begins with them: 20 requests on one connection, each after the time of the one before."""
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", service.port), timeout=0.1) as connection:
        connection.sendall(GET)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(GET)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_headers_may_be_so_long_and_no_longer(service):
    def with_header(size):
        return b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: " + b"y" * size + b"\r\n\r\n"

    assert last_status(service.raw(with_header(20_000))) == 200
    endless = b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 200_000
    for flood in (endless, b"GET /" + b"x" * 1_000_000):
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
            try:
                connection.sendall(flood)
                answer = connection.recv(65_536)
            except OSError:  # it was cut off while it talked
                continue
            assert b" 431 " in answer


def test_headers_after_a_body_in_one_packet_count_alone(service):
    body = bytes(57_000)
    post = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    last = GET[:-2] + b"connection: close\r\nx: " + b"y" * 20_000 + b"\r\n\r\n"
    assert last_status(service.raw(post + last)) == 200


CHUNKED = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (GET[:-2] + b"x: " + b"y" * 100_000 + b"\r\n\r\n", 431),
        (GET[:-2] + b"x: y\r\n" * 10_000 + b"\r\n", 431),
        (CHUNKED + b"1;" + b"x" * 100_000, 431),
        (CHUNKED + b"1\r\nx\r\n" * 50_000, 431),
        (CHUNKED + b"0\r\nx: " + b"y" * 100_000, 431),
        (CHUNKED + b"1\r\nx\r\n0\r\nhost: evil.example\r\n\r\n", 400),
        (CHUNKED + b"1\r\nx\r\n0\r\n" + b"x: y\r\n" * 50_000, 400),
        (GET[:-2] + b"host: evil.example\r\n\r\n", 400),
        (GET[:-2] + b"origin: http://localhost\r\norigin: http://localhost\r\n\r\n", 400),
    ],
    ids=[
        "one",
        "many",
        "extension",
        "tiny chunks",
        "endless trailer",
        "trailer",
        "trailers",
        "two hosts",
        "two origins",
    ],
)
def test_all_that_is_no_body_is_counted_and_nothing_comes_twice_or_late(service, said, status):
    before = len(service.lines())
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        answer = b""
        with suppress(OSError):  # it may be cut off while it talks
            connection.sendall(said)
            while chunk := connection.recv(65_536):
                answer += chunk
    if answer or len(said) < 10_000:
        assert last_status(answer) == status
    assert requests.get(service.url("/health"), timeout=20).ok
    assert not any(line.get("path") == "/predict" and line["status"] < 499 for line in service.lines()[before:])


def test_so_many_connections_and_no_more(service, monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 5)
    with ExitStack() as stack:
        answers = []
        for _ in range(8):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
            connection.sendall(GET)
            answers.append(connection.recv(65_536))
        refused = [answer for answer in answers if not answer.startswith(b"HTTP/1.1 200")]
        assert 3 <= len(refused) <= 7  # of other tests, some may not be closed yet
        assert all(answer.startswith(b"HTTP/1.1 503") and b"retry-after: 1\r\n" in answer for answer in refused)
    monkeypatch.undo()
    assert requests.get(service.url("/health"), timeout=20).status_code == 200


def is_cut_off(port, said):
    """Say that, read nothing, and return whether the connection ends within some seconds."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", port))
        try:
            connection.sendall(said)
            for _ in range(250):
                time.sleep(0.02)
                connection.sendall(b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return True
    return False


def test_a_client_that_does_not_read_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(server, "READ_SECONDS", 0.05)
    assert is_cut_off(int(served(PlainTextResponse(bytes(8_000_000))).rpartition(":")[2]), GET)


def test_a_client_that_asks_without_end_is_cut_off(service, monkeypatch):
    """Each request that was answered let 256 kB more of requests wait."""
    monkeypatch.setattr(server, "READ_SECONDS", 0.05)
    before = len(service.lines())
    assert is_cut_off(service.port, GET * 100_000)
    assert len(service.lines()) - before < 10_000


def test_what_is_no_http_is_refused(service):
    assert last_status(service.raw(b"\x16\x03\x01 hello\r\n\r\n")) == 400
