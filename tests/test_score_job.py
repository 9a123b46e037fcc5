"""A job's folder: each shard once, whatever stops it; and the command as users run it."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

import waiting
from tenfold import predict
from tenfold.data import idx
from tenfold.errors import BusyError, DataError, InterruptError, TenfoldError, UsageError
from tenfold.progress import Progress
from tenfold.runs import locked
from tenfold.score import job, shard

FILES, EACH = 12, 40
DEADLINE = 120  # seconds that anything here may take
until = partial(waiting.until, patience=DEADLINE)


@pytest.fixture
def source(mnist, tmp_path):
    """A folder of twelve IDX files of forty pictures, a shard each."""
    folder = tmp_path / "source"
    folder.mkdir()
    for at in range(FILES):
        (folder / f"{at:03}.idx").write_bytes(idx.encode(mnist.images[at * EACH :][:EACH]))
    return folder


@pytest.fixture(scope="module")
def many(mnist, tmp_path_factory):
    """A folder of which a job takes some seconds: 150 shards of 2,000 pictures, the same ones."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "000.idx").write_bytes(idx.encode(mnist.images[:2_000]))
    for at in range(1, 150):
        os.link(folder / "000.idx", folder / f"{at:03}.idx")
    return folder


@pytest.fixture(scope="module")
def undisturbed(reader, many, tmp_path_factory):
    """The job that nobody disturbed."""
    out = tmp_path_factory.mktemp("undisturbed") / "scores"
    job.score(reader, str(many), out, jobs=1)
    return out


