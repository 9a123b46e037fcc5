"""The service as a process: how it starts, what it says, how it stops."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from starlette.responses import PlainTextResponse

from hiding import hiding
from tenfold import evaluate
from tenfold.errors import TenfoldError
from tenfold.serve import server
from tenfold.serve.gate import Gate
from tenfold.serve.telemetry import Telemetry
from waiting import running


def test_a_port_that_is_taken_is_said_plainly(service):
    for host, port in (("127.0.0.1", service.port), ("no such host", 0)):
        with pytest.raises(TenfoldError, match="cannot listen"):
            server.listen(host, port)


@pytest.mark.parametrize("path", ["/", "/health", "/model", "/metrics", "/none", "/openapi.json"])
def test_every_answer_is_fenced_in(service, path):
    headers = requests.get(service.url(path), timeout=20).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cache-control"] == "no-cache"
    assert "server" not in headers
    assert not any(name.startswith("access-control") for name in map(str.lower, headers))


def test_requests_under_way_are_answered_when_it_is_told_to_stop():
    begun, go_on = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        begun.set()
        await asyncio.to_thread(go_on.wait, 20)
        await PlainTextResponse("answered")(scope, receive, send)

    with server.listen("127.0.0.1", 0) as listener, ThreadPoolExecutor(2) as pool:
        running = server.Server(server.configuration(Gate(app, Telemetry())))
        stopped = pool.submit(running.run, [listener])
        asked = pool.submit(requests.post, server.url(listener), data=b"x", timeout=20)
        assert begun.wait(20)
        running.handle_exit(signal.SIGTERM, None)
        assert not stopped.done()
        go_on.set()
        assert asked.result().text == "answered"
        stopped.result(timeout=20)
    assert running.stopped_by == signal.SIGTERM


PROGRAM = f"""
{hiding(["torch", "tensorflow", "keras", "sklearn", "matplotlib"])}
sys.argv = ["tenfold", "serve", *sys.argv[1:]]
from tenfold.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number", "status"),
    [("small", signal.SIGTERM, 0), ("small", signal.SIGINT, 130), ("bundled model", signal.SIGTERM, 0)],
)
def test_it_serves_without_a_framework_and_stops_when_it_is_told(run, mnist, name, number, status):
    """The bundled model answers where none is named."""
    evaluate.evaluate([run])
    command = [sys.executable, "-c", PROGRAM, *([str(run.folder)] if name == "small" else []), "--port", "0"]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        url = re.match(rf"serving {name} on (http://127\.0\.0\.1:\d+); Ctrl-C stops it", said)[1]
        with requests.Session() as kept:  # a connection that is kept open does not keep it from stopping
            answer = kept.post(f"{url}/predict", json=mnist.images[0].tolist(), timeout=20)
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
    assert answer.json()["digit"]
    assert (process.returncode, out) == (status, "")
    (line,) = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert (line["path"], line["status"]) == ("/predict", 200)
    assert "Traceback" not in err
