import json

import pytest
from filelock import FileLock

from tenfold import lifecycle, recipes, runs
from tenfold.data.split import LEDGER
from tenfold.errors import BusyError
from tenfold.life import LifeFile
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
    rows = life.table()
    assert [row.model for row in rows] == [
        "majority class",
        "ridge regression",
        "life-1-quick-seed0",
        "life-1-quick-seed1",
        "life-1-mlp-seed0",
    ]
    assert [row.chosen for row in rows] == [False, False, True, False, False]
    assert all(row.test.total == 10_000 for row in rows[2:])
    assert not any(row.test for row in rows[:2])
    (line,) = (recorded.parent / LEDGER).read_text().splitlines()
    assert json.loads(line)["who"] == "tenfold run, life-1"


@pytest.mark.slow
def test_a_life_that_stopped_goes_on_and_does_nothing_twice(recorded):
    lifecycle.resume(recorded)
    first = recorded.parent / "life-1-quick-seed0"
    weights = (first / runs.WEIGHTS).stat().st_mtime_ns
    fitted = json.loads(recorded.read_text())["baselines"]
    (recorded.parent / "life-1-mlp-seed0" / runs.WEIGHTS).unlink()
    life = lifecycle.resume(recorded)
    assert (first / runs.WEIGHTS).stat().st_mtime_ns == weights
    assert [score.document() for score in life.baselines] == fitted
    assert Run(recorded.parent / "life-1-mlp-seed0").finished
    again = lifecycle.resume(recorded)
    assert list(again.table()) == life.table()


def test_two_processes_do_not_plan_a_life_at_once(tmp_path):
    """Else each would plan one of its own, and the test set be opened for both."""
    with FileLock(tmp_path / lifecycle.PLANNING), pytest.raises(BusyError):
        lifecycle.live(workspace=tmp_path, minutes=1)
    assert list(tmp_path.glob("life-*")) == []


def test_a_second_process_keeps_out_of_a_life(recorded):
    before = recorded.read_text()
    with FileLock(recorded.with_name(".life-1.lock")), pytest.raises(BusyError):
        lifecycle.resume(recorded)
    assert recorded.read_text() == before


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "seeds", "whole"), [(1, 1, False), (1e6, 3, True)])
def test_a_plan_fits_its_budget(seconds, seeds, whole):
    models = [recipes.replace(recipes.quick(), seed=seed) for seed in range(3)] + [recipes.standard()]
    names = list(lifecycle.baselines.BASELINES)
    asked = LifeFile(dataset="mnist", device="cpu", minutes=1, baseline_names=names, recipes=models, report=True)
    plan = lifecycle._fit_into(asked, seconds, Progress())
    assert [model.network for model in plan.recipes].count("quick") == seeds
    assert (recipes.standard() in plan.recipes) == plan.report == whole
    assert plan.baseline_names == (names if whole else [])
