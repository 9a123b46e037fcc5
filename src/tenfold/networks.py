"""Networks as tuples of layers: what they are, before any framework runs them.

A network is made by a function of its hyperparameters (`quick(width=16)`). From the tuple alone follow the shapes,
the parameters with their names, the multiply-adds and the initial weights, the same for every framework.

Shapes are `[C, H, W]` for maps and `[D]` for vectors, without the batch axis. Every network begins with one 28×28
picture, `[1, 28, 28]`, and ends with one logit a class.
"""

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tenfold.errors import UsageError, unknown

Shape = tuple[int, ...]
INPUT: Shape = (1, 28, 28)


@dataclass(frozen=True)
class Conv:
    """Convolution, `[C, H, W] -> [channels, (H + 2·padding - kernel) // stride + 1, ...]`; weights OIHW.

    A `bias` is of no use right before a `Norm`, which takes the mean away again.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    bias: bool = True


@dataclass(frozen=True)
class Filters:
    """Convolution whose filters are measured on training pictures, not learnt; weights OIHW and a bias.

    The principal components of the pictures' `kernel`×`kernel` patches, each with its negative behind it, so that a
    rectifier keeps both signs, and scaled so that each answers with mean 0 and standard deviation 1. Nothing below it
    needs a gradient, which halves the arithmetic of what is learnt on it. Only as the first layer, of at most
    2·kernel² channels. Source: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (its whitening layer).
    """

    channels: int
    kernel: int = 5
    stride: int = 1


@dataclass(frozen=True)
class Norm:
    """Batch normalisation of each channel (or unit), with learnt scale and shift (Ioffe and Szegedy 2015)."""


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
    """While training, zero a share `rate` of the values and scale the others by 1 / (1 - rate)."""

    rate: float = 0.5


@dataclass(frozen=True)
class Dense:
    """Matrix product and bias, `[D] -> [units]`; weights `[in, out]`. Before a `Norm`, the bias is of no use."""

    units: int
    bias: bool = True


Layer = Conv | Filters | Norm | Relu | MaxPool | GlobalPool | Flatten | Dropout | Dense
Network = tuple[Layer, ...]


@dataclass(frozen=True)
class Summary:
    """One layer of a network: its name there, what it makes of what, and what that costs a picture.

    `parameters` maps the names of its learnt arrays to their shapes; `statistics` those that are measured instead.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: dict[str, Shape]
    statistics: dict[str, Shape]
    multiply_adds: int

    @property
    def parameter_count(self) -> int:
        """The number of learnt values."""
        return sum(math.prod(shape) for shape in self.parameters.values())


def summarise(network: Network) -> tuple[Summary, ...]:
    """Return the network layer by layer; `UsageError` naming the layer that cannot follow what comes before it."""
    return tuple(_walk(network))


def parameter_count(network: Network) -> int:
    """Return the number of learnt values (batch norm's running statistics are measured, not learnt)."""
    return sum(layer.parameter_count for layer in summarise(network))


def multiply_adds(network: Network) -> int:
    """Return the multiply-adds of the convolutions and dense layers for one picture."""
    return sum(layer.multiply_adds for layer in summarise(network))


def training_multiply_adds(network: Network) -> int:
    """Return the multiply-adds of one picture in training: forward, and backward to weights and maps.

    There is no way back to what has nothing learnt below it: the picture, and what `Filters` make of it.
    """
    total, learnt = 0, False
    for layer in summarise(network):
        total += layer.multiply_adds * (1 + bool(layer.parameters) + learnt)
        learnt = learnt or bool(layer.parameters)
    return total


def weight_shapes(network: Network) -> dict[str, Shape]:
    """Return the shape of each array that the network's weights hold, in the order of the layers."""
    layers = summarise(network)
    return {name: shape for layer in layers for name, shape in (layer.parameters | layer.statistics).items()}


