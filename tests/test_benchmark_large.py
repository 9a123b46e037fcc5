"""The measurements behind docs/large-data.md, at a small size."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def _lines(*words):
    result = subprocess.run([sys.executable, "-m", *map(str, words)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_from_a_file_and_from_memory(tmp_path):
    sizes = ["--pictures", 20_000, "--in-memory", 5_000, "--steps", 20, "--turns", 1, "--limit", 4]
    lines = _lines("benchmarks.memory", "--recipes", "quick", *sizes, "--folder", tmp_path)
    (row,) = [line for line in lines if line.startswith("quick")]
    assert re.fullmatch(r"quick +[\d,]+ /s +[\d,]+ /s +\d+%( +[\d,]+){4}( +\d\.\d{4}){2}", row)
    assert list(tmp_path.iterdir()) == []
