"""The best two on fresh seeds."""

import numpy as np
import pytest
from scipy import stats

from tenfold import recipes, runs, train
from tenfold.errors import UsageError
from tenfold.tune import finalists
from tenfold.tune.study import Trial

pytestmark = pytest.mark.usefixtures("read")
TRIALS = [
    Trial(0, {"learning_rate": 0.03, "batch_size": 64}, "complete", 0.9),
    Trial(1, {"learning_rate": 0.01, "batch_size": 64}, "pruned", 0.99),
    Trial(4, {"learning_rate": 0.1, "batch_size": 128}, "complete", 0.8),
    Trial(5, {"learning_rate": 0.03, "batch_size": 128}, "complete", 0.7),
]


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


def test_the_verdict_is_over_the_validation_accuracies_of_the_runs(asked, wanted):
    assert finalists.unfinished(wanted) == wanted
    (recipe, first), (other, begun) = wanted[:2]
    machine = train.train(recipe, first).environment
    begun.mkdir()
    runs.create(other, machine, begun)
    assert finalists.unfinished(wanted) == wanted[1:]  # what was begun is gone on with
    train.resume(begun)
    for recipe, folder in wanted[2:]:
        train.train(recipe, folder)
    document = finalists.verdict(asked(), [TRIALS[0], TRIALS[2]], [folder for _, folder in wanted])
    first, second = document["models"]
    assert [first["trial"], second["trial"]] == [0, 4]
    assert recipes.parse(first["recipe"]) == wanted[0][0]
    accuracies = [runs.Run(folder).scores[0].accuracy for _, folder in wanted]
    assert first["accuracies"] + second["accuracies"] == accuracies
    assert first["sd"] == pytest.approx(np.std(accuracies[:2], ddof=1))
    theirs = stats.ttest_rel(accuracies[:2], accuracies[2:])
    assert document["comparison"]["p_value"] == pytest.approx(theirs.pvalue)
    assert finalists.verdict(asked(), TRIALS[:1], [folder for _, folder in wanted[:2]]).keys() == {"models"}


def test_the_runs_of_another_search_are_not_taken_for_these(wanted):
    recipe, folder = wanted[3]
    folder.mkdir()
    runs.create(recipes.replace(recipe, learning_rate=0.07), {}, folder)
    with pytest.raises(UsageError, match=f"{folder} holds a run of another search"):
        finalists.unfinished(wanted)
