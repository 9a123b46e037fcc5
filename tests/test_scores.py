import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tenfold import scores, statistics
from tenfold.scores import Score


@pytest.mark.filterwarnings("ignore:A single label")  # scikit-learn's
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=200))
def test_scores_are_scikit_learns(pairs):
    labels, predicted = np.array(pairs).T
    logits = np.eye(5, dtype=np.float32)[predicted] * 4
    score = scores.of_logits("validation", logits, labels)
    assert score.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert score.matthews_correlation == pytest.approx(metrics.matthews_corrcoef(labels, predicted))
    assert score.correct == np.sum(labels == predicted)
    assert score.total == len(labels)
    np.testing.assert_array_equal(score.matrix, metrics.confusion_matrix(labels, predicted, labels=range(5)))
    theirs = metrics.precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0)
    for key, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert [getattr(one, key) for one in score.per_class] == pytest.approx(values)
    assert Score.model_validate_json(json.dumps(score.document(), allow_nan=False)) == score


def test_top_2_is_scikit_learns():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(300, 10)).astype(np.float32), rng.integers(0, 10, 300)
    score = scores.of_logits("validation", logits, labels, 2.0)
    assert score.top2_accuracy == pytest.approx(metrics.top_k_accuracy_score(labels, logits, k=2))
    assert score.calibrated.negative_log_likelihood == pytest.approx(
        statistics.negative_log_likelihood(logits, labels, 2.0)
    )
    assert score.calibrated.confidence == pytest.approx(statistics.probabilities(logits, 2.0).max(1).mean())


def test_validation_scores_have_what_is_chosen_on_them():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 3_000)
    logits = (8 * np.eye(10)[labels] + rng.normal(0, 2.5, (3_000, 10))).astype(np.float32)
    score = scores.of_validation(logits, labels)
    assert score.temperature == statistics.fit_temperature(logits, labels)
    p = statistics.probabilities(logits, score.temperature)
    answered = p.max(1) >= score.threshold.confidence
    assert (p.argmax(1) == labels)[answered].mean() >= 0.999
    assert 0 < answered.sum() == score.threshold.answered
    assert Score.model_validate_json(json.dumps(score.document(), allow_nan=False)) == score


def test_few_pictures_promise_less():
    """Of 300 pictures all right, 99.9% cannot be promised; 99% can."""
    labels = np.arange(300) % 10
    assert scores.of_validation((9 * np.eye(10)[labels]).astype(np.float32), labels).threshold.level == 0.99


def test_few_errors_calibrate_nothing():
    """Fitted on 28 right answers, the temperature ran into its bound and made every answer certain."""
    labels = np.arange(28) % 10
    logits = (3 * np.eye(10)[labels]).astype(np.float32)
    score = scores.of_validation(logits, labels)
    assert (score.temperature, score.calibrated) == (None, None)
    assert score.threshold.level == 0.95
    assert statistics.probabilities(logits).max() < 0.99
