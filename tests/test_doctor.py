import importlib
import os
import shutil

import pytest

import tenfold
from tenfold import doctor
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


def test_runs_cannot_go_into_a_file(cli, tmp_path):
    (tmp_path / "file").write_text("")
    asked = cli("doctor", "--out", tmp_path / "file" / "runs")
    assert (asked.returncode, "!!  runs" in asked.stdout) == (1, True)


@pytest.mark.parametrize(
    ("set_by_user", "expected"),
    [
        ({}, "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "passive"}, None),
        ({"OMP_WAIT_POLICY": ""}, "1000"),
    ],
)
def test_threads_wait_briefly_unless_the_user_says_otherwise(monkeypatch, mnist, tmp_path, set_by_user, expected):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in set_by_user.items():
        monkeypatch.setenv(name, value)
    importlib.reload(tenfold)
    assert os.environ.get("GOMP_SPINCOUNT") == expected
    assert (expected or "passive") in _found(tmp_path)["threads"].state
