import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold import architectures, networks
from tenfold.errors import UsageError
from tenfold.networks import Conv, Dense, Dropout, Flatten, GlobalPool, MaxPool, Norm, Relu, Residual


def test_shapes_and_costs_layer_by_layer():
    network = (Conv(4, 5, stride=2, padding=1, bias=False), Norm(), Relu(), MaxPool(3), GlobalPool(), Dense(7))
    summary = networks.summarise(network)
    assert [layer.output_shape for layer in summary] == [(4, 13, 13), (4, 13, 13), (4, 13, 13), (4, 4, 4), (8,), (7,)]
    assert [layer.name for layer in summary] == ["conv1", "norm1", "relu1", "maxpool1", "globalpool1", "dense1"]
    assert [layer.parameter_count for layer in summary] == [100, 8, 0, 0, 0, 63]
    assert networks.multiply_adds(network) == 4 * 13 * 13 * 25 + 8 * 7


@pytest.mark.parametrize(("before", "channels"), [((), 1), ((Conv(6), MaxPool()), 6)])
def test_a_residual_block_counts_as_the_layers_inside(before, channels):
    conv, after = Conv(channels, padding=1, bias=False), (Flatten(), Dense(10))
    block, plain = (*before, Residual(), *after), (*before, conv, Norm(), Relu(), conv, Norm(), *after)
    for count in (networks.parameter_count, networks.multiply_adds, networks.training_multiply_adds):
        assert count(block) == count(plain)
    weights, same = networks.initial_weights(block, 0), networks.initial_weights(plain, 0)
    assert weights.keys() == networks.weight_shapes(block).keys()
    for value, twin in zip(weights.values(), same.values(), strict=True):
        np.testing.assert_array_equal(value, twin)


def test_training_goes_back_to_all_that_is_learnt_and_no_further():
    layers = (Conv(4, 4, 4), Relu(), Conv(2, 3), Flatten(), Dense(10))
    first, second, dense = 4 * 7 * 7 * 16, 2 * 5 * 5 * 4 * 9, 50 * 10
    assert networks.multiply_adds(layers) == first + second + dense
    assert networks.training_multiply_adds(layers) == 2 * first + 3 * second + 3 * dense


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        *((Conv(8, 29), "conv1"), (Conv(0), "conv1"), (Conv(8, stride=0), "conv1"), (Conv(8, padding=-1), "conv1")),
        *((MaxPool(0), "maxpool1"), (Dropout(1.0), "dropout1"), (Dense(10), "dense1")),
    ],
)
def test_an_impossible_network_is_refused_with_the_layer_named(layer, name):
    with pytest.raises(UsageError, match=f"impossible network: {name},"):
        networks.summarise((layer, Flatten(), Dense(10)))


@pytest.mark.parametrize("layer", [Conv(8), GlobalPool(), Residual(), Dense(0)])
def test_vectors_cannot_be_convolved(layer):
    with pytest.raises(UsageError, match="impossible network"):
        networks.summarise((Flatten(), layer, Dense(10)))
    with pytest.raises(UsageError, match="ends with maps"):
        networks.summarise((Conv(8),))


@dataclass(frozen=True)
class Unknown:
    """A layer that neither networks nor engines know."""


UNKNOWN = networks.Summary("unknown1", Unknown(), networks.INPUT, networks.INPUT, {}, {}, 0)


def test_an_unknown_layer_is_refused():
    with pytest.raises(AssertionError, match="Unknown"):
        networks.summarise((Unknown(), Flatten(), Dense(10)))


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_initial_weights_fit_and_follow_the_seed(name):
    network = architectures.build(name, {}, 10)
    one, same, other = (networks.initial_weights(network, seed) for seed in (1, 1, 2))
    networks.check_weights(network, one, "these")
    assert {key: value.shape for key, value in one.items()} == networks.weight_shapes(network)
    assert all(value.dtype == np.float32 for value in one.values())
    assert all(np.array_equal(one[key], same[key]) for key in one)
    assert not all(np.array_equal(one[key], other[key]) for key in one)


def test_weights_of_another_network_are_refused_with_the_first_difference():
    weights = networks.initial_weights(architectures.quick(10), 0)
    with pytest.raises(UsageError, match=r"conv1.weight is 16×1×5×5, not 8×1×5×5"):
        networks.check_weights(architectures.quick(10, width=8), weights, "these")
    with pytest.raises(UsageError, match=r"conv1.bias is missing"):
        networks.check_weights((Conv(16, 5), Flatten(), Dense(10)), weights, "these")
    with pytest.raises(UsageError, match=r"it has no extra"):
        networks.check_weights(architectures.quick(10), weights | {"extra": np.zeros(1)}, "these")


LAYERS = st.one_of(
    st.builds(Conv, st.integers(1, 6), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3), st.booleans()),
    st.builds(MaxPool, st.integers(1, 4)),
    st.builds(Norm),
    st.builds(Residual),
    st.builds(Relu),
    st.builds(Dropout, st.floats(0, 0.9)),
)
TAILS = st.sampled_from([(Flatten(), Dense(10)), (GlobalPool(), Norm(), Dense(7), Norm(), Relu(), Dense(10))])
RANDOM_NETWORKS = st.builds(lambda body, tail: (*body, *tail), st.lists(LAYERS, max_size=7), TAILS)


def possible(network):
    """Return True if a drawn network is valid."""
    try:
        networks.summarise(network)
    except UsageError:
        return False
    return True


def lively_weights(network, seed=0):
    """Weights with batch-norm statistics that do something."""
    rng = np.random.default_rng(seed)
    weights = networks.initial_weights(network, seed)
    for name, value in weights.items():
        if "norm" in name:
            weights[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
            if name.endswith(("bias", "mean")):
                weights[name] -= np.float32(1)
            if name.endswith("weight"):
                weights[name] *= rng.choice(np.float32([-1, 1]), value.shape)  # pooling does not commute with these
    return weights


@given(RANDOM_NETWORKS.filter(possible))
def test_each_layer_gets_what_the_one_before_makes(network):
    summary = networks.summarise(network)
    for before, after in itertools.pairwise(summary):
        assert before.output_shape == after.input_shape
    assert len({layer.name for layer in summary}) == len(network)
    assert min(side for layer in summary for side in layer.output_shape) > 0
