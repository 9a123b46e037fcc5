import json

import numpy as np
import pytest
from scipy import stats

from tenfold import crossval, evaluate, recipes, runs, statistics, train
from tenfold.data import catalog, split
from tenfold.errors import DivergedError, InterruptError, TenfoldError, UsageError
from tenfold.progress import Progress


class Spy(Progress):
    """Keeps what was said, and presses Ctrl-C after so many lines."""

    def __init__(self, stop_after=None):
        self.lines, self.stop_after = [], stop_after

    def line(self, text):
        self.lines.append(text)
        if len(self.lines) == self.stop_after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def recipe(small):
    """A quarter of a second a fold: each trains on 2,000 of the 40,000 in the other folds, and answers 20,000."""
    return recipes.override(small, ["averaging=0", "rotation=0"])


@pytest.fixture(scope="module")
def done(recipe, tmp_path_factory):
    return crossval.crossval(recipe, 3, tmp_path_factory.mktemp("workspace") / "crossval")


def _same(one, other):
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    np.testing.assert_array_equal(one.fold, other.fold)
    assert one.entry == other.entry


def test_every_development_picture_is_answered_once(done, mnist):
    assert done.probabilities.shape == (60_000, 10)
    assert done.probabilities.dtype == np.float64
    np.testing.assert_allclose(done.probabilities.sum(1), 1)
    np.testing.assert_array_equal(done.labels, mnist.labels)
    for number, (_, held_out) in enumerate(split.folds(mnist.labels, 3, seed=0)):
        np.testing.assert_array_equal(np.flatnonzero(done.fold == number), held_out)


def test_the_scores_are_those_of_all_answers(done):
    correct = int((done.probabilities.argmax(1) == done.labels).sum())
    assert done.entry["split"] == "crossval"
    assert (done.entry["correct"], done.entry["total"]) == (correct, 60_000)
    assert done.entry["interval"] == list(statistics.wilson_interval(correct, 60_000))
    assert 0.9 < done.entry["accuracy"] < 1
    assert np.mean(done.fold_accuracies) == pytest.approx(done.entry["accuracy"])  # the folds are of one size
    assert len(set(done.fold_accuracies)) == 3
    assert done.seconds > 0


@pytest.mark.parametrize("size", [None, 400])
def test_a_fold_is_a_training_on_the_others_and_knows_nothing_of_it(recipe, mnist, size):
    """Against folds put together by hand, a framework's own logits and, for the answers, none of this module."""
    few = mnist.take(np.arange(1_500))
    whole = recipes.replace(recipe, train_size=size)
    result = crossval.out_of_fold(whole, few, 3)
    from tenfold.frameworks import pytorch

    for number, (others, held_out) in enumerate(split.folds(few.labels, 3, seed=0)):
        chosen, _ = split.split_indices(few.labels[others], 0, 0, size)
        *_, state = pytorch.train(whole, few.take(others[chosen]))
        module = pytorch.build(whole.layers(), state.weights())
        expected = pytorch.logits(module, few.images[held_out], "mnist")
        np.testing.assert_allclose(result.logits[held_out], expected, atol=1e-3)
        assert set(result.fold[held_out]) == {number}
    assert result.seconds.shape == (3,)


def test_models_can_start_from_given_weights(recipe, mnist, run):
    """Training that changes nothing leaves what the run knows; from random weights one answer in ten is right."""
    still = recipes.override(recipe, ["train_size=none", "epochs=0.1", "learning_rate=1e-9", "muon=0"])
    few = mnist.take(np.arange(1_000))
    result = crossval.out_of_fold(still, few, 2, begun=train.beginning(still, run.weights()))
    assert (result.logits.argmax(1) == few.labels).mean() > 0.9


@pytest.mark.slow
def test_labels_that_mean_nothing_cannot_be_answered(recipe, mnist):
    """A model that had seen what it answers for would know some of them: one answer in ten is chance."""
    few = mnist.take(np.arange(3_000))
    nonsense = split.Samples(few.images, np.random.default_rng(0).integers(0, 10, 3_000))
    result = crossval.out_of_fold(recipes.replace(recipe, train_size=None, epochs=10), nonsense, 2)
    right = int((result.logits.argmax(1) == nonsense.labels).sum())
    assert stats.binomtest(right, 3_000, 0.1).pvalue > 1e-4


def test_train_size_cuts_each_folds_pictures(recipe, mnist):
    """Another fold of the same size is another training: what it learns from is what was cut."""
    few = mnist.take(np.arange(1_500))
    cut = recipes.replace(recipe, train_size=200)
    held_out, _ = crossval.answer_fold(cut, 3, 0, "cpu", few)
    from tenfold.frameworks import pytorch

    others, held = next(split.folds(few.labels, 3, seed=0))
    chosen, _ = split.split_indices(few.labels[others], 0, 0, 200)
    *_, state = pytorch.train(cut, few.take(others[chosen]))
    expected = pytorch.logits(pytorch.build(cut.layers(), state.weights()), few.images[held], "mnist")
    np.testing.assert_allclose(held_out, expected, atol=1e-3)
    with pytest.raises(UsageError, match=r"train_size=50000 must be from 1 to the 45,000"):
        crossval.out_of_fold(recipes.replace(recipe, train_size=50_000), mnist, 4)


