"""The layer language: a network is a tuple of layers, described before any framework runs it.

The tuple determines the shapes, the parameters with their names, the multiply-adds and the initial weights, which are
the same for every framework. Shapes are `[C, H, W]` for maps and `[D]` for vectors, without the batch axis. Every
network starts with one 28×28 picture, `[1, 28, 28]`, and ends with one logit per class.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from tenfold.errors import UsageError

Shape = tuple[int, ...]
INPUT: Shape = (1, 28, 28)


@dataclass(frozen=True)
class Conv:
    """Convolution, `[C, H, W] -> [channels, (H + 2·padding - kernel) // stride + 1, ...]`; weights OIHW.

    A `bias` has no effect right before a `Norm`, which subtracts the mean.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    bias: bool = True


@dataclass(frozen=True)
class Norm:
    """Batch normalisation of each channel (or unit), with learned scale and shift (Ioffe and Szegedy 2015)."""


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPool:
    """The largest of each `size`×`size` block, `[C, H, W] -> [C, H // size, W // size]`."""

    size: int = 2


@dataclass(frozen=True)
class GlobalPool:
    """The largest and the mean of each map, one after the other: `[C, H, W] -> [2·C]`."""


@dataclass(frozen=True)
class Flatten:
    """`[C, H, W] -> [C·H·W]`, channels first."""


@dataclass(frozen=True)
class Dropout:
    """During training, set a share `rate` of the values to 0 and multiply the others by 1 / (1 - rate)."""

    rate: float = 0.5


@dataclass(frozen=True)
class Dense:
    """Matrix product and bias, `[D] -> [units]`; weights `[in, out]`. Before a `Norm`, the bias has no effect."""

    units: int
    bias: bool = True


@dataclass(frozen=True)
class Residual:
    """Residual block, `[C, H, W] -> [C, H, W]`: relu(x + norm(conv(relu(norm(conv(x)))))) (He et al. 2016).

    Both convolutions are 3×3, padded by 1, with C channels and no bias. Weights are named as if the inner layers were
    a network: `residual1.conv1.weight`, `residual1.norm1.mean`, `residual1.conv2.weight`.
    """


Layer = Conv | Norm | Relu | MaxPool | GlobalPool | Flatten | Dropout | Dense | Residual
Network = tuple[Layer, ...]


@dataclass(frozen=True)
class Summary:
    """Name of one layer of a network, its input and output shapes, and its multiply-adds per picture.

    `parameters` maps the names of learned arrays to their shapes, `statistics` those of measured arrays. `parts` are
    the layers of a residual block before the addition.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: dict[str, Shape]
    statistics: dict[str, Shape]
    multiply_adds: int
    parts: tuple["Summary", ...] = ()

    @property
    def parameter_count(self) -> int:
        """The number of learned values."""
        return sum(math.prod(shape) for shape in self.parameters.values())


def summarise(network: Network) -> tuple[Summary, ...]:
    """Return the network layer by layer; raise `UsageError` for a layer that cannot follow the one before it."""
    layers = tuple(_walk(network, INPUT))
    if len(shape := layers[-1].output_shape if layers else INPUT) != 1:
        raise UsageError(f"the network ends with maps of shape {shape}; it must end with a Dense layer")
    return layers


def parameter_count(network: Network) -> int:
    """Return the number of learned values. Running statistics of batch norm are measured, not learned."""
    return sum(layer.parameter_count for layer in summarise(network))


def multiply_adds(network: Network) -> int:
    """Return the multiply-adds of the convolutions and dense layers for one picture."""
    return sum(layer.multiply_adds for layer in summarise(network))


def training_multiply_adds(network: Network) -> int:
    """Return the multiply-adds of one picture in training: forward, and backward to weights and maps.

    The gradient with respect to the picture itself is not computed.
    """
    total, learnt = 0, False
    for layer in _simple_layers(network):
        total += layer.multiply_adds * (1 + bool(layer.parameters) + learnt)
        learnt = learnt or bool(layer.parameters)
    return total


def weight_shapes(network: Network) -> dict[str, Shape]:
    """Return the shape of each weight array of the network, in the order of the layers."""
    layers = summarise(network)
    return {name: shape for layer in layers for name, shape in (layer.parameters | layer.statistics).items()}


def initial_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Return initial float32 weights: uniform in ±1/√fan_in as in PyTorch; norms start as the identity."""
    rng = np.random.default_rng([seed, 0])
    weights: dict[str, np.ndarray] = {}
    for layer in _simple_layers(network):
        shapes = layer.parameters | layer.statistics
        match layer.layer:
            case Conv() | Dense():
                fan_in = layer.multiply_adds // math.prod(layer.output_shape)
                for name, shape in shapes.items():
                    weights[name] = rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(math.sqrt(fan_in))
            case Norm():
                for name, shape in shapes.items():
                    weights[name] = (np.ones if name.endswith(("weight", "variance")) else np.zeros)(shape, np.float32)
            case Relu() | MaxPool() | GlobalPool() | Flatten() | Dropout() | Residual():
                pass
            case _:
                assert_never(layer.layer)
    return weights


