import re
import shutil
from collections import namedtuple

import pytest
from typer.testing import CliRunner

from tenfold import doctor
from tenfold.cli import app
from tenfold.cli import doctor as doctor_verb
from tenfold.data import catalog, download


def _found(workspace):
    return {finding.subject: finding for finding in doctor.examine(workspace)}


def test_a_machine_that_has_all_is_fine(mnist, tmp_path):
    found = _found(tmp_path)
    assert all(finding.fine for finding in found.values())
    assert found["mnist"].state.startswith("verified in")
    assert "torch 2.13.0" in found["pytorch"].state
    assert found["report"].state == "installed"
    assert list(tmp_path.iterdir()) == []


def test_data_is_looked_for_and_not_fetched(mnist, tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "mnist"
    cache.mkdir(parents=True)
    shutil.copy(download.cache_folder(catalog.MNIST) / "train-labels-idx1-ubyte", cache)
    (cache / "train-images-idx3-ubyte").write_bytes(b"damaged")
    monkeypatch.setenv("TENFOLD_CACHE", str(cache.parent))
    found = _found(tmp_path)
    assert "train-images" in found["mnist"].state
    assert "train-labels" not in found["mnist"].state
    assert found["mnist"].advice == "tenfold data mnist"
    assert len(list(cache.iterdir())) == 2


def test_a_disk_that_is_nearly_full(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    found = _found(tmp_path / "runs")
    assert not found["runs"].fine
    assert "--out" in found["runs"].advice
    text = doctor_verb.text(found.values())
    assert "!!  runs" in text
    assert "→ make room" in text


def test_runs_cannot_go_into_a_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert not _found(file / "runs")["runs"].fine
    asked = CliRunner().invoke(app, ["doctor", "--out", str(file / "runs")])
    assert (asked.exit_code, "!!  runs" in asked.output) == (1, True)


@pytest.mark.slow
def test_a_probe_tells_device_threads_and_precision(tmp_path):
    found = {finding.subject: finding for finding in doctor.examine(tmp_path, probe=True)}
    for framework in ("pytorch", "tensorflow"):
        assert re.search(r" on cpu, \d+ threads; trains quick in \w*float", found[framework].state)
