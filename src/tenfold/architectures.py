"""The networks that recipes can name: functions of their hyperparameters, `--set network.width=24`.

Published networks assert the published numbers of parameters.
"""

import inspect
from collections.abc import Callable

from tenfold.errors import UsageError, unknown
from tenfold.networks import (
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    MaxPool,
    Network,
    Norm,
    Relu,
    Residual,
    parameter_count,
    summarise,
)


def mlp(classes: int, width: int = 128, depth: int = 1) -> Network:
    """Return hidden layers with ReLU: the first network in most textbooks."""
    hidden: Network = (Dense(width), Relu()) * depth
    return (Flatten(), *hidden, Dense(classes))


def lenet5(classes: int) -> Network:
    """Return LeNet-5 (LeCun et al. 1998), with ReLU and max pooling, and each map of C3 connected to all maps of S2.

    The paper's C3 omits some of these connections and has 1,516 parameters; its subsampling layers learn a scale and a
    bias. All other parameter counts are those of the paper.
    """
    c1_s2: Network = (Conv(6, 5, padding=2), Relu(), MaxPool(2))
    c3_s4: Network = (Conv(16, 5), Relu(), MaxPool(2))
    c5: Network = (Conv(120, 5), Relu(), Flatten())
    network = (*c1_s2, *c3_s4, *c5, Dense(84), Relu(), Dense(classes))
    c1, _, c5_count, f6, _ = (layer.parameter_count for layer in summarise(network) if layer.parameters)
    assert (c1, c5_count, f6) == (156, 48_120, 10_164)
    return network


def keras_example(classes: int) -> Network:
    """Return the network of Keras' "Simple MNIST convnet" example: 34,826 parameters for 10 classes."""
    conv1: Network = (Conv(32, 3), Relu(), MaxPool(2))
    conv2: Network = (Conv(64, 3), Relu(), MaxPool(2))
    network = (*conv1, *conv2, Flatten(), Dropout(0.5), Dense(classes))
    assert parameter_count(network) == 34_826 + (classes - 10) * 1_601
    return network


def quick(
    classes: int,
    width: int = 16,
    depth: int = 2,
    kernel: int = 5,
    stride: int = 3,
    pooled: int = 2,
    hidden: int = 52,
    dropout: float = 0.0,
) -> Network:
    """Return a few convolutions, the first with a stride: made for speed, not for the highest accuracy.

    `kernel` and `stride` are those of the first convolution, `depth` is the number of convolutions, at least 2,
    `pooled` the one with max pooling, 1 or 2, and `hidden` the number of units after them. The recipe `quick` sets some
    of them. The defaults stay, because recipes of older runs do not name them.
    """
    if depth < 2:
        raise UsageError(f"network.depth of quick must be at least 2, got {depth}")
    if pooled not in (1, 2):
        raise UsageError(f"network.pooled of quick must be 1 or 2, got {pooled}")
    stem = _unit(width, kernel, stride, pool=2 if pooled == 1 else 1)  # by default 28×28 -> 8×8
    middle = _unit(2 * width, 3, pool=2 if pooled == 2 else 1)  # -> 6×6 -> 3×3
    late = (*_unit(2 * width, 3, padding=1) * (depth - 3), *_unit(2 * width, 3)) if depth > 2 else ()  # -> 1×1
    dropped: Network = (Dropout(dropout),) if dropout else ()
    return (*stem, *middle, *late, Flatten(), *_hidden(hidden), *dropped, Dense(classes))


def tiny(classes: int, width: int = 8) -> Network:
    """Return five small convolutions and a global pool: accurate with few parameters, by default below 5,000."""
    early = (*_unit(width, 3), *_unit(width, 3, pool=2))  # 28×28 -> 26×26 -> 24×24 -> 12×12
    middle = (*_unit(3 * width // 2, 3), *_unit(3 * width // 2, 3, pool=2))  # -> 10×10 -> 8×8 -> 4×4
    return (*early, *middle, *_unit(3 * width // 2, 3, padding=1), GlobalPool(), Dense(classes))


def standard(classes: int, width: int = 24) -> Network:
    """Return four convolutions and a hidden layer: few maps while they are large, many when they are small."""
    stem = _unit(width, 5, stride=2)  # 28×28 -> 12×12
    early = _unit(2 * width, 3, pool=2)  # -> 10×10 -> 5×5
    late = (*_unit(4 * width, 3, padding=1), *_unit(4 * width, 3))  # -> 5×5 -> 3×3
    return (*stem, *early, *late, Flatten(), *_hidden(16 * width // 3), Dense(classes))


def fullres(classes: int, width: int = 16) -> Network:
    """Return five convolutions and a global pool: full resolution first, and no hidden layer that could memorise."""
    early = (*_unit(width, 3), *_unit(2 * width, 3, pool=2))  # 28×28 -> 26×26 -> 24×24 -> 12×12
    middle = (*_unit(4 * width, 3), *_unit(4 * width, 3, pool=2))  # -> 10×10 -> 8×8 -> 4×4
    return (*early, *middle, *_unit(8 * width, 3, padding=1), GlobalPool(), Dense(classes))


def residual(classes: int, width: int = 32) -> Network:
    """Return four convolutions and two residual blocks, for pictures with more detail than digits."""
    early = (*_unit(width, 3), *_unit(2 * width, 3, padding=1, pool=2))  # 28×28 -> 26×26 -> 13×13
    middle = (Residual(), *_unit(4 * width, 3, padding=1, pool=2))  # -> 6×6
    return (*early, *middle, Residual(), *_unit(8 * width, 3, padding=1), GlobalPool(), Dense(classes))


def _unit(channels: int, kernel: int, stride: int = 1, padding: int = 0, pool: int = 1) -> Network:
    """Return convolution, pooling, norm and ReLU. Pooling comes first, so that the norm has a quarter of the work."""
    pooled: Network = (MaxPool(pool),) if pool > 1 else ()
    return (Conv(channels, kernel, stride, padding, bias=False), *pooled, Norm(), Relu())


def _hidden(units: int) -> Network:
    """Return a dense layer, norm and ReLU."""
    return (Dense(units, bias=False), Norm(), Relu())


NETWORKS: dict[str, Callable[..., Network]] = {
    function.__name__: function for function in (mlp, lenet5, keras_example, tiny, quick, standard, fullres, residual)
}


# Largest hyperparameters; beyond them even the summary is refused. Training also checks the memory of the machine.
MOST = {"width": 1_000_000, "hidden": 1_000_000, "depth": 1_000, "kernel": 28, "stride": 28, "pooled": 2}


def arguments(name: str) -> dict[str, inspect.Parameter]:
    """Return the hyperparameters of a network in the catalog; raise `UsageError` if it is unknown."""
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    parameters = inspect.signature(NETWORKS[name]).parameters
    return {key: value for key, value in parameters.items() if key != "classes"}


def build(name: str, hyperparameters: dict[str, int | float], classes: int) -> Network:
    """Return a checked network of the catalog; raise `UsageError` for unknown names and impossible networks."""
    known = arguments(name)
    for key, value in hyperparameters.items():
        if key not in known:
            raise unknown(f"argument of network {name!r}", key, known)
        if known[key].annotation is int and not (type(value) is int and 0 <= value <= MOST[key]):
            raise UsageError(f"network.{key}={value} must be a whole number from 0 to {MOST[key]:,}")
    network = NETWORKS[name](classes, **hyperparameters)
    summarise(network)
    return network
