import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats
from sklearn.metrics import log_loss
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from tenfold import statistics


def test_a_committee_is_the_mean_of_softmax_also_where_that_is_nothing():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (3, 100, 10)).astype(np.float32)
    mean = special.softmax(logits.astype(float), axis=2).mean(0)
    np.testing.assert_allclose(np.exp(statistics.committee(list(logits))), mean, rtol=1e-12)
    far = np.array([[0, 2_000]], np.float32)  # exp(-2,000) is 0 in float64, its logarithm is not
    np.testing.assert_allclose(statistics.committee([far, far]), [[-2_000, 0]])


@given(st.integers(1, 100_000), st.data())
def test_wilson_is_that_of_statsmodels(total, data):
    correct = data.draw(st.integers(0, total))
    low, high = statistics.wilson_interval(correct, total)
    assert (low, high) == pytest.approx(proportion_confint(correct, total, method="wilson"), abs=1e-12)
    assert 0 <= low <= correct / total <= high <= 1


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (5, 4), (-1, 4)])
def test_wilson_refuses_what_is_no_share(correct, total):
    with pytest.raises(ValueError, match="correct must be"):
        statistics.wilson_interval(correct, total)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300))
def test_mcnemar_is_that_of_statsmodels(pairs):
    first, second = np.array(pairs).T
    ours = statistics.mcnemar(first, second)
    table = [[np.sum(first & second), ours.only_first], [ours.only_second, np.sum(~first & ~second)]]
    assert ours.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-12)


def test_verdicts():
    right = np.ones(100, bool)
    worse = right.copy()
    worse[:10] = False
    assert statistics.mcnemar(right, worse).verdict == "better"
    assert statistics.mcnemar(worse, right).verdict == "worse"
    assert statistics.mcnemar(right, right).verdict == "tied"
    worse[2:] = True
    assert statistics.mcnemar(right, worse).verdict == "tied"
    with pytest.raises(ValueError, match="same pictures"):
        statistics.mcnemar(right, right[:-1])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_spread_over_seeds_is_that_of_scipy(values):
    ours = statistics.over_seeds(np.array(values))
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95) if np.ptp(values) else (values[0], values[0])
    assert ours.interval == pytest.approx(tuple(theirs), abs=1e-9)
    assert ours.sd == pytest.approx(np.std(values, ddof=1))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12))
def test_the_paired_test_is_that_of_scipy(pairs):
    first, second = np.array(pairs).T
    ours = statistics.paired(first, second)
    assert ours.mean == pytest.approx((first - second).mean())
    assert ours.n == len(pairs)
    if np.std(first - second, ddof=1) < 1e-12:  # SciPy warns, for good reason: there is nothing to divide by
        return
    theirs = stats.ttest_rel(first, second)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), abs=1e-9)
    low, high = ours.interval
    if abs(ours.p_value - 0.05) > 1e-6:
        assert (ours.verdict == "tied") == (low <= 0 <= high)


def test_paired_verdicts():
    first = np.array([0.991, 0.990, 0.992, 0.991, 0.990])
    steady, noisy = np.array([2, 3, 2, 2, 3]) / 1_000, np.array([9, -8, 7, -6, 5]) / 1_000
    assert statistics.paired(first, first - steady).verdict == "better"
    assert statistics.paired(first - steady, first).verdict == "worse"
    assert statistics.paired(first, first - noisy).verdict == "tied"
    rounded = statistics.paired(np.array([0.49, 0.98, 0.5]), np.array([0.48, 0.97, 0.49]))  # 0.01 each, nearly
    assert (rounded.verdict, rounded.p_value) == ("better", 0.0)
    same = statistics.paired(first, first)
    assert (same.verdict, same.p_value, same.mean) == ("tied", 1.0, 0.0)
    always = statistics.paired(np.array([0.75, 0.5]), np.array([0.5, 0.25]))  # by a quarter, without exception
    assert (always.verdict, always.p_value, always.interval) == ("better", 0.0, (0.25, 0.25))


def _logits(seed=0, n=400, classes=10):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)).astype(np.float32) * 3
    logits[np.arange(n), labels] += 2
    return logits, labels


