"""Worker processes: what they are told, how they end, and that none is left behind."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tenfold.errors import DataError, InterruptError, TenfoldError, UsageError
from tenfold.tune import workers
from tenfold.tune.workers import cores, started, wait

TOLD = """
import json, os, sys
line = sys.stdin.readline()
threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
seen = {"orders": json.loads(line), "words": sys.argv, "threads": threads, "password": "s3cret" in str(os.environ)}
open(json.loads(line)["workspace"] + f"/{os.getpid()}.json", "w").write(json.dumps(seen))
"""
PATIENT = TOLD + "sys.stdin.read()\n"  # as long as its parent wants it


@pytest.fixture
def program(monkeypatch):
    """`program("...")` is what the workers run in place of theirs, which takes two seconds to load PyTorch."""

    def instead(text):
        popen = subprocess.Popen

        def other(command, **named):
            assert command == [sys.executable, "-m", "tenfold.tune.worker"]
            return popen([sys.executable, "-S", "-c", text], **named)

        monkeypatch.setattr(workers.subprocess, "Popen", other)
        monkeypatch.setattr(workers, "REFRESH", 0.01)

    return instead


def _seen(folder):
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


def _pids(processes):
    return [process.popen.pid for process in processes]


def _gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_each_is_told_its_orders_where_nobody_else_can_read_them(asked, orders, program, tmp_path):
    program(TOLD)
    told = [orders(asked(), url="postgresql://me:s3cret@host/db"), orders(asked(seed=1), study="other", trials=4)]
    with started(told) as processes:
        assert wait(processes, lambda: None) == []
    seen = _seen(tmp_path / "runs")
    assert {one["orders"]["study"] for one in seen} == {"study", "other"}
    assert {one["orders"]["budget"]["trials"] for one in seen} == {None, 4}
    assert all(one["words"] == ["-c"] and not one["password"] for one in seen)


@pytest.mark.parametrize(("jobs", "threads"), [(1, "6"), (2, "3"), (4, "1"), (9, "1")])
def test_they_share_the_cores(asked, orders, program, tmp_path, monkeypatch, jobs, threads):
    monkeypatch.setattr(workers, "cores", lambda: 6)
    program(TOLD)
    with started([orders(asked())] * jobs) as processes:
        wait(processes, lambda: None)
    seen = _seen(tmp_path / "runs")
    assert len(seen) == jobs
    assert all(set(one["threads"].values()) == {threads} for one in seen)


def test_the_cores_are_those_that_this_process_may_use():
    assert cores() == int(subprocess.check_output(["nproc"], text=True, env=os.environ | {"OMP_NUM_THREADS": ""}))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, TenfoldError("the disk is full")])
def test_when_the_block_ends_they_end_by_themselves(asked, orders, program, error):
    """The end of their input is enough: none needs a signal."""
    program(PATIENT)
    with (
        pytest.raises((KeyboardInterrupt, TenfoldError)) if error else started([]),
        started([orders(asked())] * 2) as two,
    ):
        assert [process.popen.poll() for process in two] == [None, None]
        if error:
            raise error
    assert [process.popen.returncode for process in two] == [0, 0]
    assert all(map(_gone, _pids(two)))


def test_whoever_waits_looks_meanwhile(asked, orders, program):
    program(PATIENT)
    looks = []

    def look():
        looks.append(1)
        if len(looks) == 3:
            for process in processes:
                process.stop()

    with started([orders(asked())] * 2) as processes:
        assert wait(processes, look) == []
    assert len(looks) >= 3


def test_ctrl_c_while_they_work_is_said_so(asked, orders, program):
    program(PATIENT)

    def pressed():
        raise KeyboardInterrupt

    with pytest.raises(InterruptError, match="the same command goes on"), started([orders(asked())]) as processes:
        wait(processes, pressed)
    assert all(map(_gone, _pids(processes)))


@pytest.mark.parametrize(
    ("ending", "kind", "text"),
    [
        ("sys.stderr.write('the disk is full'); sys.exit(1)", TenfoldError, "the disk is full"),
        ("sys.stderr.write('no such network'); sys.exit(2)", UsageError, "no such network"),
        ("sys.stderr.write('no pictures'); sys.exit(3)", DataError, "no pictures"),
        ("sys.stderr.write('stopped'); sys.exit(130)", InterruptError, "stopped"),
        ("1 / 0", TenfoldError, "ZeroDivisionError"),  # a bug shows its traceback
        ("os.kill(os.getpid(), 9)", TenfoldError, "a worker was killed by signal 9; the same command goes on"),
    ],
)
def test_why_one_ended_early(asked, orders, program, ending, kind, text):
    program(TOLD + ending)
    with started([orders(asked())]) as processes:
        (loss,) = wait(processes, lambda: None)
    assert type(loss) is kind
    assert text in str(loss)


def test_one_that_ends_before_it_hears_its_orders(asked, orders, program):
    program("import sys; sys.exit('cannot begin')")
    long = replace(orders(asked()), question={"longer than a pipe holds": "x" * 200_000})
    with started([long] * 2) as processes:
        losses = wait(processes, lambda: None)
    assert [str(loss) for loss in losses] == ["cannot begin"] * 2


def test_what_a_worker_prints_does_not_disturb_a_json_document(asked, orders, program, capfd):
    program(TOLD + "print('hello'); print('there', file=sys.stderr)")
    with started([orders(asked())]) as processes:
        wait(processes, lambda: None)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_the_program_itself_says_nothing(asked, orders):
    """With all that could warn: groups of TPE, brackets of Hyperband, a network that is drawn."""
    space = {
        "network": {"choices": ["quick", "mlp"]},
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "label_smoothing": {"low": 0.0, "high": 0.3, "step": 0.1},
        "quick.dropout": {"low": 0.0, "high": 0.3},
    }
    with started([orders(asked("tpe", space, prune="hyperband"), trials=14)]) as processes:
        assert wait(processes, lambda: None) == []
        processes[0].said.seek(0)
        assert processes[0].said.read() == b""
