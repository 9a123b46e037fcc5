import json

import numpy as np
import pytest
from scipy import stats

from tenfold import crossval, recipes, runs, statistics
from tenfold.data import split
from tenfold.errors import InterruptError, TenfoldError, UsageError
from waiting import Spy


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
    assert one.score == other.score


def test_every_development_picture_is_answered_once(done, mnist):
    assert done.probabilities.shape == (60_000, 10)
    assert done.probabilities.dtype == np.float64
    np.testing.assert_allclose(done.probabilities.sum(1), 1)
    np.testing.assert_array_equal(done.labels, mnist.labels)
    for number, (_, held_out) in enumerate(split.folds(mnist.labels, 3, seed=0)):
        np.testing.assert_array_equal(np.flatnonzero(done.fold == number), held_out)


def test_the_scores_are_those_of_all_answers(done):
    correct = int((done.probabilities.argmax(1) == done.labels).sum())
    assert done.score.split == "crossval"
    assert (done.score.correct, done.score.total) == (correct, 60_000)
    assert done.score.interval == statistics.wilson_interval(correct, 60_000)
    assert 0.9 < done.score.accuracy < 1
    assert np.mean(done.fold_accuracies) == pytest.approx(done.score.accuracy)  # the folds are of one size
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


@pytest.mark.slow
def test_labels_that_mean_nothing_cannot_be_answered(recipe, mnist):
    """A model that had seen what it answers for would know some of them: one answer in ten is chance."""
    few = mnist.take(np.arange(3_000))
    nonsense = split.Samples(few.images, np.random.default_rng(0).integers(0, 10, 3_000))
    result = crossval.out_of_fold(recipes.replace(recipe, train_size=None, epochs=10), nonsense, 2)
    right = int((result.logits.argmax(1) == nonsense.labels).sum())
    assert stats.binomtest(right, 3_000, 0.1).pvalue > 1e-4


def test_the_folder_says_everything_without_tenfold(done, recipe):
    document = json.loads((done.folder / crossval.CROSSVAL).read_text())
    assert document["recipe"] == recipe.model_dump()
    assert (document["folds"], document["seed"]) == (3, recipe.split_seed)
    assert document["scores"] == [done.score.document()]
    assert document["fold_accuracies"] == done.fold_accuracies
    rows = json.loads((done.folder / crossval.DOUBTFUL).read_text())
    assert [row["picture"] for row in rows] == done.doubts.pictures.tolist()
    assert [row["margin"] for row in rows] == sorted(row["margin"] for row in rows)
    assert all(row["given"] == done.labels[row["picture"]] != row["suggested"] for row in rows)


def test_a_finished_one_is_returned_as_it_stands(done, recipe):
    before = {path.name: path.stat().st_mtime_ns for path in done.folder.iterdir()}
    _same(crossval.crossval(recipe, 3, done.folder), done)
    _same(crossval.load(done.folder), done)
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
    with pytest.raises(UsageError, match="unfinished"):
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
    (tmp_path / crossval.CROSSVAL).write_text("{")
    with runs.locked(tmp_path), pytest.raises(TenfoldError, match="another process"):
        crossval.crossval(recipe, 3, tmp_path)
    with pytest.raises(TenfoldError, match="is damaged"):
        crossval.load(tmp_path)
