"""Every option and argument of every verb with every bad value, from the program's own declarations.

No cache of datasets can be made here, so what is not refused ends with that or is done in a moment.
"""

import re
import shutil
import time

import pytest
from PIL import Image
from typer.main import get_command

from tenfold.cli import app

VERBS = get_command(app).commands
HUGE = "99999999999999999999"
NUMBERS = ["", "0", "-1", HUGE, "nan", "1e400", "abc"]
PATHS = ["", "nowhere/there", "folder", "file", "/proc/none", "x" * 300, "-"]
TEXTS = [
    "",
    "nope",
    "=",
    "==1",
    "\udcff",
    "x" * 5_000,
    "../..",
    HUGE,
    "seed=nan",
    "seed=",
    "epochs=inf",
    "batch_size=0",
]
KEPT = re.compile(r"\.?lock$|^life-1\.json$")  # locks, and the life that goes on once there are data
# What each verb needs besides; a service is never begun.
BASE = {
    "run": [],
    "doctor": [],
    "data": [],
    "baseline": ["ridge"],
    "train": ["--out", "out"],
    "evaluate": ["run"],
    "tune": ["--trials", "1", "--jobs", "1"],
    "crossval": ["--folds", "2", "--jobs", "1"],
    "report": ["run", "--out", "page.html"],
    "export": ["run", "--out", "model.onnx"],
    "predict": ["run", "seven.png"],
    "score": ["run", "folder", "--out", "scores", "--jobs", "1"],
    "serve": ["nowhere"],
}


def _values(parameter):
    kind = str(parameter.type_descriptor.annotation)
    if "int" in kind or "float" in kind:
        return NUMBERS
    return PATHS if "Path" in kind else TEXTS


def _option(parameter):
    return parameter.param_type_name == "option"


def _words(verb, parameter, value):
    if _option(parameter):
        return [verb, *BASE[verb], parameter.opts[0], value]
    return [verb, value, *BASE[verb][1:]]


CASES = [
    (verb, parameter)
    for verb, command in VERBS.items()
    for parameter in command.params
    if not (_option(parameter) and parameter.is_flag)
]


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "parameter"), CASES, ids=[f"{verb} {one.opts[0]}" for verb, one in CASES])
def test_any_value_ends_in_a_line(cli, run, tmp_path, verb, parameter):
    shutil.move(run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "workspace")
    (tmp_path / "folder").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "seven.png")
    shutil.copy(tmp_path / "seven.png", tmp_path / "folder")
    (tmp_path / "file").write_text("nothing of interest")
    before = set(tmp_path.rglob("*"))
    for value in _values(parameter):
        words = _words(verb, parameter, value)
        start = time.monotonic()
        result = cli(*words, TENFOLD_CACHE=str(tmp_path / "file" / "cache"))
        said = [line for line in result.stderr.splitlines() if line.startswith(("tenfold:", "Traceback"))]
        assert result.returncode in (0, 1, 2, 3), (words, result.stderr)
        assert time.monotonic() - start < 20, words
        if result.returncode:
            assert len(said) <= 1, (words, result.stderr)
            left = {path for path in tmp_path.rglob("*") if path.is_file() and not KEPT.search(path.name)} - before
            assert not left, (words, left)
        else:
            for path in tmp_path.iterdir():
                if path not in before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert all(path.exists() for path in before), words
