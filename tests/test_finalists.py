"""The best two on fresh seeds."""

import numpy as np
import pytest
from scipy import stats

from tenfold import recipes, runs, train
from tenfold.errors import UsageError
from tenfold.tune import finalists
from tenfold.tune.study import Trial, ranked

pytestmark = pytest.mark.usefixtures("read")
TRIALS = [
    Trial(0, {"learning_rate": 0.03, "batch_size": 64}, "complete", 0.9),
    Trial(1, {"learning_rate": 0.01, "batch_size": 64}, "pruned", 0.99),
    Trial(4, {"learning_rate": 0.1, "batch_size": 128}, "complete", 0.8),
    Trial(5, {"learning_rate": 0.03, "batch_size": 128}, "complete", 0.7),
]


def test_the_best_two_of_those_that_came_to_their_end_are_chosen():
    assert [trial.number for trial in ranked(TRIALS)[:2]] == [0, 4]
    assert [trial.number for trial in ranked(TRIALS[:2])] == [0]
    assert ranked(TRIALS[1:2]) == []


@pytest.mark.parametrize(("settings", "first"), [({}, 1), ({"repeats": 3}, 3), ({"folds": 3}, 1)])
def test_each_is_trained_with_five_seeds_that_no_trial_has_seen(asked, tmp_path, settings, first):
    question = asked("tpe", **settings)
    wanted = finalists.trainings(question, TRIALS[:1], "study", tmp_path, 5)
    assert [recipe.seed for recipe, _ in wanted] == list(range(first, first + 5))
    assert [folder for _, folder in wanted] == [
        tmp_path / f"study-trial0-seed{seed}" for seed in range(first, first + 5)
    ]
    trial = question.space.recipe(TRIALS[0].point)
    assert {recipe.family for recipe, _ in wanted} == {trial.family}
    assert trial.seed + max(question.repeats - 1, 0) < first


@pytest.fixture
def wanted(asked, tmp_path):
    """The four runs of a final: two finalists with two seeds each."""
    return finalists.trainings(asked(), [TRIALS[0], TRIALS[2]], "study", tmp_path, 2)


def test_the_verdict_is_over_the_validation_accuracies_of_the_runs(asked, wanted, tmp_path):
    for recipe, folder in wanted:
        train.train(recipe, folder)
    document = finalists.verdict(asked(), [TRIALS[0], TRIALS[2]], [folder for _, folder in wanted])
    first, second = document["models"]
    assert [first["trial"], second["trial"]] == [0, 4]
    assert (first["point"], second["point"]) == (TRIALS[0].point, TRIALS[2].point)
    assert first["runs"] == ["study-trial0-seed1", "study-trial0-seed2"]
    assert recipes.parse(first["recipe"]) == wanted[0][0]
    scores = [runs.Run(folder).scores for _, folder in wanted]
    assert [[entry["split"] for entry in entries] for entries in scores] == [["validation"]] * 4
    accuracies = [entries[0]["accuracy"] for entries in scores]
    assert first["accuracies"] + second["accuracies"] == accuracies
    assert first["mean"] == pytest.approx(np.mean(accuracies[:2]))
    assert first["sd"] == pytest.approx(np.std(accuracies[:2], ddof=1))
    assert first["train_seconds"] > 0
    theirs = stats.ttest_rel(accuracies[:2], accuracies[2:])
    assert document["comparison"]["p_value"] == pytest.approx(theirs.pvalue)
    assert document["comparison"]["n"] == 2
    assert not (tmp_path / "test-ledger.jsonl").exists()


def test_one_alone_has_nobody_to_be_compared_with(asked, wanted):
    folders = [train.train(recipe, folder).folder for recipe, folder in wanted[:2]]
    assert finalists.verdict(asked(), TRIALS[:1], folders).keys() == {"models"}


def test_what_is_trained_is_not_trained_again_and_what_was_begun_is_gone_on_with(wanted):
    assert finalists.unfinished(wanted) == wanted
    (recipe, done), (other, begun) = wanted[:2]
    train.train(recipe, done)
    begun.mkdir()
    runs.create(other, {}, begun)
    assert finalists.unfinished(wanted) == wanted[1:]


def test_the_runs_of_another_search_are_not_taken_for_these(wanted):
    recipe, folder = wanted[3]
    folder.mkdir()
    runs.create(recipes.replace(recipe, learning_rate=0.07), {}, folder)
    with pytest.raises(UsageError, match=f"{folder} holds the run of another search; move it away"):
        finalists.unfinished(wanted)
