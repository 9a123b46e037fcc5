import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tenfold import evaluate, recipes, runs, train
from tenfold.data import catalog, folder
from tenfold.errors import DataError, TenfoldError
from tenfold.runs import Run
from tenfold.scores import Score
from tenfold.suited import suited
from waiting import running


def test_a_finished_run_reads_back(run, small):
    assert run.finished
    assert run.recipe == small
    assert [line["epoch"] for line in run.history if "validation_loss" in line] == [1, 2]
    assert run.environment["precision"] == "float32"
    assert run.environment["train_seconds"] > 0
    assert run.checkpoint() is None
    assert sorted(path.name for path in run.folder.iterdir() if path.name != ".lock") == [
        "answers.safetensors",
        "environment.json",
        "history.jsonl",
        "recipe.json",
        "weights.safetensors",
    ]


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("recipe.json", lambda folder: Run(folder)),
        ("environment.json", lambda folder: Run(folder).environment),
        ("weights.safetensors", lambda folder: Run(folder).weights()),
    ],
)
def test_a_missing_file_is_named(run, name, ask):
    (run.folder / name).unlink()
    with pytest.raises(TenfoldError, match=rf"not a run folder|{name}"):
        ask(run.folder)


class Bomb:
    def __reduce__(self):
        return (print, ("the pickle ran",))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_in_place_of_weights_is_refused_unopened(run, protocol, capsys):
    (run.folder / runs.WEIGHTS).write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(TenfoldError, match="not a safetensors file"):
        run.weights()
    assert "the pickle ran" not in capsys.readouterr().out


@pytest.mark.parametrize("harm", [lambda b: b[:-7], lambda b: b[:20], lambda b: b"", lambda b: b"\xff" * 8 + b[8:]])
def test_damaged_weights_are_refused(run, harm):
    path = run.folder / runs.WEIGHTS
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(TenfoldError, match="not a safetensors file"):
        run.weights()


def test_answers_are_there_or_not(run):
    answers = run.answers()
    assert (answers.shape, answers.dtype) == ((10_000, 10), np.float32)
    runs.write_tensors(run.folder / runs.ANSWERS, {"something": answers})
    assert run.answers() is None
    (run.folder / runs.ANSWERS).unlink()
    assert run.answers() is None


def test_scores_of_the_same_split_take_the_place_of_older_ones(run):
    for right, name in enumerate(("validation", "test", "validation"), 1):
        run.save_score(Score(split=name, confusion=((right, *[0] * 9), *[(0,) * 10] * 9)))
    assert [(score.split, score.correct) for score in run.scores] == [("test", 2), ("validation", 3)]


def test_the_lock_keeps_others_out_and_goes_with_its_process(tmp_path):
    program = """
import sys
from pathlib import Path
from tenfold import runs
with runs.locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(TenfoldError, match="another process is training into"), runs.locked(tmp_path):
            pass
        holder.kill()
    with runs.locked(tmp_path):
        pass


@pytest.fixture
def own(few, as_pngs, own_cache, tmp_path):
    """A run on a folder of pictures, and the folder."""
    root = as_pngs(few, "letters", "abcdefghij")
    recipe = suited(recipes.quick(), folder.read(root)[0], ["epochs=1", "precision=float32"])
    return train.train(recipe, tmp_path / "runs" / "own"), root


def test_a_run_on_own_pictures_is_read_where_they_are_not(own, few, own_cache, monkeypatch):
    run, root = own
    here = evaluate.predict(run, few.images)
    monkeypatch.delitem(catalog.CATALOG, run.recipe.dataset)
    shutil.rmtree(own_cache / run.recipe.dataset)  # another machine
    elsewhere = Run(run.folder)
    np.testing.assert_array_equal(evaluate.predict(elsewhere, few.images), here)
    assert catalog.find(elsewhere.recipe.dataset).classes == tuple("abcdefghij")
    for test in (False, True):
        with pytest.raises(DataError, match="tenfold data"):
            evaluate.evaluate([elsewhere], test=test)
    folder.read(root)
    assert evaluate.evaluate([elsewhere], test=True)[0].score.total == 20


def test_resuming_does_not_need_the_folder(own, few, as_pngs, own_cache):
    """It was changed meanwhile; what was read of it is in the cache."""
    run, root = own
    folder_of_again = run.folder.with_name("again")
    folder_of_again.mkdir()
    again = runs.create(run.recipe, run.environment, folder_of_again)
    shutil.rmtree(root)
    as_pngs(few.take(np.arange(50)), "letters", "abcdefghij")
    for name, value in train.resume(again.folder).weights().items():
        np.testing.assert_array_equal(value, run.weights()[name])
