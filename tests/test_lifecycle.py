import json

import numpy as np
import pytest
from filelock import FileLock

from tenfold import lifecycle, recipes, runs
from tenfold.data.split import LEDGER
from tenfold.errors import BusyError, UsageError
from tenfold.progress import Progress
from tenfold.runs import Run


@pytest.fixture
def recorded(tmp_path, small):
    """A life as it stands in its file before anything is done, at a size that takes seconds."""
    models = [recipes.replace(small, seed=seed) for seed in (0, 1)]
    models.append(recipes.override(small, ["network=mlp", "epochs=0.1"]))
    file = tmp_path / "runs" / "life-1.json"
    file.parent.mkdir()
    life = {
        "dataset": "mnist",
        "device": "auto",
        "minutes": None,
        "baseline_names": ["majority", "ridge"],
        "recipes": [model.model_dump() for model in models],
        "report": False,
    }
    file.write_text(json.dumps(life))
    return file


@pytest.mark.slow
def test_a_life_from_plan_to_test(recorded):
    life = lifecycle.resume(recorded)
    assert life.chosen.name == "life-1-quick-seed0"
    rows = list(life.table())
    assert [row["model"] for row in rows] == [
        "majority class",
        "ridge regression",
        "life-1-quick-seed0",
        "life-1-quick-seed1",
        "life-1-mlp-seed0",
    ]
    assert [row.get("chosen", False) for row in rows] == [False, False, True, False, False]
    assert all(row["test"]["total"] == 10_000 for row in rows[2:])
    assert not any("test" in row for row in rows[:2])
    (line,) = (recorded.parent / LEDGER).read_text().splitlines()
    assert json.loads(line)["who"] == "tenfold run, life-1"


@pytest.mark.slow
def test_a_life_that_stopped_goes_on_and_does_nothing_twice(recorded, monkeypatch):
    monkeypatch.setattr(lifecycle.evaluate, "choose", _fail)
    with pytest.raises(RuntimeError):
        lifecycle.resume(recorded)
    monkeypatch.undo()
    first = recorded.parent / "life-1-quick-seed0"
    weights = (first / runs.WEIGHTS).stat().st_mtime_ns
    fitted = json.loads(recorded.read_text())["baselines"]
    (recorded.parent / "life-1-mlp-seed0" / runs.WEIGHTS).unlink()
    life = lifecycle.resume(recorded)
    assert (first / runs.WEIGHTS).stat().st_mtime_ns == weights
    assert life.baselines == fitted
    assert Run(recorded.parent / "life-1-mlp-seed0").finished
    again = lifecycle.resume(recorded)
    assert list(again.table()) == list(life.table())
    assert len((recorded.parent / LEDGER).read_text().splitlines()) == 1


def _fail(*_):
    raise RuntimeError


@pytest.mark.parametrize(("seconds", "seeds", "epochs"), [(1, 1, 0), (40, 3, None), (1e6, 3, 10)])
def test_a_plan_fits_its_budget(monkeypatch, seconds, seeds, epochs):
    step = {"quick": lifecycle.REFERENCE_STEP, "standard": 0.011}
    monkeypatch.setattr(lifecycle.train, "seconds_per_step", lambda recipe, *_: step[recipe.network])
    models = [recipes.replace(recipes.quick(), seed=seed) for seed in range(3)] + [recipes.standard()]
    plan = lifecycle._fit_into(seconds, models, "cpu", Progress())
    names, chosen = plan.baselines, plan.recipes
    quick = [model for model in chosen if model.network == "quick"]
    standard = [model for model in chosen if model.network == "standard"]
    assert plan.report == (seconds > 100)
    assert len(quick) == seeds
    if epochs == 0:
        assert standard == []
        assert names == []
    elif epochs is None:
        assert 0 < standard[0].epochs < 10
        cost = sum(lifecycle.baselines.BASELINES[name].seconds for name in names)
        cost += sum(step[model.network] * model.steps(55_000) for model in chosen) + lifecycle.OVERHEAD
        assert cost <= seconds
    else:
        assert standard[0].epochs == recipes.standard().epochs
        assert names == list(lifecycle.baselines.BASELINES)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_a_budget_that_is_none_is_refused(minutes, tmp_path):
    with pytest.raises(UsageError, match="must be positive"):
        lifecycle.live(workspace=tmp_path / "runs", minutes=minutes)
    assert not (tmp_path / "runs").exists()


def test_what_is_no_life_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no"):
        lifecycle.resume(tmp_path / "life-1.json")
    (tmp_path / "life-1.json").write_text("")
    with pytest.raises(UsageError, match="does not describe a life"):
        lifecycle.resume(tmp_path / "life-1.json")


def test_a_second_process_keeps_out_of_a_life(recorded):
    before = recorded.read_text()
    with FileLock(recorded.with_name(".life-1.lock")), pytest.raises(BusyError):
        lifecycle.resume(recorded)
    assert recorded.read_text() == before


def test_lives_are_numbered(tmp_path):
    assert [lifecycle._new_file(tmp_path).name for _ in range(3)] == ["life-1.json", "life-2.json", "life-3.json"]


@pytest.mark.slow
def test_the_smallest_life_on_all_pictures(tmp_path):
    life = lifecycle.live(workspace=tmp_path, minutes=0.02)
    test = next(entry for entry in life.chosen.scores if entry["split"] == "test")
    assert test["accuracy"] > 0.98
    assert np.isfinite(life.chosen.environment["train_seconds"])
