"""Searches whose processes are really killed, in the midst of trials: none is lost, none is done twice."""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from tenfold import runs
from tenfold.tune.cache import FILE
from waiting import until

pytestmark = pytest.mark.slow
SIZES = ["train_size=500", "validation_size=500", "network.width=4", "epochs=8", "precision=float32"]
SPACE = "[learning_rate]\nchoices = [0.01, 0.03, 0.1]\n[batch_size]\nchoices = [64, 128]\n"
WORDS = ["tune", "--search", "grid", "--space", "space.toml", "--jobs", "2", "--study", "study", "--json"]
WORDS += [word for size in SIZES for word in ("--set", size)]
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def begin():
    """`begin(folder)` starts a search in a process group of its own, as a terminal does."""
    begun = []

    def start(folder):
        (folder / "space.toml").write_text(SPACE)
        command = [sys.executable, "-m", "tenfold", *WORDS]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        begun.append(subprocess.Popen(command, cwd=folder, process_group=0, **pipes))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def undisturbed(begin, tmp_path_factory):
    """The result of an undisturbed search."""
    process = begin(tmp_path_factory.mktemp("undisturbed"))
    written, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return json.loads(written)


def _workers(process):
    alive = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "tenfold.pool" in child.cmdline():
                alive.append(child)
    return alive


def _reached(folder, at, process):
    """Wait until the journal has so many lines, finished runs of the final included, and return the workers."""
    journal = folder / "runs" / "study" / "journal.jsonl"

    def count():
        return (journal.read_bytes().count(b"\n") if journal.exists() else 0) + len(list(folder.rglob(runs.WEIGHTS)))

    until(lambda: count() >= at, process)
    return until(lambda: _workers(process))


def _same(found, undisturbed, folder):
    """Check that each point was trained once, and all is as where nobody disturbed it; the seconds apart."""
    keys = ("number", "point", "state", "accuracy")
    trials = [[[trial[key] for key in keys] for trial in document["trials"]] for document in (found, undisturbed)]
    assert trials[0] == trials[1]
    finals = [[model["accuracies"] for model in document["final"]["models"]] for document in (found, undisturbed)]
    assert finals[0] == finals[1]
    identities = [json.loads(line)["identity"] for line in (folder / "runs" / FILE).read_text().splitlines()]
    assert len(identities) == len(set(identities)) == 6


def test_workers_that_are_killed_are_replaced(begin, undisturbed, tmp_path):
    """In the trials and in the final; the command goes on without a word."""
    process = begin(tmp_path)
    for at in (6, 40):
        random.Random(at).choice(_reached(tmp_path, at, process)).kill()
    written, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    _same(json.loads(written), undisturbed, tmp_path)


@pytest.mark.parametrize("kind", ["parent", "Ctrl-C"])
def test_the_same_command_goes_on_whatever_was_killed(begin, undisturbed, tmp_path, kind):
    for at in (6, 30):
        process = begin(tmp_path)
        workers = _reached(tmp_path, at, process)
        if kind == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.kill()
        _, said = process.communicate(timeout=PATIENCE)
        psutil.wait_procs(workers, timeout=PATIENCE)
        assert not any(worker.is_running() for worker in workers)
        if kind == "Ctrl-C":
            assert process.returncode == 130
            assert said.rstrip().endswith("run the same command to resume")
            assert "Traceback" not in said
    process = begin(tmp_path)
    written, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    _same(json.loads(written), undisturbed, tmp_path)
