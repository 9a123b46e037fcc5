import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.neighbors import KNeighborsClassifier

from tenfold import baselines
from tenfold.baselines import BASELINES, NearestNeighbours
from tenfold.cli import baseline as command
from tenfold.data import catalog
from tenfold.data.split import split

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fitted():
    return baselines.compare(split(catalog.MNIST, 1_000, train_size=2_000))


def test_the_help_names_all_of_them():
    assert command.NAMES.split(", ") == list(BASELINES)


def test_all_libraries_multiply_on_one_thread():
    """In a process of its own, which has not loaded scipy's."""
    program = """
from threadpoolctl import threadpool_info
from tenfold import baselines
from tenfold.data import catalog
from tenfold.data.split import split
from tenfold.progress import Progress

class Spy(Progress):
    def line(self, text):
        print(*(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))

baselines.compare(split(catalog.MNIST, 500, train_size=500), ["ridge"], progress=Spy())
"""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    threads = done.stdout.split()
    assert len(threads) > 1, done.stderr
    assert set(threads) == {"1"}


def test_each_beats_the_one_that_always_says_1(fitted):
    accuracy = {model.score.name: model.score.accuracy for model in fitted}
    assert accuracy.keys() == BASELINES.keys()
    assert accuracy["majority"] == pytest.approx(0.1124, abs=0.001)
    assert min(value for name, value in accuracy.items() if name != "majority") > 0.75
    assert accuracy["nearest-neighbours"] > 0.85


def test_scores_are_counts_of_right_predictions(fitted):
    labels = split(catalog.MNIST, 1_000, train_size=2_000).validation.labels
    for model in fitted:
        assert model.score.correct == np.sum(model.predictions == labels)
        assert model.score.total == 1_000
        low, high = model.score.interval
        assert low < model.score.accuracy < high
        assert model.score.bytes > 0


def test_nearest_neighbours_are_scikit_learns(mnist):
    train = mnist.images[:3_000].reshape(3_000, -1).astype(np.float32) / 255
    asked = mnist.images[3_000:4_000].reshape(1_000, -1).astype(np.float32) / 255
    ours = NearestNeighbours(1).fit(train, mnist.labels[:3_000]).predict(asked)
    theirs = KNeighborsClassifier(1).fit(train, mnist.labels[:3_000]).predict(asked)
    np.testing.assert_array_equal(ours, theirs)


@given(
    npst.arrays(np.float32, (12, 3), elements=st.integers(0, 20).map(float)),
    npst.arrays(np.int64, 12, elements=st.integers(0, 3)),
    npst.arrays(np.float32, (4, 3), elements=st.integers(0, 20).map(float)),
)
def test_most_votes_win_and_the_nearest_breaks_ties(train, labels, asked):
    predicted = NearestNeighbours(3).fit(train, labels).predict(asked)
    for point, answer in zip(asked, predicted, strict=True):
        distances = ((train - point) ** 2).sum(1)
        third = np.sort(distances)[2]
        if np.sum(distances <= third) > 3:
            continue  # which ones are the three nearest is open
        voters = labels[np.argsort(distances, kind="stable")[:3]]
        counts = np.bincount(voters, minlength=4)
        assert counts[answer] == counts.max()
        if counts.max() == 1 and len(np.unique(np.sort(distances)[:2])) == 2:
            assert answer == voters[0]