def initial_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Return float32 weights to start training from: uniform in ±1/√fan_in as PyTorch draws them, norms at rest.

    `Filters` are random too, until `measured` takes their place.
    """
    rng = np.random.default_rng([seed, 0])
    weights: dict[str, np.ndarray] = {}
    for layer in summarise(network):
        shapes = layer.parameters | layer.statistics
        if isinstance(layer.layer, Norm):
            for name, shape in shapes.items():
                weights[name] = (np.ones if name.endswith(("weight", "variance")) else np.zeros)(shape, np.float32)
        elif shapes:
            shape = shapes[f"{layer.name}.weight"]
            fan_in = shape[0] if isinstance(layer.layer, Dense) else math.prod(shape[1:])
            for name, shape in shapes.items():
                weights[name] = rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(math.sqrt(fan_in))
    return weights


def measured(network: Network, weights: dict[str, np.ndarray], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the weights with those of `Filters` measured on normalised pictures, float32 `[N, 28, 28]`."""
    first, *_ = summarise(network)
    if not isinstance(first.layer, Filters):
        return weights
    kernel, stride = first.layer.kernel, first.layer.stride
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (kernel, kernel), axis=(1, 2))
    patches = windows[:, ::stride, ::stride].reshape(-1, kernel**2).astype(np.float64)  # every one that it will see
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    largest = np.argsort(values)[::-1][: -(-first.layer.channels // 2)]
    deviations = np.sqrt(np.maximum(values[largest], 1e-6))  # pixels that never differ have none
    components = (vectors[:, largest] / deviations).T  # [channels / 2, kernel²]: an answer's variance is the eigenvalue
    bias = -components @ patches.mean(0)
    signs = np.array([1, -1])
    filters = (components[:, None] * signs[:, None]).reshape(-1, 1, kernel, kernel)
    biases = (bias[:, None] * signs).ravel()
    channels = first.layer.channels
    return weights | {
        f"{first.name}.weight": filters[:channels].astype(np.float32),
        f"{first.name}.bias": biases[:channels].astype(np.float32),
    }


def check_weights(network: Network, weights: dict[str, np.ndarray], source: str) -> None:
    """Raise `UsageError` naming the first array of `weights` that does not fit the network."""
    for name, shape in weight_shapes(network).items():
        if name not in weights:
            raise UsageError(f"{source}: these weights are of another network: {name} is missing")
        if weights[name].shape != shape:
            found = "×".join(map(str, weights[name].shape))
            raise UsageError(
                f"{source}: these weights are of another network: {name} is {found}, not {'×'.join(map(str, shape))}"
            )
        if weights[name].dtype != np.float32:
            raise UsageError(f"{source}: {name} is {weights[name].dtype}; the weights of a run are float32")
    if extra := sorted(weights.keys() - weight_shapes(network).keys()):
        raise UsageError(f"{source}: these weights are of another network: it has no {extra[0]}")


def _walk(network: Network) -> Iterator[Summary]:
    shape = INPUT
    seen: dict[str, int] = {}
    for layer in network:
        kind = type(layer).__name__.lower()
        seen[kind] = seen.get(kind, 0) + 1
        name = f"{kind}{seen[kind]}"
        parameters: dict[str, Shape] = {}
        statistics: dict[str, Shape] = {}
        cost = 0
        output = shape
        match layer:
            case Conv(channels, kernel, stride, padding, bias):
                _need(min(channels, kernel, stride) > 0 <= padding, name, layer, shape)
                _need(len(shape) == 3 and min(shape[1:]) + 2 * padding >= kernel, name, layer, shape)
                output = (channels, *((side + 2 * padding - kernel) // stride + 1 for side in shape[1:]))
                parameters = {"weight": (channels, shape[0], kernel, kernel)} | ({"bias": (channels,)} if bias else {})
                cost = math.prod(output) * shape[0] * kernel**2
            case Filters(channels, kernel, stride):
                _need(shape == INPUT and min(kernel, stride) > 0 and kernel <= min(shape[1:]), name, layer, shape)
                _need(0 < channels <= 2 * kernel**2, name, layer, shape)
                output = (channels, *((side - kernel) // stride + 1 for side in shape[1:]))
                statistics = {"weight": (channels, 1, kernel, kernel), "bias": (channels,)}
                cost = math.prod(output) * kernel**2
            case Dense(units, bias):
                _need(len(shape) == 1 and units > 0, name, layer, shape)
                output = (units,)
                parameters = {"weight": (shape[0], units)} | ({"bias": (units,)} if bias else {})
                cost = shape[0] * units
            case Norm():
                parameters = {"weight": shape[:1], "bias": shape[:1]}
                statistics = {"mean": shape[:1], "variance": shape[:1]}
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
        yield Summary(
            name,
            layer,
            shape,
            output,
            {f"{name}.{key}": value for key, value in parameters.items()},
            {f"{name}.{key}": value for key, value in statistics.items()},
            cost,
        )
        shape = output
    if len(shape) != 1:
        raise UsageError(f"the network ends with maps of shape {shape}; a Dense layer with a logit a class is needed")


def _need(possible: bool, name: str, layer: Layer, shape: Shape) -> None:
    if not possible:
        raise UsageError(f"impossible network: {name}, {layer}, cannot follow a shape of {'×'.join(map(str, shape))}")


# The catalog. A function's arguments are the network's hyperparameters: `--set network.width=24`.


def mlp(classes: int, width: int = 128, depth: int = 1) -> Network:
    """Return hidden layers of ReLUs: the network that textbooks begin with."""
    hidden: Network = (Dense(width), Relu()) * depth
    return (Flatten(), *hidden, Dense(classes))


def lenet5(classes: int) -> Network:
    """Return LeNet-5 (LeCun et al. 1998), with ReLU and max pooling, and every map of C3 joined to every one of S2.

    The paper's C3 leaves out some of these joins (1,516 parameters, here 2,416) and its subsampling layers learn
    a scale and a bias; the other counts are the paper's: C1 156, C5 48,120, F6 10,164.
    """
    c1_s2: Network = (Conv(6, 5, padding=2), Relu(), MaxPool(2))
    c3_s4: Network = (Conv(16, 5), Relu(), MaxPool(2))
    c5: Network = (Conv(120, 5), Relu(), Flatten())
    return (*c1_s2, *c3_s4, *c5, Dense(84), Relu(), Dense(classes))


def keras_example(classes: int) -> Network:
    """Return the network of Keras' "Simple MNIST convnet" example: 34,826 parameters."""
    conv1: Network = (Conv(32, 3), Relu(), MaxPool(2))
    conv2: Network = (Conv(64, 3), Relu(), MaxPool(2))
    return (*conv1, *conv2, Flatten(), Dropout(0.5), Dense(classes))


def quick(
    classes: int, width: int = 16, depth: int = 2, kernel: int = 5, hidden: int = 72, dropout: float = 0.0
) -> Network:
    """Return a network made for the second, not for the record: measured filters that shrink the picture at once.

    `width` is the number of filters and `kernel` their size; `depth` counts the convolutions with them, 2 or more.
    """
    if depth < 2:
        raise UsageError(f"network quick needs a depth of 2 or more, not {depth}")
    channels = 3 * width // 2
    stem: Network = (Filters(width, kernel, stride=3), Relu())  # 28×28 -> 8×8
    middle = _unit(channels, 3, pool=2)  # -> 6×6 -> 3×3
    late = _unit(channels, 3, padding=1) * (depth - 2)
    dropped: Network = (Dropout(dropout),) if dropout else ()
    return (*stem, *middle, *late, Flatten(), *_hidden(hidden), *dropped, Dense(classes))


def tiny(classes: int, width: int = 8) -> Network:
    """Return five small convolutions and a global pool: accuracy for few parameters, below 5,000 as it is."""
    early = (*_unit(width, 3), *_unit(width, 3, pool=2))  # 28×28 -> 26×26 -> 24×24 -> 12×12
    middle = (*_unit(3 * width // 2, 3), *_unit(3 * width // 2, 3, pool=2))  # -> 10×10 -> 8×8 -> 4×4
    return (*early, *middle, *_unit(3 * width // 2, 3, padding=1), GlobalPool(), Dense(classes))


def standard(classes: int, width: int = 24) -> Network:
    """Return four convolutions and a hidden layer: few maps while they are large, many once they are small."""
    stem = _unit(width, 5, stride=2)  # 28×28 -> 12×12
    early = _unit(2 * width, 3, pool=2)  # -> 10×10 -> 5×5
    late = (*_unit(4 * width, 3, padding=1), *_unit(4 * width, 3))  # -> 5×5 -> 3×3
    return (*stem, *early, *late, Flatten(), *_hidden(16 * width // 3), Dense(classes))


def _unit(channels: int, kernel: int, stride: int = 1, padding: int = 0, pool: int = 1) -> Network:
    """Convolve, pool, normalise, cut off: pooled first, the norm has a quarter of the work."""
    pooled: Network = (MaxPool(pool),) if pool > 1 else ()
    return (Conv(channels, kernel, stride, padding, bias=False), *pooled, Norm(), Relu())


def _hidden(units: int) -> Network:
    """Multiply, normalise, cut off."""
    return (Dense(units, bias=False), Norm(), Relu())


NETWORKS: dict[str, Callable[..., Network]] = {
    function.__name__: function for function in (mlp, lenet5, keras_example, tiny, quick, standard)
}


def arguments(name: str) -> dict[str, inspect.Parameter]:
    """Return the hyperparameters of a network of the catalog; `UsageError` if it is unknown."""
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    parameters = inspect.signature(NETWORKS[name]).parameters
    return {key: value for key, value in parameters.items() if key != "classes"}


def build(name: str, hyperparameters: dict[str, int | float], classes: int) -> Network:
    """Return a network of the catalog, checked; `UsageError` for unknown names and impossible networks."""
    known = arguments(name)
    for key in hyperparameters:
        if key not in known:
            raise unknown(f"argument of network {name!r}", key, known)
    network = NETWORKS[name](classes, **hyperparameters)
    summarise(network)
    return network
