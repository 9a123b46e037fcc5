import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from tenfold import doubt


def _paper(probabilities, labels):
    """Confident learning and pruning by noise rate, picture by picture, as the paper defines them."""
    n, m = len(probabilities), len(probabilities[0])
    t = []
    for j in range(m):
        total, members = 0.0, 0
        for x in range(n):
            if labels[x] == j:
                total, members = total + probabilities[x][j], members + 1
        t.append(total / members if members else float("inf"))
    joint = [[0] * m for _ in range(m)]
    for x in range(n):
        reached = [j for j in range(m) if probabilities[x][j] >= t[j]]
        if reached:
            joint[labels[x]][max(reached, key=lambda j: probabilities[x][j])] += 1
    chosen = set()
    for i in range(m):
        members = [x for x in range(n) if labels[x] == i]
        for j in range(m):
            if i != j and joint[i][j]:
                count = round(joint[i][j] / sum(joint[i]) * len(members))
                chosen |= set(sorted(members, key=lambda x: (probabilities[x][i] - probabilities[x][j], x))[:count])
    ranked = []
    for x in chosen:
        i = labels[x]
        j = max((c for c in range(m) if c != i), key=lambda c: probabilities[x][c])
        ranked.append((probabilities[x][i] - probabilities[x][j], x, i, j))
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


def test_precision_and_recall_are_scikit_learns():
    found = np.array([True, True, False, True, False, False, True])
    precision, recall = doubt.precision_and_recall(found, planted=4)
    theirs = precision_recall_curve(found, np.arange(7, 0, -1))  # ordered by falling length of the list
    np.testing.assert_allclose(precision[::-1], theirs[0][:7])
    np.testing.assert_allclose(recall[::-1], theirs[1][:7])
    assert doubt.precision_and_recall(found, planted=8)[1][-1] == pytest.approx(0.5)
