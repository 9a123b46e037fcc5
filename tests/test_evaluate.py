import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import log_loss
from statsmodels.stats.proportion import proportion_confint

from tenfold import evaluate, runs, statistics
from tenfold.data.split import LEDGER, openings
from tenfold.errors import UsageError
from tenfold.scores import Score


def test_validation_is_what_training_saw_of_it(run):
    (result,) = evaluate.evaluate([run])
    assert result.score.accuracy == run.history[-1]["validation_accuracy"]
    assert result.score.total == 1_000
    assert run.scores == [result.score]
    assert result.right.sum() == result.score.correct
    low, high = result.score.interval
    assert low < result.score.accuracy < high
    assert not (run.folder.parent / LEDGER).exists()


def test_the_temperature_helps_where_it_was_fitted(run):
    (result,) = evaluate.evaluate([run])
    assert result.score.calibrated.negative_log_likelihood <= result.score.negative_log_likelihood


def test_the_test_set_is_opened_once_for_all_and_written_down(run, sibling):
    other = sibling("other", seed=1)
    results = evaluate.evaluate([run, other], test=True, who="a test")
    assert [result.score.total for result in results] == [10_000, 10_000]
    (line,) = (run.folder.parent / LEDGER).read_text().splitlines()
    written = json.loads(line)
    assert written["who"] == "a test"
    assert [asked["run"] for asked in written["runs"]] == ["small", "other"]
    assert [asked["recipe"] for asked in written["runs"]] == [run.recipe.hash, other.recipe.hash]
    assert [score.split for score in run.scores] == ["validation", "test"]
    # the temperature is the one fitted on validation, not on the test set
    assert run.scores[1].temperature == run.scores[0].temperature


def test_a_run_with_no_validation_pictures(run, sibling):
    everything = sibling("everything", validation_size=0, train_size=None)
    with pytest.raises(UsageError, match="--test"):
        evaluate.evaluate([everything])
    (result,) = evaluate.evaluate([everything], test=True)
    assert result.score.temperature is None
    assert result.score.calibrated is None


def test_only_answers_to_the_same_questions_are_compared(run, sibling):
    same, elsewhere = sibling("same", seed=1), sibling("elsewhere", split_seed=1)
    pairs = evaluate.comparisons(evaluate.evaluate([run, same, elsewhere]))
    assert [(a.run.name, b.run.name, test.verdict) for a, b, test in pairs] == [("small", "same", "tied")]


@pytest.fixture
def members(run, sibling):
    """Three runs that answer differently: the weights of two are shaken a little."""
    rng = np.random.default_rng(0)
    others = [sibling(f"seed{seed}", seed=seed) for seed in (1, 2)]
    for other in others:
        weights = run.weights()
        for name in ("conv1.weight", "dense1.weight"):
            weights[name] = weights[name] + rng.normal(0, 0.2, weights[name].shape).astype(np.float32)
        runs.write_tensors(other.folder / runs.WEIGHTS, weights)
    return [run, *others]


def test_a_committee_answers_with_the_mean_of_the_probabilities(members):
    results = evaluate.evaluate(members)
    score = evaluate.committee(results)
    exponentials = [np.exp(one.logits.astype(float) - one.logits.max(1, keepdims=True)) for one in results]
    mean = sum(each / each.sum(1, keepdims=True) for each in exponentials) / 3
    labels = results[0].labels
    correct = int((mean.argmax(1) == labels).sum())
    assert (score.split, score.scoring, score.total) == ("validation", "committee of 3", 1_000)
    assert (score.correct, score.accuracy) == (correct, correct / 1_000)
    assert score.interval == pytest.approx(proportion_confint(correct, 1_000, method="wilson"))
    assert score.negative_log_likelihood == pytest.approx(log_loss(labels, mean, labels=range(10)))
    assert score.temperature == pytest.approx(statistics.fit_temperature(np.log(mean), labels), rel=1e-3)
    assert len({one.score.correct for one in results}) > 1  # or there would be nothing to average
    assert [one.scores for one in members] == [[one.score] for one in results]  # written nowhere


