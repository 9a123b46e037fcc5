"""A real scheduler and real worker processes of Dask: what dies is made up for, and the answers are the same bytes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

import waiting
from tenfold.data import idx
from tenfold.errors import TenfoldError
from tenfold.score import cluster, job

pytestmark = pytest.mark.slow
SHARDS, EACH = 60, 2_000
DEADLINE = 120  # seconds that anything here may take
until = partial(waiting.until, patience=DEADLINE)


@dataclass
class Cluster:
    """A scheduler, at an address, and its workers: processes of their own."""

    folder: Path
    processes: list[subprocess.Popen] = field(default_factory=list)

    def start(self, kind, *words):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *words]
        log = self.folder / f"{len(self.processes)}.log"
        with open(log, "w") as file:
            process = subprocess.Popen(command, cwd=self.folder, stdout=file, stderr=file)
        self.processes.append(process)
        return process

    def worker(self, *words):
        """Start a worker that nobody starts again when it dies."""
        alone = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
        return self.start("worker", self.address, *alone, *words)

    @property
    def address(self):
        file = self.folder / "scheduler.json"
        until(lambda: file.is_file() and file.read_text().endswith("}"))
        return json.loads(file.read_text())["address"]


@pytest.fixture
def dask(tmp_path):
    """A cluster of two workers on this machine."""
    folder = tmp_path / "dask"
    folder.mkdir()
    here = Cluster(folder)
    host = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(folder / "scheduler.json"))
    here.start("scheduler", *host)
    here.worker()
    here.worker()
    yield here
    for process in here.processes:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def many(mnist, tmp_path_factory):
    """A folder of which a job takes a while: sixty shards, the same pictures, with a file that is no picture."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "00.idx").write_bytes(idx.encode(mnist.images[:EACH]))
    for at in range(1, SHARDS):
        os.link(folder / "00.idx", folder / f"{at:02}.idx")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def here(reader, many, tmp_path_factory):
    """The same job on one machine, in one process."""
    out = tmp_path_factory.mktemp("here") / "scores"
    job.score(reader, str(many), out, jobs=1)
    return contents(out)


def contents(out):
    paths = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def parts(out):
    return len(list((out / "parts").glob("part-*.parquet")))


def test_a_worker_and_then_the_client_are_killed(dask, trained_once, many, here, tmp_path):
    """Nothing is lost, nothing is doubled, and all is what one machine says, bit for bit."""
    out = tmp_path / "scores"
    command = [sys.executable, "-m", "tenfold", "score", str(trained_once.folder), str(many), "--out", str(out)]
    command += ["--scheduler", dask.address]
    with waiting.running(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as client:
        until(lambda: parts(out) >= 3)
        dask.processes[1].kill()  # a worker, in the middle of a shard
        at = parts(out)
        until(lambda: parts(out) >= at + 4)  # the other goes on
        client.kill()
    assert not (out / "summary.json").exists()
    assert parts(out) < SHARDS
    dask.worker()  # one that joins later
    again = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert again.returncode == 0, again.stderr
    assert "shards are done already" in again.stderr
    assert "1 could not be read" in again.stdout
    assert contents(out) == here


def test_on_processes_of_this_machine(reader, many, here, tmp_path):
    job.score(reader, str(many), tmp_path / "out", scheduler="local", jobs=2)
    assert contents(tmp_path / "out") == here


DEADLY = """
import os
from tenfold.score import cluster, shard

def answer(orders, number, offset):
    if number == 3:
        os._exit(9)
    return shard.answer_planned(orders, number, offset)

cluster.answer_planned = answer
"""


def test_a_shard_that_kills_each_worker_is_given_up(dask, reader, many, tmp_path):
    """As one does that takes more memory than there is: the others are not run over for ever."""
    (tmp_path / "deadly.py").write_text(DEADLY)
    for process in dask.processes[1:]:
        process.kill()
    for _ in range(5):  # Dask gives up after the fourth
        dask.worker("--preload", str(tmp_path / "deadly.py"))
    with pytest.raises(TenfoldError, match="shard 3 was given up: every worker that tried it died"):
        job.score(reader, str(many), tmp_path / "out", scheduler=dask.address)


def test_a_folder_that_the_workers_do_not_share(dask, reader, many, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "part_path", lambda out, number: tmp_path / "elsewhere")
    with pytest.raises(TenfoldError, match="all machines must see it"):
        job.score(reader, str(many), tmp_path / "out", scheduler=dask.address)


def test_a_source_that_changed_ends_the_job(dask, reader, many, mnist, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "0.idx").write_bytes(idx.encode(mnist.images[:10]))
    job.score(reader, str(folder), tmp_path / "out", jobs=1)
    (tmp_path / "out" / "parts" / "part-000000.parquet").unlink()
    (folder / "0.idx").write_bytes(idx.encode(mnist.images[:11]))
    with pytest.raises(TenfoldError, match="the source has changed"):
        job.score(reader, str(folder), tmp_path / "out", scheduler=dask.address)


def test_no_scheduler_at_that_address(reader, many, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    for address in ("tcp://127.0.0.1:1", "nosuch://x"):
        with pytest.raises(TenfoldError, match=f"no Dask scheduler answers at {address}"):
            job.score(reader, str(many), tmp_path / "out", scheduler=address)
