"""A network's model as training has it: Keras' own layers, two of them on other kernels of TensorFlow."""

from typing import Any

import keras
import tensorflow as tf

from tenfold.frameworks.keras.modules import assemble
from tenfold.networks import Network

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # Keras' names for our precisions


def training_model(network: Network, precision: str) -> keras.Model:
    """Return the model of `build`, its weights still Keras' own, with convolutions and products in `precision`."""
    return assemble(network, POLICIES[precision], _FusedNorm, _ExactDense)


class _FusedNorm(keras.layers.BatchNormalization):
    """One kernel in place of Keras' dozen, so a step takes half the time; its running variance is PyTorch's, unbiased.

    Maps stay bfloat16 on their way through; what is computed of them is float32.
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
    """The bias is added as a row: the gradient of Keras' `bias_add` sums bfloat16 in bfloat16, 2 to 7% off."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        product = tf.matmul(inputs, self.kernel)
        return product + self.bias[None, :] if self.use_bias else product
