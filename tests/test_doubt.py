import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from tenfold import doubt


def _paper(probabilities, labels):
    """Confident learning picture by picture, as §3.1 and §3.2 of the paper define it."""
    n, m = len(probabilities), len(probabilities[0])
    t = []
    for j in range(m):
        total, members = 0.0, 0
        for x in range(n):
            if labels[x] == j:
                total, members = total + probabilities[x][j], members + 1
        t.append(total / members if members else float("inf"))
    joint = [[0] * m for _ in range(m)]
    ranked = []
    for x in range(n):
        reached = [j for j in range(m) if probabilities[x][j] >= t[j]]
        if not reached:
            continue
        j = max(reached, key=lambda j: probabilities[x][j])
        i = labels[x]
        joint[i][j] += 1
        if i != j:
            margin = probabilities[x][i] - max(probabilities[x][c] for c in range(m) if c != i)
            ranked.append((margin, x, i, j))
    return t, joint, sorted(ranked)


@st.composite
def _answers(draw):
    n, m = draw(st.integers(1, 60)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(0, draw(st.integers(1, m)), n)  # some classes may have no picture
    probabilities = rng.dirichlet(np.full(m, draw(st.sampled_from([0.2, 1.0, 5.0]))), n)
    probabilities[rng.random(n) < 0.2] = np.round(probabilities[0], 1)  # some are the same, so there are ties
    return probabilities, labels


@given(_answers())
def test_it_is_the_papers_definition(answers):
    probabilities, labels = answers
    t, joint, ranked = _paper(probabilities.tolist(), labels.tolist())
    assert doubt.thresholds(probabilities, labels).tolist() == t
    np.testing.assert_array_equal(doubt.confident_joint(probabilities, labels), joint)
    doubts = doubt.doubtful(probabilities, labels)
    assert len(doubts) == len(ranked)
    assert doubts.margin.tolist() == [row[0] for row in ranked]
    assert doubts.pictures.tolist() == [row[1] for row in ranked]
    assert doubts.given.tolist() == [row[2] for row in ranked]
    assert doubts.suggested.tolist() == [row[3] for row in ranked]


def test_an_example_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.05, 0.95], [0.1, 0.9], [0.8, 0.2]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # t = (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.95 + 0.9 + 0.2) / 3 = 0.683
    np.testing.assert_allclose(doubt.thresholds(probabilities, labels), [0.6, 2.05 / 3])
    assert doubt.confident_classes(probabilities, labels).tolist() == [0, 0, 1, 1, 1, 0]
    assert doubt.confident_joint(probabilities, labels).tolist() == [[2, 1], [1, 2]]
    doubts = doubt.doubtful(probabilities, labels)
    assert doubts.pictures.tolist() == [2, 5]  # both by 0.6: the first in the dataset comes first
    assert doubts.suggested.tolist() == [1, 0]
    np.testing.assert_allclose(doubts.margin, [-0.6, -0.6])


def test_where_all_agree_nothing_is_doubted():
    labels = np.array([0, 1, 2, 0])
    assert len(doubt.doubtful(np.eye(3)[labels], labels)) == 0


def test_a_class_without_pictures_is_never_suggested():
    probabilities = np.array([[0.1, 0.0, 0.9], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    labels = np.array([0, 0, 1])
    assert doubt.thresholds(probabilities, labels)[2] == np.inf
    assert 2 not in doubt.confident_classes(probabilities, labels)


def test_the_arrays_are_left_as_they_are():
    probabilities, labels = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]), np.array([0, 1, 1])
    before = probabilities.copy()
    doubt.doubtful(probabilities, labels)
    np.testing.assert_array_equal(probabilities, before)


def test_precision_and_recall_are_scikit_learns():
    found = np.array([True, True, False, True, False, False, True])
    precision, recall = doubt.precision_and_recall(found, planted=4)
    theirs = precision_recall_curve(found, np.arange(7, 0, -1))  # ordered by falling length of the list
    np.testing.assert_allclose(precision[::-1], theirs[0][:7])
    np.testing.assert_allclose(recall[::-1], theirs[1][:7])
    assert doubt.precision_and_recall(found, planted=8)[1][-1] == pytest.approx(0.5)
