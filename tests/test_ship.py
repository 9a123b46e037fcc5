"""What may be bundled with the package, and how it gets there."""

import json
import shutil
import sys

import numpy as np
import pytest
from benchmarks import ship

from tenfold import evaluate, predict, recipes, runs, statistics
from tenfold.errors import TenfoldError, UsageError
from tenfold.runs import Run


@pytest.fixture
def hands_is_small(monkeypatch, small):
    monkeypatch.setitem(recipes.RECIPES, "hands", lambda: small)


@pytest.fixture
def judged(hands_is_small, run):
    """A run of that recipe with both of its scores."""
    evaluate.evaluate([run], test=True, who="a test")
    return run


@pytest.fixture
def seeds(judged, sibling, tmp_path):
    """A folder with three of them."""
    members = [judged, *(sibling(f"seed{seed}", seed=seed) for seed in (1, 2))]
    evaluate.evaluate(members[1:], test=True, who="a test")
    folder = tmp_path / "seeds"
    for member in members:
        shutil.copytree(member.folder, folder / f"seed{member.recipe.seed}")
    return folder


@pytest.fixture
def program(monkeypatch, tmp_path):
    """`program(folder)` is what the command line does; it returns where the first and all of them are put."""
    places = tmp_path / "models" / "hands", tmp_path / "models" / "committee"
    monkeypatch.setattr(ship, "SHIPPED", places[0])
    monkeypatch.setattr(ship, "COMMITTEE", places[1])

    def call(folder):
        monkeypatch.setattr(sys, "argv", ["ship", str(folder)])
        ship.main()

    return call, places


def test_judged_runs_are_copied_byte_by_byte_and_nothing_else(seeds, program, capsys):
    call, (single, together) = program
    (together / "seed9").mkdir(parents=True)
    (together / "seed9" / runs.WEIGHTS).write_bytes(b"older")
    single.mkdir()
    (single / runs.ANSWERS).write_bytes(b"not needed")
    call(seeds)
    kept = (runs.WEIGHTS, runs.HISTORY, runs.SCORES, runs.ENVIRONMENT, runs.RECIPE)
    for place, source in ((single, "seed0"), (together / "seed1", "seed1"), (together / "seed2", "seed2")):
        assert {path.name: path.read_bytes() for path in place.iterdir()} == {
            name: (seeds / source / name).read_bytes() for name in kept
        }
    assert {path.name for path in together.iterdir()} == {"seed1", "seed2", runs.SCORES}
    said = capsys.readouterr().out
    assert f"{sum(path.stat().st_size for path in single.iterdir()):,} bytes  hands" in said
    assert "validation, committee of 3:" in said


def test_the_copies_answer_as_one(seeds, program, monkeypatch, mnist):
    call, places = program
    call(seeds)
    monkeypatch.setattr(predict, "SHIPPED", places[0])
    monkeypatch.setattr(predict, "COMMITTEE", places[1])
    reader = predict.open_reader()
    expected = statistics.committee(
        [evaluate.predict(Run(folder), mnist.images[:200]) for folder in seeds.glob("seed*")]
    )
    np.testing.assert_allclose(reader.model.answer(mnist.images[:200])[0], expected, atol=1e-4)
    assert reader.source == predict.BUNDLED
    names = [name for name, _ in reader.maps(mnist.images[0])]
    assert names == [name for name, _ in predict.open_reader(places[0]).maps(mnist.images[0])]  # those of the first


def test_one_run_is_no_committee(judged, program):
    call, places = program
    with pytest.raises(SystemExit, match="holds no committee: 0 runs"):
        call(judged.folder)
    assert not places[0].exists()


def test_another_seed_or_fine_tuning_will_do(judged, sibling):
    ship.require_shippable(sibling("seed7", seed=7))
    ship.require_shippable(sibling("tuned", initial_weights="0" * 64, epochs=1, learning_rate=0.001))


@pytest.mark.parametrize(
    ("fields", "reason"), [({"epochs": 3}, "another recipe than hands"), ({"rotation": 6}, "another recipe than hands")]
)
def test_another_recipe_is_refused(judged, sibling, fields, reason):
    with pytest.raises(UsageError, match=reason):
        ship.require_shippable(sibling("other", **fields))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_run_without_either_score_is_refused(judged, split):
    kept = [score.document() for score in judged.scores if score.split != split]
    (judged.folder / runs.SCORES).write_text(json.dumps(kept))
    with pytest.raises(UsageError, match="first: tenfold evaluate --test"):
        ship.require_shippable(judged)


def test_a_score_of_another_kind_is_none(judged):
    """A mean over shifted copies, say: nothing answers so where no model is named."""
    other = [score.document() | {"scoring": "shifted"} for score in judged.scores]
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


def test_what_is_refused_leaves_what_was_there(seeds, program):
    call, places = program
    (seeds / "seed1" / runs.WEIGHTS).unlink()
    with pytest.raises(SystemExit, match=r"no weights\.safetensors"):
        call(seeds)
    assert not any(place.exists() for place in places)
