"""The service beside the same model in a plain FastAPI handler and in LitServe. `python -m benchmarks.service`.

Each server is a process of its own on this machine, and so is the client: all share its cores. Three questions: how
many requests a second when every connection asks again at once; how long one takes when they come at a steady rate
(from when it was due, so that one that waits behind a slow one counts); what 100,000 requests do to the memory.

LitServe is measured where it is installed: `pip install litserve`.
"""

import argparse
import asyncio
import importlib.util
import io
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
import uvloop
from PIL import Image

from benchmarks import provenance
from tenfold import export, predict
from tenfold.cli._output import table
from tenfold.data import catalog
from tenfold.data.split import gate_pictures

HOST, PORT = "127.0.0.1", 8009
CONNECTIONS = 20
BOUNDARY = b"tenfold"
SERVERS = {
    "tenfold serve": ("tenfold", "serve", "MODEL", "--port", "PORT"),
    "plain FastAPI": ("benchmarks.plain_service", "MODEL", "PORT"),
    "LitServe": ("benchmarks.litserve_service", "MODEL", "PORT"),
}


class Client(asyncio.Protocol):
    """One connection that sends requests and notes the seconds until each is answered, and which failed."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.buffer = b""
        self.due: list[float] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the way to send."""
        self.transport = transport

    def ask(self, due: float) -> None:
        """Send the next request; `due` is when it should have been sent."""
        self.due.append(due)
        if len(self.due) == 1:
            self.transport.write(self.load.next_request())

    def data_received(self, data: bytes) -> None:
        """Take what came of an answer; when it is whole, note it and ask again."""
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.lower().index(b"content-length:") + 15
        length = int(self.buffer[at : self.buffer.index(b"\r\n", at)])
        if len(self.buffer) < head + 4 + length:
            return
        ok = self.buffer.startswith(b"HTTP/1.1 200")
        self.buffer = b""
        now = time.perf_counter()
        self.load.answered(ok, now - self.due.pop(0))
        if self.due:  # it was due while another was under way
            self.transport.write(self.load.next_request())
        elif self.load.rate is None and not self.load.over(now):
            self.ask(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was never answered."""
        self.load.errors += len(self.due)


class Load:
    """Requests from 20 connections for some seconds, or so many: as fast as they are answered, or at a rate."""

    def __init__(self, requests: list[bytes], seconds: float, rate: float | None = None, count: float = np.inf) -> None:
        self.requests, self.seconds, self.rate, self.count = requests, seconds, rate, count
        self.sent = self.errors = 0
        self.took: list[float] = []

    def next_request(self) -> bytes:
        """Return the bytes of the request that is next."""
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]

    def answered(self, ok: bool, seconds: float) -> None:
        """Note an answer."""
        self.took.append(seconds)
        self.errors += not ok

    def over(self, now: float) -> bool:
        """Whether no more is to be asked."""
        return now > self.start + self.seconds or self.sent >= self.count

    async def run(self) -> None:
        """Send them all, and wait for the answers."""
        loop = asyncio.get_running_loop()
        clients = [(await loop.create_connection(lambda: Client(self), HOST, PORT))[1] for _ in range(CONNECTIONS)]
        self.start = time.perf_counter()
        if self.rate is None:
            for client in clients:
                client.ask(self.start)
        else:
            for number in range(int(self.seconds * self.rate)):
                due = self.start + number / self.rate
                await asyncio.sleep(max(0, due - time.perf_counter()))
                clients[number % CONNECTIONS].ask(due)
        while any(client.due for client in clients):
            await asyncio.sleep(0.01)
        self.elapsed = time.perf_counter() - self.start
        for client in clients:
            client.transport.close()

    @property
    def a_second(self) -> float:
        """Requests answered a second."""
        return len(self.took) / self.elapsed


def ask(requests: list[bytes], seconds: float, rate: float | None = None, count: float = np.inf) -> Load:
    """Run a load against the server that is up, and return it."""
    load = Load(requests, seconds, rate, count)
    uvloop.run(load.run())
    return load


@contextmanager
def serving(name: str, model: Path) -> Iterator[tuple[psutil.Popen, float]]:
    """Give the process of a server that answers, and the seconds until it did."""
    here = {"MODEL": str(model), "PORT": str(PORT)}
    words = [here.get(word, word) for word in SERVERS[name]]
    start = time.perf_counter()
    with socket.create_server((HOST, PORT)):
        pass  # nobody else answers there
    with open(model.with_suffix(".log"), "w") as log:
        process = psutil.Popen([sys.executable, "-m", *words], stdout=log, stderr=log)
    try:
        while True:
            try:
                requests.get(f"http://{HOST}:{PORT}/health", timeout=1)
                break
            except requests.ConnectionError:
                if process.poll() is not None:
                    raise RuntimeError(model.with_suffix(".log").read_text()) from None
                time.sleep(0.01)
        yield process, time.perf_counter() - start
    finally:
        family = [process, *process.children(recursive=True)]  # LitServe leaves its own behind
        process.terminate()
        _, alive = psutil.wait_procs(family, 5)
        for one in alive:
            one.kill()


def as_body(content: bytes) -> bytes:
    """Return the request that sends a picture as the body."""
    head = (
        f"POST /predict HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: image/png\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def as_form(content: bytes, field: str) -> bytes:
    """Return the request that sends a picture in a form."""
    part = f'Content-Disposition: form-data; name="{field}"; filename="7.png"\r\nContent-Type: image/png\r\n\r\n'
    body = b"--" + BOUNDARY + b"\r\n" + part.encode() + content + b"\r\n--" + BOUNDARY + b"--\r\n"
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    head = f"POST /predict HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def pictures(count: int) -> list[bytes]:
    """Return development pictures as PNG files of 28×28."""
    contents = []
    for image in gate_pictures(catalog.MNIST)[:count]:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        contents.append(file.getvalue())
    return contents


def measure(model: Path, seconds: float, rate: float) -> None:
    """Ask every server by turns, and print a table."""
    contents = pictures(1_000)
    rows: list[Any] = []
    best: dict[str, Any] = {}
    for name in SERVERS:
        if name == "LitServe" and importlib.util.find_spec("litserve") is None:
            print("LitServe is not installed; without it")
            continue
        ways = {"form": [as_form(c, "request" if name == "LitServe" else "picture") for c in contents]}
        if name == "tenfold serve":
            ways = {"body": [as_body(c) for c in contents], **ways}
        with serving(name, model) as (_, ready):
            for way, messages in ways.items():
                ask(messages, 0.5)
                full = ask(messages, seconds)
                steady = ask(messages, seconds, rate)
                best[name] = max(best.get(name, 0), full.a_second)
                p50, p99 = (1e3 * np.quantile(steady.took, q) for q in (0.5, 0.99))
                rows.append(
                    [
                        f"{name}, {way}",
                        f"{full.a_second:,.0f}",
                        f"{1e3 * np.quantile(full.took, 0.5):.1f}",
                        f"{1e3 * np.quantile(full.took, 0.99):.1f}",
                        f"{steady.a_second:,.0f}",
                        f"{p50:.2f}",
                        f"{p99:.2f}",
                        str(full.errors + steady.errors),
                        f"{ready:.2f}",
                    ]
                )
    print(
        table(["server", "requests/s", "p50 ms", "p99 ms", "steady/s", "p50 ms", "p99 ms", "errors", "ready s"], rows)
    )
    for name, rate in best.items():
        print(f"tenfold serve / {name}: {best['tenfold serve'] / rate:.2f}")


def remember(model: Path, count: int, rounds: int = 5) -> None:
    """Send many requests, and print what the server's memory does."""
    messages = [as_body(content) for content in pictures(1_000)]
    with serving("tenfold serve", model) as (process, _):
        done = 0
        for at in range(rounds + 1):
            load = ask(messages, 1e9, count=count / rounds if at else 2_000)
            done += len(load.took)
            print(f"{done:,} requests: {process.memory_info().rss / 1e6:.1f} MB, {load.errors} errors", flush=True)


def main() -> None:
    """Measure a run, or the model that comes along."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path, help="an ONNX file from `tenfold export`")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=500, help="requests a second when one asks how long each takes")
    parser.add_argument("--memory", type=int, metavar="REQUESTS", help="ask so many, and watch the memory instead")
    words = parser.parse_args()
    print(provenance())
    with tempfile.TemporaryDirectory() as folder:
        model = words.model
        if model is None:
            model = Path(folder) / "model.onnx"
            export.export(predict.default_run(), model)
        if words.memory:
            remember(model, words.memory)
        else:
            measure(model, words.seconds, words.rate)


if __name__ == "__main__":
    main()