def test_negative_log_likelihood_is_scikit_learns():
    logits, labels = _logits()
    ours = statistics.negative_log_likelihood(logits, labels, temperature=1.7)
    theirs = log_loss(labels, statistics.probabilities(logits, 1.7), labels=np.arange(10))
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_temperature_is_where_scipy_finds_it():
    logits, labels = _logits()
    found = optimize.minimize_scalar(
        lambda log: statistics.negative_log_likelihood(logits, labels, np.exp(log)),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert statistics.fit_temperature(logits, labels) == pytest.approx(np.exp(found.x), rel=1e-6)
    assert statistics.fit_temperature(logits * 3, labels) == pytest.approx(3 * np.exp(found.x), rel=1e-6)


def test_the_temperature_stays_in_its_range():
    logits, _ = _logits()
    assert statistics.fit_temperature(logits, logits.argmax(1)) == pytest.approx(0.05)  # no error: the surer the better
    assert statistics.fit_temperature(logits, logits.argmin(1)) == pytest.approx(
        20
    )  # all wrong: the less sure the better


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_probabilities_are_scipys_softmax_whatever_the_logits(temperature):
    logits = np.array([[0, 1, 2], [1e4, -1e4, 0], [-700, -700, -700], [88, 89, 90]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        ours = statistics.probabilities(logits, temperature)
    np.testing.assert_allclose(ours, special.softmax(logits.astype(np.float64) / temperature, axis=1), rtol=1e-12)


def test_calibration_error_bin_by_bin():
    logits, labels = _logits()
    p = statistics.probabilities(logits)
    confidence, right = p.max(1), p.argmax(1) == labels
    expected = 0.0
    for low in range(15):  # the definition, in plain words
        members = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if members.any():
            expected += members.mean() * abs(confidence[members].mean() - right[members].mean())
    assert statistics.expected_calibration_error(p, labels) == pytest.approx(expected, abs=1e-12)


def test_a_sure_and_right_model_has_no_calibration_error():
    labels = np.arange(10)
    assert statistics.expected_calibration_error(np.eye(10), labels) == 0
    assert statistics.expected_calibration_error(np.eye(10), (labels + 1) % 10) == 1


@given(st.integers(1, 300), st.integers(0, 1_000))
def test_bins_hold_every_answer_once(n, seed):
    logits, labels = _logits(seed, n)
    p = statistics.probabilities(logits)
    bins = statistics.calibration_bins(p, labels)
    assert bins.pictures.sum() == n
    assert bins.right.sum() == np.sum(p.argmax(1) == labels)
    assert bins.confidence.sum() == pytest.approx(p.max(1).sum())
    filled = bins.pictures > 0
    mean = bins.confidence[filled] / bins.pictures[filled]
    assert (np.ceil(mean * 15 - 1e-9) - 1 == np.flatnonzero(filled)).all()


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=60))
def test_selective_accuracy_threshold_by_threshold(answers):
    confidence, right = np.array([c for c, _ in answers]) / 20 + 0.5, np.array([r for _, r in answers])
    p = np.stack([confidence, 1 - confidence], 1)
    share, accuracy = statistics.selective_accuracy(p, np.where(right, 0, 1))
    thresholds = sorted(set(confidence), reverse=True)
    assert share == pytest.approx([np.mean(confidence >= t) for t in thresholds])
    assert accuracy == pytest.approx([np.mean(right[confidence >= t]) for t in thresholds])
    assert share[-1] == 1


def _sure(confidence, right):
    confidence, right = np.array(confidence, float), np.array(right, bool)
    return statistics.sure_threshold(np.stack([confidence, 1 - confidence], 1), np.where(right, 0, 1))


@given(st.lists(st.tuples(st.integers(11, 20), st.integers(0, 800), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_threshold_is_the_smallest_that_will_do(groups):
    """Beside every threshold tried one by one: of answers so confident, 99.9% are right, were the next one wrong."""
    confidence = np.concatenate([np.full(right + wrong, c / 20) for c, right, wrong in groups])
    right = np.concatenate([np.arange(right + wrong) < right for _, right, wrong in groups])
    if not len(right):
        return
    found = _sure(confidence, right)
    will_do = [
        c for c in np.unique(confidence) if right[confidence >= c].sum() >= 0.999 * ((confidence >= c).sum() + 1)
    ]
    assert (found is None) == (not will_do)
    if found is not None:
        answered = confidence >= found.confidence
        assert (answered == (confidence >= will_do[0])).all()
        assert (found.answered, found.correct) == (answered.sum(), right[answered].sum())
        assert found.total == len(right)


def test_few_answers_show_nothing_however_right():
    assert _sure(np.linspace(0.6, 1, 998), np.ones(998)) is None
    assert _sure(np.linspace(0.6, 1, 999), np.ones(999)).answered == 999
    assert _sure(np.linspace(0.6, 1, 1_500), np.arange(1_500) != 0).answered == 1_499
    assert _sure(np.linspace(0.6, 1, 2_000), np.arange(2_000) != 0).answered == 2_000


def test_the_threshold_lies_between_two_confidences():
    threshold = _sure([0.6, *np.full(1_200, 0.9)], [False, *np.ones(1_200)])
    assert threshold.confidence == pytest.approx(0.75)
