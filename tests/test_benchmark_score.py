import json
import re
import subprocess
import sys

import numpy as np
import pytest
from benchmarks import score
from PIL import Image

from tenfold.data import idx
from waiting import running


@pytest.mark.slow
def test_made_pictures_are_those_of_development(tmp_path):
    path = score.make_idx(tmp_path, 12_000)
    images = idx.decode(path.read_bytes(), 3, path.name)
    assert np.array_equal(images[:2_000], images[10_000:])
    pngs = sorted(score.make_png(tmp_path, 30).rglob("*.png"))
    assert [path.name for path in pngs][::29] == ["0000.png", "0029.png"]
    assert all(np.array_equal(np.asarray(Image.open(path)), image) for path, image in zip(pngs, images, strict=False))
    assert score.decode_files(pngs) == 30
    assert score.decode_groups(score.make_parquet(tmp_path, 30), [0]) == 30


def test_memory_is_that_of_all_processes(monkeypatch):
    """Forty MB in a process, sixty in its child; they end once they were seen."""
    child = "import sys; hold = bytearray(b'1') * 60_000_000; sys.stdin.read()"
    parent = f"""
import subprocess, sys
hold = bytearray(b"1") * 40_000_000
subprocess.run([sys.executable, "-S", "-c", {child!r}])
"""
    look = score.resident

    def seen(one):
        size = look(one)
        if one.pid != process.pid and size > 60_000_000:
            process.stdin.close()
        return size

    monkeypatch.setattr(score, "resident", seen)
    with running([sys.executable, "-S", "-c", parent], stdin=subprocess.PIPE) as process:
        assert 100 < score.watched(process) < 250


def test_the_headline_is_of_what_was_measured():
    def row(kind, pictures, seconds):
        return {"kind": kind, "pictures": pictures, "seconds": seconds}

    rows = [row("png", 1_000, 1), row("idx", 100_000, 4), row("idx", 1_000_000, 22), row("idx", 10_000, 2.2)]
    begin, each = score.fitted(rows, "idx")
    assert (begin, each) == (pytest.approx(2), pytest.approx(2e-5))
    assert score.finding(rows) == ("IDX: 45,455 pictures a second; 2.0 s to begin, 20.0 s a million: off by 0% at most")
    assert score.finding(rows[:1]) == "PNG files: 1,000 pictures a second"
    rows[1]["seconds"] = 5  # no line any more
    assert int(re.search(r"off by (\d+)% at most", score.finding(rows))[1]) > 5


@pytest.mark.slow
def test_each_kind_is_measured(run, tmp_path, monkeypatch, capsys):
    numbers, picture = tmp_path / "numbers.json", tmp_path / "figure.png"
    words = ["--model", str(run.folder), "--sizes", "50", "100", "--most-encoded", "50", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", ["score", *words, "--json", str(numbers), "--figure", str(picture)])
    score.main()
    rows = json.loads(numbers.read_text())["rows"]
    assert [(row["kind"], row["pictures"]) for row in rows] == [("idx", 50), ("idx", 100), ("png", 50), ("parquet", 50)]
    assert all(row["seconds"] > 0 and row["peak"] > 50 and row["bytes"] > 1 for row in rows)
    assert [row["decoding"] is None for row in rows] == [True, True, False, False]
    assert "decoding alone" in capsys.readouterr().out
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 1_000