def contents(folder):
    """Return all that a job's folder holds, byte for byte, but for what says which model and source it was."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", job.JOB)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def started(folder, *words, **keywords):
    command = [sys.executable, "-m", "tenfold", "score", *map(str, words)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **keywords)


def parts(out):
    return len(list((out / "parts").glob("part-*.parquet"))) if out.is_dir() else 0


def test_the_same_again_does_nothing(reader, source, tmp_path):
    first = job.score(reader, str(source), tmp_path / "out", jobs=1)
    before = contents(tmp_path / "out")
    again = job.score(reader, str(source), tmp_path / "out", jobs=1)
    assert (first.pictures, again.pictures) == (FILES * EACH, 0)
    assert (first.summary, contents(tmp_path / "out")) == (again.summary, before)
    assert set(before) == {
        "model.onnx",
        "plan.jsonl",
        "summary.json",
        *(f"parts/part-{at:06}.parquet" for at in range(FILES)),
    }
    ids = pq.read_table(tmp_path / "out" / "parts")["id"].to_pylist()
    assert ids == [f"{file:03}.idx#{at}" for file in range(FILES) for at in range(EACH)]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_only_what_is_missing_is_done(reader, source, tmp_path, jobs):
    job.score(reader, str(source), tmp_path / "out", jobs=1)
    before = contents(tmp_path / "out")
    lost = [2, 7, 11]
    for number in lost:
        shard.part_path(tmp_path / "out", number).unlink()
    (tmp_path / "out" / "parts" / ".part-000002.parquet.0000.part").write_bytes(b"half")  # a killed writer's
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*") if path.name != job.SUMMARY}
    assert job.score(reader, str(source), tmp_path / "out", jobs=jobs).pictures == len(lost) * EACH
    assert {path: path.stat().st_mtime_ns for path in kept if path.exists()}.items() <= kept.items()
    assert contents(tmp_path / "out") == before


def test_another_job_in_the_same_folder_is_refused(reader, source, tmp_path):
    words = {"reader": reader, "source": str(source), "out": tmp_path / "out", "jobs": 1}
    job.score(**words)
    before = contents(tmp_path / "out")
    proto = type(reader.model.proto)()
    proto.CopyFrom(reader.model.proto)
    proto.doc_string += "another"
    other = predict.unpacked(proto.SerializeToString(), "other", 1)
    for change in ({"source": str(source / "000.idx")}, {"plain": True}, {"column": "image"}, {"reader": other}):
        with pytest.raises(UsageError, match="holds another job"):
            job.score(**words | change)
    with locked(tmp_path / "out"), pytest.raises(BusyError):
        job.score(**words)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    with pytest.raises(UsageError, match=r"letter\.txt"):
        job.score(**words | {"out": tmp_path / "mine"})
    assert contents(tmp_path / "out") == before
    (tmp_path / "out" / "job.json").write_text("{")
    with pytest.raises(TenfoldError, match="damaged"):
        job.score(**words)


def test_a_source_that_changed_is_noticed(reader, source, mnist, tmp_path):
    job.score(reader, str(source), tmp_path / "out", jobs=1)
    before = contents(tmp_path / "out")
    shard.part_path(tmp_path / "out", 3).unlink()
    (source / "003.idx").write_bytes(idx.encode(mnist.images[: EACH + 1]))
    with pytest.raises(DataError, match=r"003.idx has .* the source has changed"):
        job.score(reader, str(source), tmp_path / "out", jobs=1)
    (source / "003.idx").unlink()
    with pytest.raises(DataError, match="no longer exists"):
        job.score(reader, str(source), tmp_path / "out", jobs=1)
    (source / "003.idx").write_bytes(idx.encode(mnist.images[3 * EACH :][:EACH]))
    job.score(reader, str(source), tmp_path / "out", jobs=1)
    assert contents(tmp_path / "out") == before


def test_a_stop_says_how_to_go_on(reader, source, tmp_path):

    class Spy(Progress):
        @contextmanager
        def board(self):
            yield self.show

        def show(self, text):
            if text.startswith("200 of"):
                raise KeyboardInterrupt

    with pytest.raises(InterruptError, match="5 of 12 shards are done; run the same command"):
        job.score(reader, str(source), tmp_path / "out", jobs=1, progress=Spy())
    assert parts(tmp_path / "out") == 5


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [None, "local"])
def test_several_processes_answer_as_one_does(reader, many, undisturbed, tmp_path, scheduler):
    job.score(reader, str(many), tmp_path / "out", scheduler, jobs=2)
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.fixture
def words(trained_once, many, tmp_path):
    return [trained_once.folder, many, "--out", tmp_path / "out", "--jobs", 2]


@pytest.mark.slow
def test_the_whole_command_killed_and_started_again(words, undisturbed, tmp_path):
    """Twice, with no chance to say goodbye: its processes end with it, nothing is lost or doubled."""
    for at_least in (2, 20):
        process = started(tmp_path, *words)
        until(lambda: parts(tmp_path / "out") >= at_least, process)  # noqa: B023
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.kill()
        process.communicate()
        until(lambda: not any(child.is_running() and child.status() != "zombie" for child in _there(children)))  # noqa: B023
        assert parts(tmp_path / "out") < 150
        assert not (tmp_path / "out" / "summary.json").exists()
    process = started(tmp_path, *words)
    out, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, error
    assert "shards are already done" in error
    assert out.rstrip().endswith(f"wrote {tmp_path / 'out'}")
    assert contents(tmp_path / "out") == contents(undisturbed)


def _there(processes):
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.status()
            yield process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_processes_and_keeps_what_is_done(words, tmp_path, number):
    """As a terminal sends it: to all processes at once."""
    process = started(tmp_path, *words, start_new_session=True)
    until(lambda: parts(tmp_path / "out") >= 2, process)
    children = psutil.Process(process.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, error
    assert "run the same command to resume" in error
    assert "Traceback" not in error
    _, left = psutil.wait_procs(children, timeout=DEADLINE)
    assert not left
    assert 2 <= parts(tmp_path / "out") < 150


@pytest.mark.slow
def test_worker_processes_that_are_killed_are_replaced(words, undisturbed, tmp_path):
    process = started(tmp_path, *words, "--json")
    for at_least in (2, 20):
        until(lambda: parts(tmp_path / "out") >= at_least, process)  # noqa: B023
        workers = [one for one in psutil.Process(process.pid).children() if "tenfold.pool" in one.cmdline()]
        workers[0].kill()
    out, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, error
    assert "Traceback" not in error
    assert json.loads(out)["summary"]["pictures"] == 300_000
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.slow
def test_the_command_line(cli, source, trained_once, tmp_path):
    (source / "x.txt").write_text("no picture")
    words = ["score", trained_once.folder, source, "--out", "scores", "--jobs", 1]
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    assert "1 could not be read" in done.stdout
    document = json.loads(cli(*words, "--json").stdout)
    kept = json.loads((tmp_path / "scores" / "summary.json").read_text())
    assert document["summary"] == {key: kept[key] for key in document["summary"]}
    assert (document["pictures"], document["folder"]) == (0, "scores")
    for wrong, status in (
        ([trained_once.folder], 2),
        (["a", "b", "c"], 2),
        ([trained_once.folder, "nowhere"], 3),
        ([trained_once.folder, source / "x.txt"], 1),
    ):
        refused = cli("score", *wrong, "--out", "x")
        assert (refused.returncode, refused.stdout) == (status, ""), refused.stderr
    assert not Path(tmp_path / "x" / "job.json").exists()
