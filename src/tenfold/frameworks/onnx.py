"""ONNX: the graph written from the network and its weights, and ONNX Runtime to run it.

This is the one engine for inference: what evaluation measures is what is shipped. The graph takes uint8 pictures
`[N, 28, 28]` and normalises them itself; batch norm that follows a convolution or dense layer is folded into it.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tenfold.data.catalog import Dataset
from tenfold.networks import (
    INPUT,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    MaxPool,
    Network,
    Norm,
    Relu,
    Summary,
    check_weights,
    summarise,
)

OPSET, IR_VERSION = 21, 10  # what ONNX Runtime has read since 1.18
EPSILON = 1e-5  # added to the variance by batch norm, as PyTorch does
BATCH = 500  # pictures a run: small enough for the maps to stay in the cache


def graph(network: Network, weights: dict[str, np.ndarray], dataset: Dataset) -> onnx.ModelProto:
    """Return an ONNX model of the network: `images` uint8 `[N, 28, 28]` -> `logits` float32 `[N, classes]`.

    Raises `UsageError` if the weights are those of another network.
    """
    check_weights(network, weights, "the weights")
    writer = _Writer()
    writer.add("Cast", "images", to=TensorProto.FLOAT)
    writer.add("Sub", writer.last, writer.constant("mean", np.float32(dataset.mean)))
    writer.add("Mul", writer.last, writer.constant("scale", np.float32(1 / dataset.std)))
    writer.add("Reshape", writer.last, writer.constant("shape", np.array([-1, *INPUT])))
    layers = summarise(network)
    for layer, following in zip(layers, (*layers[1:], None), strict=True):
        folds = following is not None and isinstance(following.layer, Norm)
        writer.layer(layer, weights, norm=following if folds else None)
    classes = layers[-1].output_shape[0]
    writer.add("Identity", writer.last, output="logits")
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            dataset.name,
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *INPUT[1:]])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
            writer.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tenfold",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return an ONNX Runtime session on the CPU for a model from `graph`."""
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def logits(engine: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Return float32 logits `[N, classes]` of uint8 images `[N, 28, 28]`."""
    starts = range(0, max(len(images), 1), BATCH)
    return np.concatenate([engine.run(["logits"], {"images": images[at : at + BATCH]})[0] for at in starts])


class _Writer:
    """Collects a chain of nodes; `last` is the name of what the newest one makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.last = ""
        self._folded = ""

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        self.last = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [self.last], self.last, **attributes))
        return self.last

    def constant(self, name: str, value: np.ndarray | np.floating) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def layer(self, summary: Summary, weights: dict[str, np.ndarray], norm: Summary | None) -> None:
        """Append the nodes of one layer; `norm` is the batch norm right behind it, if that is what follows."""
        name, x = summary.name, self.last
        match summary.layer:
            case Conv(kernel=kernel, stride=stride, padding=padding):
                inputs = self._linear(summary, weights, norm)
                window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
                self.add("Conv", x, *inputs, output=name, **window)
            case Dense():
                self.add("Gemm", x, *self._linear(summary, weights, norm), output=name)
            case Norm():
                if name != self._folded:
                    keys = ("weight", "bias", "mean", "variance")
                    inputs = [self.constant(f"{name}.{key}", weights[f"{name}.{key}"]) for key in keys]
                    self.add("BatchNormalization", x, *inputs, output=name, epsilon=EPSILON)
            case Relu():
                self.add("Relu", x, output=name)
            case MaxPool(size):
                self.add("MaxPool", x, output=name, kernel_shape=[size] * 2, strides=[size] * 2)
            case GlobalPool():
                pooled = self.add("GlobalMaxPool", x), self.add("GlobalAveragePool", x)
                self.add("Flatten", self.add("Concat", *pooled, axis=1), output=name)
            case Flatten():
                self.add("Flatten", x, output=name)
            case Dropout():
                pass  # only while training

    def _linear(self, summary: Summary, weights: dict[str, np.ndarray], norm: Summary | None) -> list[str]:
        """Add weight and bias of a convolution or dense layer, the norm behind it folded in; return their names."""
        name = summary.name
        weight = weights[f"{name}.weight"]
        channel = 0 if isinstance(summary.layer, Conv) else 1  # the axis of what the layer makes
        bias = weights.get(f"{name}.bias", np.zeros(weight.shape[channel], np.float32))
        if norm is not None:
            gain = weights[f"{norm.name}.weight"] / np.sqrt(weights[f"{norm.name}.variance"] + np.float32(EPSILON))
            weight = weight * gain.reshape([-1 if axis == channel else 1 for axis in range(weight.ndim)])
            bias = (bias - weights[f"{norm.name}.mean"]) * gain + weights[f"{norm.name}.bias"]
            self._folded = norm.name
        return [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
