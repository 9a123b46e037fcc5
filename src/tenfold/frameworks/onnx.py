"""ONNX: the graph written from the network and its weights, and ONNX Runtime to run it.

This is the one engine for inference: what evaluation measures is what is shipped. The graph takes uint8 pictures
`[N, 28, 28]` and normalises them itself; batch norm that follows a convolution or dense layer is folded into it.
"""

import math
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, assert_never

import numpy as np
import onnx
import onnxruntime
from numpy.typing import DTypeLike
from onnx import TensorProto, helper, numpy_helper

from tenfold.data import catalog
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
    Residual,
    Summary,
    check_weights,
    summarise,
)
from tenfold.recipes import Recipe

OPSET, IR_VERSION = 21, 10  # what ONNX Runtime has read since 1.18
EPSILON = 1e-5  # added to the variance by batch norm, as PyTorch does
BATCH = 500  # pictures a run: small enough for the maps to stay in the cache


def graph(
    network: Network,
    weights: dict[str, np.ndarray],
    dataset: Dataset,
    inner: Sequence[str] = (),
    dtype: DTypeLike = np.float32,
) -> onnx.ModelProto:
    """Return an ONNX model of the network: `images` uint8 `[N, 28, 28]` -> `logits` float32 `[N, classes]`.

    With `inner`, names from `inner_layers`, it also gives what those layers make, `[N, *output_shape]`. Weights and
    layers are of `dtype`, float32 or float16. Raises `UsageError` if the weights are those of another network.
    """
    check_weights(network, weights, "the weights")
    writer = _Writer(np.dtype(dtype))
    writer.add("Cast", "images", output="pixels", to=writer.type)
    writer.add("Sub", "pixels", writer.constant("mean", np.float32(dataset.mean)), output="centred")
    writer.add("Mul", "centred", writer.constant("scale", np.float32(1 / dataset.std)), output="normalised")
    writer.add("Reshape", "normalised", writer.constant("shape", np.array([-1, *INPUT])), output="map")
    layers = summarise(network)
    writer.chain(layers, weights)
    writer.add("Cast", writer.last, output="logits", to=TensorProto.FLOAT)
    shapes = {layer.name: layer.output_shape for layer in layers}
    results = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", *layers[-1].output_shape])]
    results += [helper.make_tensor_value_info(name, writer.type, ["N", *shapes[name]]) for name in inner]
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            dataset.name,
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *INPUT[1:]])],
            results,
            writer.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tenfold",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def quantised(model: onnx.ModelProto, images: np.ndarray) -> onnx.ModelProto:
    """Return the model with 8-bit weights and activations, their ranges measured on uint8 images `[N, 28, 28]`.

    Weights get 7 of the 8 bits: with all of them, processors without VNNI would overflow in silence. The first
    convolution stays as it is: of one channel, it is five times as slow in integers. So do the logits.
    """
    from onnxruntime import quantization

    class Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{"images": images[at : at + BATCH]} for at in range(0, len(images), BATCH)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    helper.set_model_props(prepared, {"onnx.quant.pre_process": "onnxruntime.quant"})  # norms are folded already
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(prepared, f"{folder}/model.onnx")
        quantization.quantize_static(
            f"{folder}/model.onnx",
            f"{folder}/int8.onnx",
            Batches(),
            op_types_to_quantize=["Conv", "Gemm"],
            nodes_to_exclude=[node.name for node in model.graph.node if node.op_type == "Conv"][:1],
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
        return onnx.load(f"{folder}/int8.onnx")


def session(model: onnx.ModelProto, threads: int = 0) -> onnxruntime.InferenceSession:
    """Return an ONNX Runtime session on the CPU for a model from `graph`; 0 `threads` are one a core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def outputs(engine: onnxruntime.InferenceSession, images: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """Return what the model gives under these names for uint8 images `[N, 28, 28]`: arrays `[N, ...]`."""
    starts = range(0, max(len(images), 1), BATCH)
    parts = [engine.run(list(names), {"images": images[at : at + BATCH]}) for at in starts]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def logits(engine: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Return float32 logits `[N, classes]` of uint8 images `[N, 28, 28]`."""
    return outputs(engine, images, ["logits"])[0]


def answer(recipe: Recipe, weights: dict[str, np.ndarray], images: np.ndarray, threads: int = 0) -> np.ndarray:
    """Return float32 logits `[N, classes]` of the recipe's network with these weights, for uint8 `[N, 28, 28]`."""
    return logits(session(graph(recipe.layers(), weights, catalog.find(recipe.dataset)), threads), images)


def inner_layers(network: Network) -> tuple[str, ...]:
    """Return the names of the layers whose outputs the graph holds, in order.

    Not there: dropout, and a layer whose batch norm is folded into it: the norm's output stands for both.
    """
    layers = summarise(network)
    folded = {layer.name for layer, following in pairwise(layers) if _folds(layer, following)}
    return tuple(s.name for s in layers if s.name not in folded and not isinstance(s.layer, Dropout))


def layer_outputs(
    network: Network, weights: dict[str, np.ndarray], dataset: Dataset, images: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return what layers (names from `inner_layers`) make of uint8 images `[N, 28, 28]`: float32 `[N, *shape]` each."""
    engine = session(graph(network, weights, dataset, names))
    return dict(zip(names, outputs(engine, images, names), strict=True))


def features(network: Network, weights: dict[str, np.ndarray], dataset: Dataset, images: np.ndarray) -> np.ndarray:
    """Return what the last layer decides on, float32 `[N, D]`: the penultimate features of images `[N, 28, 28]`."""
    name = inner_layers(network)[-2]
    output = layer_outputs(network, weights, dataset, images, [name])[name]
    return output.reshape(len(images), math.prod(output.shape[1:]))


def _folds(layer: Summary, following: Summary) -> bool:
    """Whether the graph computes `following`, a batch norm, within `layer`."""
    return isinstance(following.layer, Norm) and isinstance(layer.layer, Conv | Dense)


class _Writer:
    """Collects a chain of nodes over arrays of a `dtype`; `last` is the name of what the newest one makes."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.type = helper.np_dtype_to_tensor_dtype(dtype)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.last = ""

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        self.last = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [self.last], self.last, **attributes))
        return self.last

    def constant(self, name: str, value: np.ndarray | np.floating) -> str:
        """Add a constant, floating-point ones in the writer's type, and return its name."""
        array = np.asarray(value)
        floating = np.issubdtype(array.dtype, np.floating)
        self.constants.append(numpy_helper.from_array(array.astype(self.dtype) if floating else array, name))
        return name

    def chain(self, layers: Sequence[Summary], weights: dict[str, np.ndarray]) -> None:
        """Append the nodes of layers, one after the other."""
        for layer, following in zip(layers, (*layers[1:], None), strict=True):
            self.layer(layer, weights, norm=following if following and _folds(layer, following) else None)

    def layer(self, summary: Summary, weights: dict[str, np.ndarray], norm: Summary | None) -> None:
        """Append the nodes of one layer; `norm` is the batch norm right behind it that is folded into it, if any."""
        name, x = summary.name, self.last
        made = norm.name if norm else name  # what comes out is already normalised
        match summary.layer:
            case Conv(kernel=kernel, stride=stride, padding=padding):
                inputs = self._linear(summary, weights, norm)
                window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
                self.add("Conv", x, *inputs, output=made, **window)
            case Dense():
                self.add("Gemm", x, *self._linear(summary, weights, norm), output=made)
            case Norm():
                if name != x:  # else it is folded into the layer before
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
            case Residual():
                self.chain(summary.parts, weights)
                self.add("Relu", self.add("Add", x, self.last), output=name)
            case _:
                assert_never(summary.layer)

    def _linear(self, summary: Summary, weights: dict[str, np.ndarray], norm: Summary | None) -> list[str]:
        """Add weight and bias of a convolution or dense layer, the norm behind it folded in; return their names."""
        name = summary.name
        weight = weights[f"{name}.weight"]
        channel = 1 if isinstance(summary.layer, Dense) else 0  # the axis of what the layer makes
        bias = weights.get(f"{name}.bias", np.zeros(weight.shape[channel], np.float32))
        if norm is not None:
            gain = weights[f"{norm.name}.weight"] / np.sqrt(weights[f"{norm.name}.variance"] + np.float32(EPSILON))
            weight = weight * gain.reshape([-1 if axis == channel else 1 for axis in range(weight.ndim)])
            bias = (bias - weights[f"{norm.name}.mean"]) * gain + weights[f"{norm.name}.bias"]
        return [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
