"""Networks as `keras.Model` objects: weights under Tenfold's names, and logits.

During training, two kinds of layers use other kernels of TensorFlow.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any, assert_never

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tenfold import networks
from tenfold.data import catalog
from tenfold.networks import INPUT, Network, Summary, check_weights, summarise

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # Keras' names for our precisions
BATCH = 1_000  # pictures per forward pass without training
LAST = "channels_last"  # the only format of TensorFlow's convolutions on the CPU, whatever keras.json says
KEYS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "variance",
}


def placed(device: str) -> tf.device:
    """Return the context in which TensorFlow uses that device."""
    return tf.device({"cuda": "/GPU:0", "cpu": "/CPU:0"}[device])


def build(network: Network, weights: dict[str, np.ndarray], device: str = "cpu") -> keras.Model:
    """Return the network as an ordinary model on a device: normalised float `[N, 28, 28, 1]` -> logits `[N, classes]`.

    Raises `UsageError` with the name of the first array that does not fit if the weights are those of another network.
    """
    check_weights(network, weights, "the weights")
    with placed(device):
        model = assemble(network)
    fill(named_variables(model), weights)
    return model


def training_model(network: Network, precision: str) -> keras.Model:
    """Return the model for training: initial weights by Keras, convolutions and products in `precision`."""
    return assemble(network, POLICIES[precision], _FusedNorm, _ExactDense)


def assemble(
    network: Network,
    dtype: str = "float32",
    norm: type[layers.BatchNormalization] = layers.BatchNormalization,
    dense: type[layers.Dense] = layers.Dense,
) -> keras.Model:
    """Return the model with weights by Keras, this dtype policy, and these classes for norms and dense layers."""
    channels, *sides = INPUT
    x = images = keras.Input((*sides, channels), dtype="float32", name="images")
    for summary in summarise(network):
        for layer in _layers(summary, dtype, norm, dense):
            x = layer(x)
    return keras.Model(images, x, name="tenfold")


def logits(model: keras.Model, images: np.ndarray, dataset: str) -> np.ndarray:
    """Return float32 logits `[N, classes]` for uint8 images `[N, 28, 28]`, computed on the model's device."""
    with tf.device(model.weights[0].value.device):
        parts = [
            model(normalised(images[start : start + BATCH, :, :, None], dataset), training=False)
            for start in range(0, len(images), BATCH)
        ]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])


def normalised(pixels: Any, dataset: str) -> Any:
    """Return pixels, 0 to 255, normalised by the training set's mean and standard deviation."""
    known = catalog.find(dataset)
    return (pixels - np.float32(known.mean)) * np.float32(1 / known.std)


def named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the model's weights under Tenfold's names, in the model's own axis order."""
    return {
        f"{layer.name}.{KEYS[variable.name]}": variable
        for layer in model.layers
        for variable in layer.weights
        if variable.name in KEYS
    }


def arrays_of(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return copies of variables in Tenfold's axis order: convolutions from HWIO to OIHW, all others unchanged."""
    ops = keras.ops  # without a copy first, NumPy warns about TensorFlow variables
    arrays = {name: ops.convert_to_numpy(ops.copy(variable)) for name, variable in variables.items()}
    return {name: a.transpose(3, 2, 0, 1).copy() if a.ndim == 4 else a for name, a in arrays.items()}


def fill(variables: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Copy arrays in Tenfold's axis order into the variables with the same names."""
    for name, variable in variables.items():
        array = arrays[name]
        variable.assign(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)


def _layers(
    summary: Summary, dtype: str, norm: type[layers.BatchNormalization], dense: type[layers.Dense]
) -> Iterator[Callable[[Any], Any]]:
    """Yield the Keras layers for one layer: padding and channels-first order are separate layers in Keras."""
    name = summary.name
    match summary.layer:
        case networks.Conv(channels, kernel, stride, padding, bias):
            same = stride == 1 and 2 * padding == kernel - 1  # otherwise Keras would pad unevenly
            if padding and not same:
                yield layers.ZeroPadding2D(padding, LAST, name=f"{name}_padding", dtype=dtype)
            border = "same" if same else "valid"
            yield layers.Conv2D(channels, kernel, stride, border, LAST, use_bias=bias, name=name, dtype=dtype)
        case networks.Norm():
            yield norm(momentum=0.9, epsilon=1e-5, name=name, dtype=dtype)
        case networks.Relu():
            yield layers.ReLU(name=name, dtype=dtype)
        case networks.MaxPool(size):
            yield layers.MaxPooling2D(size, data_format=LAST, name=name, dtype=dtype)
        case networks.GlobalPool():
            largest = layers.GlobalMaxPooling2D(LAST, name=f"{name}_max", dtype=dtype)
            mean = layers.GlobalAveragePooling2D(LAST, name=f"{name}_mean", dtype=dtype)
            both = layers.Concatenate(name=name, dtype=dtype)
            yield lambda maps: both([largest(maps), mean(maps)])
        case networks.Flatten():
            if len(summary.input_shape) == 3:
                yield layers.Permute((3, 1, 2), name=f"{name}_channels_first", dtype=dtype)
            yield layers.Flatten(LAST, name=name, dtype=dtype)
        case networks.Dropout(rate):
            yield layers.Dropout(rate, name=name, dtype=dtype)
        case networks.Dense(units, bias):
            yield dense(units, use_bias=bias, name=name, dtype=dtype)
        case networks.Residual():
            inside = [layer for part in summary.parts for layer in _layers(part, dtype, norm, dense)]
            total = layers.Add(name=f"{name}_sum", dtype=dtype)
            relu = layers.ReLU(name=name, dtype=dtype)
            yield lambda maps: relu(total([maps, reduce(lambda x, layer: layer(x), inside, maps)]))
        case _:
            assert_never(summary.layer)


class _FusedNorm(keras.layers.BatchNormalization):
    """Batch norm as one kernel instead of Keras' dozen, so that a step takes half the time.

    The running variance is unbiased, as in PyTorch. Maps stay bfloat16; statistics are computed in float32.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        vectors = len(inputs.shape) == 2
        maps = inputs[:, None, None, :] if vectors else inputs  # [N, D] -> [N, 1, 1, D]
        result = tf.raw_ops.FusedBatchNormV3(
            x=maps,
            scale=self.gamma,
            offset=self.beta,
            mean=self.moving_mean,
            variance=self.moving_variance,
            epsilon=self.epsilon,
            exponential_avg_factor=1 - self.momentum,
            is_training=bool(training),
        )
        if training:
            self.moving_mean.assign(result.batch_mean)
            self.moving_variance.assign(result.batch_variance)
        return result.y[:, 0, 0, :] if vectors else result.y


class _ExactDense(keras.layers.Dense):
    """A dense layer that adds the bias as a row: Keras' `bias_add` sums gradients in bfloat16, which is 2 to 7% off."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        product = tf.matmul(inputs, self.kernel)
        return product + self.bias[None, :] if self.use_bias else product
