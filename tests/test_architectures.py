"""The networks that recipes name: published counts, names, hyperparameters."""

import pytest

from tenfold import architectures, networks, recipes
from tenfold.networks import Conv, Dense, Dropout, MaxPool


def test_published_counts():
    """Those of parameters are asserted where the networks are built."""
    c1, *_ = networks.summarise(architectures.lenet5(10))
    assert c1.multiply_adds + 6 * 28 * 28 == 122_304  # LeCun et al. 1998, section II.B; connections include the bias
    assert networks.parameter_count(architectures.keras_example(10)) == 34_826
    assert networks.parameter_count(architectures.mlp(10, width=300)) == 784 * 300 + 300 + 3_010


def test_residual_counts():
    network = architectures.residual(10)
    assert networks.parameter_count(network) == 762_858
    assert networks.multiply_adds(network) == pytest.approx(58.8e6, rel=1e-3)


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("pooled", [1, 2])
def test_quick_can_be_deeper_and_see_more_at_once(depth, kernel, pooled):
    network = architectures.quick(
        10, width=8, depth=depth, kernel=kernel, stride=1 + pooled, pooled=pooled, dropout=0.2
    )
    convolutions = [layer for layer in network if isinstance(layer, Conv)]
    assert [layer.channels for layer in convolutions] == [8] + [16] * (depth - 1)
    assert convolutions[0].kernel == kernel
    assert network[-2:] == (Dropout(0.2), Dense(10))
    assert networks.summarise(network)[-1].output_shape == (10,)
    before_the_pool = network[: network.index(MaxPool(2))]
    assert sum(isinstance(layer, Conv) for layer in before_the_pool) == pooled


def test_the_recipe_quick_pools_after_its_first_convolution():
    network = recipes.quick().layers()
    assert networks.parameter_count(network) == 55_594
    shapes = [layer.output_shape for layer in networks.summarise(network) if layer.parameters]
    assert shapes == [(16, 12, 12), (16, 6, 6), (32, 4, 4), (32, 4, 4), (96,), (96,), (10,)]
