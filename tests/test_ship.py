"""What may come along with the package, and how it gets there."""

import json
import sys

import pytest
from benchmarks import ship

from tenfold import evaluate, recipes, runs
from tenfold.errors import TenfoldError, UsageError
from tenfold.runs import Run


@pytest.fixture
def best_is_small(monkeypatch, small):
    monkeypatch.setitem(recipes.RECIPES, "best", lambda: small)


@pytest.fixture
def judged(best_is_small, run):
    """A run of that recipe with both of its scores."""
    evaluate.evaluate([run], test=True, who="a test")
    return run


def _program(monkeypatch, folder, out):
    monkeypatch.setattr(ship, "SHIPPED", out)
    monkeypatch.setattr(sys, "argv", ["ship", str(folder)])
    ship.main()


def test_a_judged_run_is_copied_byte_by_byte_and_nothing_else(judged, tmp_path, monkeypatch, capsys):
    out = tmp_path / "models" / "best"
    out.mkdir(parents=True)
    (out / runs.WEIGHTS).write_bytes(b"older")
    (out / runs.ANSWERS).write_bytes(b"not needed")
    _program(monkeypatch, judged.folder, out)
    copied = {path.name: path.read_bytes() for path in out.iterdir()}
    assert copied.keys() == {runs.WEIGHTS, runs.HISTORY, runs.SCORES, runs.ENVIRONMENT, runs.RECIPE}
    assert copied == {name: (judged.folder / name).read_bytes() for name in copied}
    said = capsys.readouterr().out
    assert f"{len(copied[runs.WEIGHTS]):,} bytes  {runs.WEIGHTS}" in said
    assert f"{sum(map(len, copied.values())):,} bytes  all of it" in said
    assert (Run(out).recipe, Run(out).scores) == (judged.recipe, judged.scores)


def test_another_seed_will_do(judged, sibling):
    ship.require_shippable(sibling("seed7", seed=7))


@pytest.mark.parametrize(
    ("fields", "reason"), [({"epochs": 3}, "another recipe than best"), ({"rotation": 6}, "another recipe than best")]
)
def test_another_recipe_is_refused(judged, sibling, fields, reason):
    with pytest.raises(UsageError, match=reason):
        ship.require_shippable(sibling("other", **fields))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_run_without_either_score_is_refused(judged, split):
    kept = [entry for entry in judged.scores if entry["split"] != split]
    (judged.folder / runs.SCORES).write_text(json.dumps(kept))
    with pytest.raises(UsageError, match="first: tenfold evaluate --test"):
        ship.require_shippable(judged)


def test_a_score_of_another_kind_is_none(judged):
    """A mean over shifted copies, say: nothing answers so where no model is named."""
    other = [entry | {"scoring": "shifted"} for entry in judged.scores]
    (judged.folder / runs.SCORES).write_text(json.dumps(other))
    with pytest.raises(UsageError, match="lacks scores"):
        ship.require_shippable(judged)


def test_a_run_that_is_not_finished_is_refused(judged):
    (judged.folder / runs.WEIGHTS).unlink()
    with pytest.raises(UsageError, match=r"no weights\.safetensors"):
        ship.require_shippable(judged)


@pytest.mark.parametrize("times", [0, 2])
def test_an_odd_history_is_refused(judged, times):
    history = judged.folder / runs.HISTORY
    history.write_bytes(history.read_bytes() * times)
    with pytest.raises(UsageError, match="not that of one training"):
        ship.require_shippable(judged)
    history.write_text("{")
    with pytest.raises(TenfoldError, match="damaged"):
        ship.require_shippable(judged)


def test_what_is_refused_leaves_what_was_there(run, best_is_small, tmp_path, monkeypatch):
    for folder, reason in ((run.folder, "lacks scores"), (tmp_path, "is not a run folder")):
        with pytest.raises(SystemExit, match=reason):
            _program(monkeypatch, folder, tmp_path / "best")
    assert not (tmp_path / "best").exists()