def test_the_folder_says_everything_without_tenfold(done, recipe):
    document = json.loads((done.folder / crossval.CROSSVAL).read_text())
    assert document["recipe"] == recipe.model_dump()
    assert (document["folds"], document["seed"]) == (3, recipe.split_seed)
    assert document["scores"] == [done.entry]
    assert document["fold_accuracies"] == done.fold_accuracies
    assert document["environment"]["precision"] == "float32"
    arrays, _ = runs.read_tensors(done.folder / crossval.PROBABILITIES)
    assert arrays.keys() == {"probabilities", "labels", "fold"}
    rows = json.loads((done.folder / crossval.DOUBTFUL).read_text())
    assert [row["picture"] for row in rows] == done.doubts.pictures.tolist()
    assert [row["margin"] for row in rows] == sorted(row["margin"] for row in rows)
    assert all(row["given"] == done.labels[row["picture"]] != row["suggested"] for row in rows)
    assert {path.name for path in done.folder.iterdir()} == {
        *(crossval.CROSSVAL, crossval.PROBABILITIES, crossval.DOUBTFUL, runs.LOCK)
    }


def test_a_finished_one_is_returned_as_it_stands(done, recipe):
    before = {path.name: path.stat().st_mtime_ns for path in done.folder.iterdir()}
    spy = Spy()
    _same(crossval.crossval(recipe, 3, done.folder, progress=spy), done)
    _same(crossval.load(done.folder), done)
    assert spy.lines == [f"{done.folder} is finished already"]
    assert {path.name: path.stat().st_mtime_ns for path in done.folder.iterdir()} == before


@pytest.mark.parametrize(("change", "k"), [({"seed": 1}, 3), ({}, 4), ({"split_seed": 1}, 3)])
def test_a_folder_of_another_is_refused(done, recipe, change, k):
    with pytest.raises(UsageError, match="of another recipe or number of folds; choose another --out"):
        crossval.crossval(recipes.replace(recipe, **change), k, done.folder)


def test_stopped_it_goes_on_after_the_folds_that_are_done(done, recipe, tmp_path):
    folder = tmp_path / "stopped"
    with pytest.raises(InterruptError, match=f"are kept in {folder}, run the same command"):
        crossval.crossval(recipe, 3, folder, progress=Spy(stop_after=2))
    assert sorted(path.name for path in folder.glob("fold-*")) == ["fold-1.safetensors", "fold-2.safetensors"]
    with pytest.raises(UsageError, match="was stopped; the command that began it goes on"):
        crossval.load(folder)
    kept, numbers = runs.read_tensors(folder / "fold-1.safetensors")
    runs.write_tensors(folder / "fold-1.safetensors", kept, numbers | {"seconds": 1_000.0})
    again = crossval.crossval(recipe, 3, folder)
    _same(again, done)
    assert 1_000 < again.seconds < 1_100  # the first fold is the one that was kept
    assert list(folder.glob("fold-*")) == []


@pytest.mark.slow
def test_processes_answer_as_one_does(done, recipe, tmp_path):
    _same(crossval.crossval(recipe, 3, tmp_path / "crossval", jobs=2), done)


def test_two_do_not_share_a_folder(recipe, tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / crossval.CROSSVAL).write_text("{}")
    with runs.locked(folder), pytest.raises(TenfoldError, match="another process"):
        crossval.crossval(recipe, 3, folder)


def test_what_cannot_be_done_leaves_no_folder(recipe, tmp_path):
    folder = tmp_path / "crossval"
    with pytest.raises(UsageError, match="1 folds make no sense"):
        crossval.crossval(recipe, 1, folder)
    with pytest.raises(UsageError, match="train_size=50000"):
        crossval.crossval(recipes.replace(recipe, train_size=50_000), 2, folder)
    assert not folder.exists()


def test_a_folder_that_is_none_or_damaged(run, tmp_path):
    with pytest.raises(UsageError, match=r"it has no crossval\.json"):
        crossval.load(run.folder)
    (tmp_path / crossval.CROSSVAL).write_text("{")
    with pytest.raises(TenfoldError, match="is damaged: it is not JSON"):
        crossval.load(tmp_path)


def test_a_loss_that_is_no_number_stops_it(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(recipes.Recipe, "schedule_shares", lambda self, steps: np.full(steps, 1e30))
    with pytest.raises(DivergedError):
        crossval.crossval(recipe, 3, tmp_path / "crossval")


def test_it_agrees_with_a_validation_split_of_the_same_recipe(done, recipe, tmp_path):
    """Both estimate the accuracy of this recipe on 2,000 pictures; one from 60,000 answers, one from 1,000."""
    (validation,) = evaluate.evaluate([train.train(recipe, tmp_path / "run")])
    low, high = validation.entry["interval"]
    assert low - 0.02 < done.entry["accuracy"] < high + 0.02
    assert done.entry["interval"][1] - done.entry["interval"][0] < (high - low) / 5


def test_by_default_it_goes_where_the_network_and_the_folds_say(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert crossval.crossval(recipe, 2).folder == runs.RUNS / "quick-crossval2"
    assert catalog.find(recipe.dataset).name == "mnist"
