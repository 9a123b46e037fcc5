"""A cross-validation that is really killed goes on after the folds that were done."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from tenfold import crossval, recipes
from waiting import running

pytestmark = pytest.mark.slow
SETTINGS = ["train_size=3000", "precision=float32"]
PROGRAM = f"""
import sys
from pathlib import Path
from tenfold import crossval, errors, progress, recipes
recipe = recipes.override(recipes.quick(), {SETTINGS})
try:
    crossval.crossval(recipe, 4, Path(sys.argv[1]), jobs=int(sys.argv[2]), progress=progress.Lines())
except errors.TenfoldError as error:
    print(error, file=sys.stderr)
    raise SystemExit(error.status)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The one that nobody disturbed."""
    recipe = recipes.override(recipes.quick(), SETTINGS)
    return crossval.crossval(recipe, 4, tmp_path_factory.mktemp("whole") / "crossval")


@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, 1), (signal.SIGKILL, 1), (signal.SIGINT, 2)])
def test_a_killed_crossval_goes_on_with_the_same_bits(whole, tmp_path, number, jobs):
    folder = tmp_path / "crossval"
    command = [sys.executable, "-c", PROGRAM, str(folder), str(jobs)]
    with running(command, stderr=subprocess.PIPE, text=True) as process:
        said = [line for line, _ in zip(process.stderr, range(3), strict=False)]  # the title and two folds
        process.send_signal(number)
        rest = process.stderr.read()
    assert said[-1].startswith("fold ")
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert f"kept in {folder}" in rest
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("fold-*")}
    assert 2 <= len(kept) < 4
    assert json.loads((folder / crossval.CROSSVAL).read_text())["scores"] == []
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr.count("fold ") == 4
    again = crossval.load(folder)
    np.testing.assert_array_equal(again.probabilities, whole.probabilities)
    assert again.score == whole.score
    assert (folder / crossval.DOUBTFUL).read_bytes() == (whole.folder / crossval.DOUBTFUL).read_bytes()
    assert [path.name for path in folder.iterdir() if path.name.endswith((".part", ".safetensors"))] == [
        crossval.PROBABILITIES
    ]