def check_weights(network: Network, weights: dict[str, np.ndarray], source: str) -> None:
    """Raise `UsageError` with the name of the first array of `weights` that does not fit the network."""
    check_arrays(weight_shapes(network), weights, source)
    for name, array in weights.items():
        if name.endswith(".variance") and array.min() < 0:
            raise UsageError(f"{source}: {name} has a negative value; variances must be at least 0")


def check_arrays(shapes: Mapping[str, Shape], arrays: Mapping[str, np.ndarray], source: str) -> None:
    """Raise `UsageError` unless the arrays have these names and shapes, and are finite float32."""
    for name, shape in shapes.items():
        if name not in arrays:
            raise UsageError(f"{source}: these weights are of another network: {name} is missing")
        if arrays[name].shape != shape:
            found = "×".join(map(str, arrays[name].shape))
            raise UsageError(
                f"{source}: these weights are of another network: {name} is {found}, not {'×'.join(map(str, shape))}"
            )
        if arrays[name].dtype != np.float32:
            raise UsageError(f"{source}: {name} must be float32, got {arrays[name].dtype}")
        if not np.isfinite(arrays[name]).all():
            raise UsageError(f"{source}: {name} has values that are not finite; use a run that did not diverge")
    if extra := sorted(arrays.keys() - shapes.keys()):
        raise UsageError(f"{source}: these weights are of another network: it has no {extra[0]}")


def _simple_layers(network: Network) -> Iterator[Summary]:
    """Yield the layers in order, with a residual block replaced by the layers inside it."""
    for layer in summarise(network):
        yield from layer.parts or (layer,)


def _walk(network: Network, shape: Shape, prefix: str = "") -> Iterator[Summary]:
    seen: dict[str, int] = {}
    for layer in network:
        kind = type(layer).__name__.lower()
        seen[kind] = seen.get(kind, 0) + 1
        name = f"{prefix}{kind}{seen[kind]}"
        parameters: dict[str, Shape] = {}
        statistics: dict[str, Shape] = {}
        cost = 0
        parts: tuple[Summary, ...] = ()
        output = shape
        match layer:
            case Conv(channels, kernel, stride, padding, bias):
                _need(min(channels, kernel, stride) > 0 <= padding, name, layer, shape)
                _need(len(shape) == 3 and min(shape[1:]) + 2 * padding >= kernel, name, layer, shape)
                output = (channels, *((side + 2 * padding - kernel) // stride + 1 for side in shape[1:]))
                parameters = {f"{name}.weight": (channels, shape[0], kernel, kernel)}
                parameters |= {f"{name}.bias": (channels,)} if bias else {}
                cost = math.prod(output) * shape[0] * kernel**2
            case Dense(units, bias):
                _need(len(shape) == 1 and units > 0, name, layer, shape)
                output = (units,)
                parameters = {f"{name}.weight": (shape[0], units)} | ({f"{name}.bias": (units,)} if bias else {})
                cost = shape[0] * units
            case Norm():
                parameters = {f"{name}.{key}": shape[:1] for key in ("weight", "bias")}
                statistics = {f"{name}.{key}": shape[:1] for key in ("mean", "variance")}
            case MaxPool(size):
                _need(len(shape) == 3 and 0 < size <= min(shape[1:]), name, layer, shape)
                output = (shape[0], *(side // size for side in shape[1:]))
            case GlobalPool():
                _need(len(shape) == 3, name, layer, shape)
                output = (2 * shape[0],)
            case Flatten():
                output = (math.prod(shape),)
            case Dropout(rate):
                _need(0 <= rate < 1, name, layer, shape)
            case Relu():
                pass
            case Residual():
                _need(len(shape) == 3, name, layer, shape)
                conv = Conv(shape[0], 3, padding=1, bias=False)
                parts = tuple(_walk((conv, Norm(), Relu(), conv, Norm()), shape, f"{name}."))
                for part in parts:
                    parameters |= part.parameters
                    statistics |= part.statistics
                    cost += part.multiply_adds
            case _:
                assert_never(layer)
        yield Summary(name, layer, shape, output, parameters, statistics, cost, parts)
        shape = output


def _need(possible: bool, name: str, layer: Layer, shape: Shape) -> None:
    if not possible:
        raise UsageError(f"impossible network: {name}, {layer}, cannot follow a shape of {'×'.join(map(str, shape))}")
