"""The weights of a network: their shapes, the first ones, and whether they fit."""

import math

import numpy as np

from tenfold.errors import UsageError
from tenfold.networks.layers import Dense, Network, Norm, Shape, summarise


def weight_shapes(network: Network) -> dict[str, Shape]:
    """Return the shape of each array that the network's weights hold, in the order of the layers."""
    layers = summarise(network)
    return {name: shape for layer in layers for name, shape in (layer.parameters | layer.statistics).items()}


def initial_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Return float32 weights to start training from: uniform in ±1/√fan_in as PyTorch draws them, norms at rest."""
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
