"""AdamW with TensorFlow's kernel, and Muon for the matrices of hidden layers if the recipe has it."""

import numpy as np
import tensorflow as tf

from tenfold.frameworks import BETA1, BETA2, EPSILON, ITERATIONS, MOMENTUM, NEWTON_SCHULZ
from tenfold.recipes import Recipe


def numbers(recipe: Recipe, steps: int) -> np.ndarray:
    """Return the numbers of each step, float32 `[steps, 5]`.

    They are AdamW's rate and epsilon, corrected for moments that start at 0 (the kernel uses epsilon after the
    correction, Kingma and Ba 2015 before it), Muon's rate, the factor of weight decay, and the share of the new weights
    in the average.
    """
    step = np.arange(1, steps + 1)
    rates, correction = recipe.learning_rates(steps), np.sqrt(1 - BETA2**step)
    adamw = rates * correction / (1 - BETA1**step), EPSILON * correction
    columns = (
        *adamw,
        recipe.schedule_shares(steps) * recipe.muon,
        1 - rates * recipe.weight_decay,
        1 - recipe.averaging_decays(steps),
    )
    return np.stack(columns, 1).astype(np.float32)


def adamw(
    parameter: tf.Variable, gradient: tf.Tensor, mean: tf.Variable, square: tf.Variable, rate: tf.Tensor, eps: tf.Tensor
) -> None:
    """Update a parameter with a corrected rate and epsilon (see `numbers`), without weight decay."""
    tf.raw_ops.ResourceApplyAdam(
        var=parameter.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=0.0,  # `rate` already has these corrections
        beta2_power=0.0,
        lr=rate,
        beta1=BETA1,
        beta2=BETA2,
        epsilon=eps,
        grad=gradient,
    )


def muon(parameter: tf.Variable, gradient: tf.Tensor, momentum: tf.Variable, rate: tf.Tensor) -> None:
    """Update the weights of a convolution, HWIO, or a dense layer, `[in, out]`, as a matrix (Jordan 2024)."""
    momentum.assign(MOMENTUM * momentum + (1 - MOMENTUM) * gradient)
    nesterov = (1 - MOMENTUM) * gradient + MOMENTUM * momentum
    columns = tf.reshape(nesterov, [-1, parameter.shape[-1]])  # [fan_in, out]
    scale = max(1, columns.shape[1] / columns.shape[0]) ** 0.5
    parameter.assign_sub(rate * scale * tf.reshape(_orthogonal(columns), parameter.shape))


def _orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """Return approximately the nearest matrix with orthonormal rows (or columns, if fewer), by Newton-Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix
    x = x / (tf.norm(x) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):  # as in pytorch/optimizer.py, in the operations that TensorFlow has
        gram = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * gram + c * tf.matmul(gram, gram), x)
    return tf.transpose(x) if tall else x