def test_a_committee_is_of_two_at_least_who_were_asked_the_same(run, sibling):
    results = evaluate.evaluate([run, sibling("elsewhere", split_seed=1)])
    with pytest.raises(UsageError, match="at least two runs"):
        evaluate.committee(results[:1])
    with pytest.raises(UsageError, match="at least two runs"):
        evaluate.committee([])
    with pytest.raises(UsageError, match="the same pictures"):
        evaluate.committee(results)


def test_questions_are_the_pictures_of_the_evaluation(run):
    (validation,), (test,) = evaluate.evaluate([run]), evaluate.evaluate([run], test=True)
    assert validation.pictures == evaluate.questions(run)
    assert test.pictures == evaluate.questions(run, test=True)


def test_runs_that_differ_in_their_seed_alone_are_summarised(run, sibling):
    members = [run, sibling("second", seed=1), sibling("other", learning_rate=0.1)]
    ((summarised, spread),) = evaluate.seed_summaries(evaluate.evaluate(members))
    assert [member.run.name for member in summarised] == ["small", "second"]
    assert spread.n == 2
    assert spread.sd == 0


def test_pictures_to_validate_on_were_not_trained_on(run, mnist):
    from tenfold import train

    validation = evaluate.validation_pictures(run)
    pictures = train.split_for(run.recipe)
    np.testing.assert_array_equal(validation.images, pictures.validation.images)
    assert len(validation) == 1_000


def test_changing_the_weights_changes_the_score(run):
    before = evaluate.evaluate([run])[0].score.correct
    weights = run.weights()
    weights["dense2.weight"] = -weights["dense2.weight"]
    runs.write_tensors(run.folder / runs.WEIGHTS, weights)
    assert evaluate.evaluate([run])[0].score.correct < before / 2


def test_the_choice_is_by_the_mean_over_seeds_not_by_the_best_one(run, sibling):
    candidates = [run, sibling("second", seed=1), sibling("other", learning_rate=0.1)]
    evaluations = [
        dataclasses.replace(evaluation, score=Score(split="validation", confusion=((right, 100 - right), (0, 0))))
        for evaluation, right in zip(evaluate.evaluate(candidates), (90, 99, 96), strict=True)
    ]
    assert evaluate.choose(evaluations).name == "other"


def test_what_the_run_got_wrong_stays_with_it(run):
    assert run.test_answers() is None
    (result,) = evaluate.evaluate([run], test=True)
    kept = run.test_answers()
    np.testing.assert_array_equal(kept["index"], np.flatnonzero(~result.right))
    np.testing.assert_array_equal(kept["logits"], result.logits)
    assert kept["images"].shape == (10_000 - result.score.correct, 28, 28)


def test_the_test_set_is_opened_once_for_the_same_weights(run, sibling):
    ledger = run.folder.parent / LEDGER
    (first,) = evaluate.evaluate([run], test=True)
    (again,) = evaluate.evaluate([run], test=True)
    assert again.score == first.score
    assert len(openings(ledger)) == 1
    other = sibling("other", seed=1)
    (other.folder / runs.TEST_ANSWERS).unlink()
    both = evaluate.evaluate([run, other], test=True)
    assert [[asked["run"] for asked in line["runs"]] for line in openings(ledger)] == [["small"], ["other"]]
    for _ in range(2):
        evaluate.committee(both, "a test")
    assert [asked["run"] for asked in openings(ledger)[-1]["runs"]] == ["small", "other"]
    assert len(openings(ledger)) == 3  # a committee is another model, judged once

    weights = run.weights()
    runs.write_tensors(run.folder / runs.WEIGHTS, weights | {"dense2.bias": weights["dense2.bias"] + 1})
    evaluate.evaluate([run], test=True)
    assert len(openings(ledger)) == 4
