"""Choose the device and the precision for TensorFlow on this machine."""

import os
from functools import cache, partial

import keras
import tensorflow as tf

from tenfold import frameworks, machine
from tenfold.frameworks.keras.modules import POLICIES, fill, named_variables, placed, training_model
from tenfold.frameworks.precision import faster, remembered
from tenfold.networks import INPUT, Network, initial_weights


def choose_device(name: str) -> str:
    """Return the device of that name; `auto` is CUDA if it is available, otherwise the CPU.

    Raises `UsageError` for an unknown or missing device.
    """
    here = {"cuda": bool(tf.config.list_physical_devices("GPU")), "mps": False, "cpu": True}
    return frameworks.available(name, here, "TensorFlow")


def environment(device: str) -> dict[str, str | int]:
    """Return the properties of this framework that a result depends on: device and threads."""
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    chosen = tf.config.threading.get_intra_op_parallelism_threads() or (int(asked) if asked.isdecimal() else 0)
    return {"framework": "tensorflow", "device": device, "threads": chosen or machine.cores()}


@cache
def choose_precision(network: Network, batch_size: int, device: str) -> str:
    """Return "bfloat16" if it trains this network correctly and faster, otherwise "float32"."""
    here = environment(device)
    if device == "cuda":
        gpu, *_ = tf.config.list_physical_devices("GPU")
        here["gpu"] = tf.config.experimental.get_device_details(gpu).get("device_name", "")
    return remembered(network, batch_size, here, partial(_measured, network, batch_size, device))


def _measured(network: Network, batch_size: int, device: str) -> str:
    channels, *sides = INPUT
    with placed(device):
        images = tf.random.stateless_normal((batch_size, *sides, channels), seed=(0, 0))
        models = {precision: training_model(network, precision) for precision in POLICIES}
        for model in models.values():
            fill(named_variables(model), initial_weights(network, 0))
        gradients = {precision: tf.function(partial(_gradient, model)) for precision, model in models.items()}
        return faster(lambda precision: gradients[precision](images).numpy())


def _gradient(model: keras.Model, images: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        output = tf.cast(model(images, training=False), tf.float32)
        loss = tf.reduce_sum(tf.reduce_logsumexp(output, 1))
    gradients = tape.gradient(loss, model.trainable_variables)
    return tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
