import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tenfold import atlas, evaluate, statistics
from tenfold.data.catalog import MNIST
from tenfold.data.split import split
from tenfold.frameworks import onnx, pytorch

PROBABILITIES = arrays.arrays(np.float64, (20, 4), elements=st.floats(0.01, 1)).map(lambda p: p / p.sum(1)[:, None])


@given(PROBABILITIES, arrays.arrays(np.int64, 20, elements=st.integers(0, 3)))
def test_errors_are_all_that_is_wrong_the_surest_first(p, labels):
    wrong = atlas.errors(p, labels)
    assert sorted(wrong) == np.flatnonzero(p.argmax(1) != labels).tolist()
    assert (np.diff(p[wrong].max(1)) <= 0).all()


@pytest.fixture
def answers(run, sibling):
    evaluations = evaluate.evaluate([run, sibling("other", seed=1)])
    return [(e.run.name, statistics.probabilities(e.logits, e.entry["temperature"])) for e in evaluations]


@pytest.fixture
def pictures(run):
    return split(MNIST, run.recipe.validation_size, run.recipe.split_seed, run.recipe.train_size)


def test_the_atlas_of_a_run_has_every_error(run, answers, pictures):
    found = atlas.atlas(run, answers, pictures.validation, pictures.train, limit=1_000)
    p, labels = answers[0][1], pictures.validation.labels
    assert sorted(mistake.index for mistake in found) == np.flatnonzero(p.argmax(1) != labels).tolist()
    assert len(found) > 5
    network, weights = run.recipe.layers(), run.weights()
    trained = onnx.features(network, weights, MNIST, pictures.train.images)
    shown = onnx.features(network, weights, MNIST, pictures.validation.images)
    for mistake in found:
        assert mistake.predicted == p[mistake.index].argmax() != mistake.label == labels[mistake.index]
        assert [label for label, _ in mistake.top] == np.argsort(-p[mistake.index])[:3].tolist()
        assert mistake.others == (atlas.Answer("other", mistake.predicted, pytest.approx(mistake.confidence)),)
        distances = np.linalg.norm(trained.astype(float) - shown[mistake.index], axis=1)
        assert [near.index for near in mistake.neighbours] == distances.argsort()[:5].tolist()
        assert [near.label for near in mistake.neighbours] == pictures.train.labels[distances.argsort()[:5]].tolist()
    module = pytorch.build(network, weights)
    images = pictures.validation.images[[mistake.index for mistake in found]]
    saliency = np.stack([mistake.saliency for mistake in found])
    np.testing.assert_array_equal(saliency, pytorch.integrated_gradients(module, images, "mnist"))


def test_the_limit_leaves_the_surest(run, answers, pictures):
    everything = atlas.errors(answers[0][1], pictures.validation.labels)
    found = atlas.atlas(run, answers, pictures.validation, pictures.train, limit=3)
    assert [mistake.index for mistake in found] == everything[:3].tolist()


def test_no_errors_no_atlas(run, pictures):
    perfect = [("perfect", np.eye(10)[pictures.validation.labels])]
    assert atlas.atlas(run, perfect, pictures.validation, pictures.train, limit=10) == []
