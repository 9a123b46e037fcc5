"""Several graphs as one: what it answers is what `statistics.committee` makes of its members' answers."""

import numpy as np
import pytest

from tenfold import recipes, statistics
from tenfold.data import catalog
from tenfold.frameworks import onnx
from tenfold.networks import initial_weights


@pytest.fixture(scope="module")
def members():
    layers = recipes.quick().layers()
    return [onnx.graph(layers, initial_weights(layers, seed), catalog.MNIST) for seed in range(3)]


def test_it_answers_with_the_mean_of_the_probabilities(members, mnist):
    images = mnist.images[:300]
    each = [onnx.logits(onnx.session(member), images) for member in members]
    together = onnx.logits(onnx.session(onnx.committee(members)), images)
    np.testing.assert_allclose(together, statistics.committee(each), atol=1e-5)
    assert not np.allclose(each[0].argmax(1), each[1].argmax(1))  # or there would be nothing to average


def test_it_stays_finite_where_members_are_as_sure_as_can_be(mnist):
    """The logarithm of a mean of probabilities that are all 0 in float32."""
    images = mnist.images[:50]
    layers = recipes.quick().layers()
    sure = []
    for seed in range(3):
        weights = initial_weights(layers, seed)
        weights["dense2.weight"] = weights["dense2.weight"] * 2_000
        sure.append(onnx.graph(layers, weights, catalog.MNIST))
    together = onnx.logits(onnx.session(onnx.committee(sure)), images)
    assert np.isfinite(together).all()
    assert together.min() < -200


def test_members_are_not_changed_and_the_first_keeps_its_names(members):
    before = [member.SerializeToString() for member in members]
    made = {name for node in onnx.committee(members).graph.node for name in node.output}
    assert [member.SerializeToString() for member in members] == before
    assert {name for node in members[0].graph.node for name in node.output} - {"logits"} <= made
