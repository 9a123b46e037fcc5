import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from tenfold.data import catalog, split
from tenfold.errors import DataError, TenfoldError, UsageError

LABELS = st.lists(st.integers(0, 9), min_size=2, max_size=200).map(np.array)


@given(LABELS, st.data())
def test_parts_are_disjoint_sized_and_in_proportion(labels, data):
    size = data.draw(st.integers(0, len(labels) - 1))
    train_size = data.draw(st.none() | st.integers(1, len(labels) - size))
    seed = data.draw(st.integers(0, 2**32 - 1))
    train, validation = split.split_indices(labels, size, seed, train_size)
    assert len(validation) == size
    assert len(train) == (len(labels) - size if train_size is None else train_size)
    assert not np.intersect1d(train, validation).size
    share = np.bincount(labels, minlength=10) * (size / len(labels))
    assert np.all(np.abs(np.bincount(labels[validation], minlength=10) - share) < 1)
    again = split.split_indices(labels, size, seed, train_size)
    np.testing.assert_array_equal(train, again[0])
    np.testing.assert_array_equal(validation, again[1])


def test_gate_pictures_come_evenly_from_the_development_ones(mnist):
    pictures = split.gate_pictures(catalog.MNIST)
    assert pictures.shape == (10_000, 28, 28)
    assert pictures.base is None  # the other 50,000 can go
    np.testing.assert_array_equal(pictures[[0, 1, -1]], mnist.images[[0, 6, 59_994]])


def test_training_fewer_pictures_leaves_validation_as_it_is(mnist):
    _, all_of_them = split.split_indices(mnist.labels, 5_000, 0)
    train, validation = split.split_indices(mnist.labels, 5_000, 0, train_size=1_000)
    np.testing.assert_array_equal(validation, all_of_them)
    assert np.bincount(mnist.labels[train]).min() >= 90


def test_class_counts_are_scikit_learns(mnist):
    _, ours = split.split_indices(mnist.labels, 5_000, 0)
    _, theirs = next(StratifiedShuffleSplit(1, test_size=5_000, random_state=0).split(mnist.labels, mnist.labels))
    difference = np.bincount(mnist.labels[ours]) - np.bincount(mnist.labels[theirs])
    assert np.abs(difference).max() <= 1


@given(LABELS, st.data())
def test_folds_hold_each_picture_out_once_classes_in_proportion(labels, data):
    k = data.draw(st.integers(2, len(labels)))
    folds = list(split.folds(labels, k, seed=data.draw(st.integers(0, 99))))
    np.testing.assert_array_equal(np.sort(np.concatenate([held for _, held in folds])), np.arange(len(labels)))
    for train, held in folds:
        np.testing.assert_array_equal(np.union1d(train, held), np.arange(len(labels)))
        assert abs(len(held) - len(labels) / k) < 1
    a_class = np.array([np.bincount(labels[held], minlength=10) for _, held in folds])
    assert np.all(a_class.max(0) - a_class.min(0) <= 1)


@pytest.mark.parametrize(("validation", "train"), [(-1, None), (100, None), (101, None), (50, 51), (50, 0)])
def test_impossible_sizes_are_refused(validation, train):
    with pytest.raises(UsageError):
        split.split_indices(np.zeros(100, int), validation, 0, train)


def test_opening_the_test_set_is_written_down(tmp_path):
    ledger = tmp_path / split.LEDGER
    asked = [{"run": "a", "recipe": "b", "commit": None}]
    assert len(split.open_test(catalog.MNIST, ledger, "a test", asked)) == 10_000
    split.open_test(catalog.MNIST, ledger, "again", [])
    first, second = map(json.loads, ledger.read_text().splitlines())
    assert first["who"] == "a test"
    assert first["runs"] == asked
    assert first["when"] <= second["when"]


def test_without_a_ledger_the_test_set_stays_sealed(tmp_path, read):
    with pytest.raises(TenfoldError, match="cannot write"):
        split.open_test(catalog.MNIST, tmp_path / "missing" / split.LEDGER, "a test", [])
    assert not read


@pytest.mark.parametrize(
    ("shape", "labels"), [((3, 28, 28), [0, 10, 3]), ((3, 28, 28), [0, 0]), ((3, 27, 28), [0, 0, 0])]
)
def test_what_does_not_belong_together_is_refused(shape, labels):
    with pytest.raises(DataError):
        split.samples(np.zeros(shape, np.uint8), np.array(labels, np.uint8), 10, "mine")


def test_samples_are_extended_by_others_some_times(mnist):
    some, others = mnist.take(np.arange(5)), mnist.take(np.arange(5, 8))
    both = some.extended(others, 2)
    assert both.labels.tolist() == [5, 0, 4, 1, 9, 2, 2, 1, 1, 3, 3]
    np.testing.assert_array_equal(both.images, mnist.images[[0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 7]])


def test_a_split_has_no_third_part(read):
    """The test files are not even read, whatever is asked of a split."""
    parts = split.split(catalog.MNIST, 5_000)
    assert {field.name for field in dataclasses.fields(parts)} == {"dataset", "train", "validation"}
    assert (len(parts.train), len(parts.validation)) == (55_000, 5_000)
    assert read == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
