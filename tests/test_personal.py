"""A run learns a hand: what it brings is measured on drawings that no model saw, what it costs on known pictures."""

import dataclasses
import shutil

import numpy as np
import pytest

from tenfold import crossval, evaluate, frameworks, personal, recipes, runs, train
from tenfold.data import catalog, folder, split
from tenfold.data.split import Samples
from tenfold.errors import DataError, InterruptError, UsageError
from tenfold.runs import Run
from waiting import interrupted


@pytest.fixture
def hand(few, own_cache, as_pngs):
    """Digits as nobody writes them: they lie on their side. Three of each."""
    turned = Samples(np.rot90(few.images, axes=(1, 2)).copy(), few.labels).take(np.arange(100) % 10 < 3)
    dataset, _ = folder.read(as_pngs(turned, "mine"), plain=True, like=catalog.MNIST)
    return dataset


@pytest.fixture(scope="module")
def learnt_once():
    return []


@pytest.fixture
def personalised(run, hand, tmp_path, learnt_once):
    """The result of adapting to a handwriting: made by the first test that asks, copied for the others."""
    place = tmp_path / "workspace" / "learnt"
    if not learnt_once:
        learnt_once.append(personal.personalise(run, hand, place))
    result = learnt_once[0]
    if result.run.folder != place:
        shutil.copytree(result.run.folder, place)
    return dataclasses.replace(result, run=Run(place))


@pytest.mark.slow
def test_a_hand_is_learnt_and_the_rest_is_not_forgotten(run, personalised, mnist):
    result = personalised
    assert result.own.before.total == result.own.after.total == 30
    assert result.own.before.correct + 5 <= result.own.after.correct
    assert result.known.before.total == 1_000
    assert result.known.after.accuracy > result.known.before.accuracy - 0.02
    before, after = evaluate.evaluate([run, result.run])  # the same pictures: neither was trained on them
    assert (before.score, after.score) == (result.known.before, result.known.after)
    assert before.pictures == after.pictures


def test_the_run_that_it_begins_with_is_only_read(run, hand, tmp_path):
    """The bundled one lies where nobody may write."""
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    result = personal.personalise(run, hand, tmp_path / "learnt", ["epochs=0.1", "extra_repeats=1"])
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
    assert result.run.scores == [result.known.after]
    assert result.known.before == evaluate.validate(run).score


@pytest.mark.slow
def test_the_figure_is_that_of_drawings_that_no_model_saw(run, hand):
    """With labels that follow from nothing, whoever saw them would be right, and whoever did not is not."""
    drawings = split.development(hand)
    labels = np.random.default_rng(0).permutation(drawings.labels)
    nonsense = Samples(drawings.images, labels)
    recipe = recipes.override(personal.recipe_for(run, hand), ["epochs=6", "train_size=500", "extra_repeats=20"])
    known = train.split_for(recipes.replace(recipe, extra=None)).train
    begun = train.beginning(recipe, run.weights())
    whole = recipes.replace(recipe, train_size=None)
    answers = crossval.out_of_fold(whole, nonsense, personal.FOLDS, known=known, begun=begun).logits.argmax(1)
    assert (answers == labels).mean() < 0.4
    *_, state = frameworks.fit(recipe, known.extended(nonsense, 20), resume=begun)
    runs.write_tensors(run.folder / runs.WEIGHTS, state.weights())
    assert (evaluate.predict(run, drawings.images).argmax(1) == labels).mean() > 0.6


@pytest.mark.slow
def test_its_recipe_says_all(run, hand, personalised):
    recipe = personalised.run.recipe
    assert recipe == Run(personalised.run.folder).recipe
    assert (recipe.dataset, recipe.extra, recipe.extra_repeats) == ("mnist", hand.name, 34)
    assert (recipe.validation_size, recipe.split_seed) == (run.recipe.validation_size, run.recipe.split_seed)
    assert recipe.initial_weights == runs.weights_hash(run.weights())
    pictures = train.split_for(recipe)
    assert len(pictures.train) == personal.KNOWN + 30 * 34
    drawings = {image.tobytes() for image in split.development(hand).images}
    assert sum(image.tobytes() in drawings for image in pictures.train.images) == 30 * 34
    validation = {image.tobytes() for image in evaluate.validation_pictures(run).images}
    assert not any(image.tobytes() in validation for image in pictures.train.images)


@pytest.mark.slow
def test_stopped_and_resumed_it_has_the_same_bits(run, hand, personalised, tmp_path):
    with pytest.raises(InterruptError, match="after step 21"), interrupted(21):
        train.train(personalised.run.recipe, tmp_path / "stopped", initial=run.weights())
    resumed = train.resume(tmp_path / "stopped")
    for name, value in personalised.run.weights().items():
        np.testing.assert_array_equal(resumed.weights()[name], value)


def test_drawings_of_other_classes_or_too_few(run, few, own_cache, as_pngs, tmp_path):
    letters, _ = folder.read(as_pngs(few, "letters", "abcdefghij"), plain=True)
    four, _ = folder.read(as_pngs(few.take(np.arange(4)), "four"), plain=True, like=catalog.MNIST)
    for drawings, error in ((letters, UsageError), (four, DataError)):
        with pytest.raises(error):
            personal.personalise(run, drawings, tmp_path / "learnt")
    assert not (tmp_path / "learnt").exists()
    with pytest.raises(UsageError):
        train.split_for(recipes.replace(run.recipe, extra=letters.name))
