"""Processes that are really killed, at moments of their own."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tenfold import runs, train
from tenfold.runs import Run
from waiting import running

pytestmark = pytest.mark.slow
WORDS = [
    *("train", "--set", "train_size=4000", "--set", "validation_size=1000", "--set", "epochs=6"),
    *("--set", "averaging=0.9", "--set", "precision=float32", "--set", "rotation=5"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run([sys.executable, "-m", "tenfold", *WORDS, "--out", str(folder)], check=True, capture_output=True)
    return Run(folder)


def _killed_after(lines, number, folder):
    """Start a training, kill it when it has said so many epochs, and return its exit status."""
    command = [sys.executable, "-m", "tenfold", *WORDS, "--out", str(folder)]
    with running(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        said = 0
        for line in process.stderr:
            said += line.startswith("epoch")
            if said == lines:
                os.kill(process.pid, number)
                break
        return process.wait(), process.stderr.read()


@pytest.mark.parametrize(
    ("number", "lines"), [(signal.SIGTERM, 1), (signal.SIGINT, 4), (signal.SIGKILL, 1), (signal.SIGKILL, 4)]
)
def test_a_killed_training_goes_on_with_the_same_bits(whole, tmp_path, number, lines):
    folder = tmp_path / "run"
    status, said = _killed_after(lines, number, folder)
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 130
        assert f"tenfold train --resume {folder}" in said
        assert "Traceback" not in said
    halfway = Run(folder)
    assert not halfway.finished
    assert len(halfway.history) >= lines
    train.resume(folder)
    assert (folder / runs.WEIGHTS).read_bytes() == (whole.folder / runs.WEIGHTS).read_bytes()
    steps = [line["step"] for line in halfway.history]
    assert steps == [line["step"] for line in whole.history]
    assert [path.name for path in folder.iterdir() if path.name.endswith(".part")] == []


def test_a_life_that_is_killed_goes_on(tmp_path):
    command = [sys.executable, "-m", "tenfold", "run", "--minutes", "0.02"]
    with running(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if line.startswith("training"):
                process.kill()
                break
    resume = [sys.executable, "-m", "tenfold", "run", "--resume", "runs/life-1.json", "--json"]
    result = subprocess.run(resume, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["table"][-1]["test"]["accuracy"] > 0.98
