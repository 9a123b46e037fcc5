"""The weights of a network: their shapes, the first ones, those that are measured, and whether they fit."""

import math

import numpy as np

from tenfold.errors import UsageError
from tenfold.networks.layers import Dense, Filters, Network, Norm, Shape, summarise


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
