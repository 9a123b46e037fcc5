"""Write the ONNX graph of a network with its weights, and run it in ONNX Runtime.

This is the only engine for inference, so evaluation measures the exported model. The graph takes uint8 pictures
`[N, 28, 28]` and normalises them; batch norm after a convolution or dense layer is folded into that layer.
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
from onnx import TensorProto, compose, helper, numpy_helper

from tenfold import networks
from tenfold.data import catalog
from tenfold.data.catalog import Dataset
from tenfold.errors import DivergedError
from tenfold.networks import INPUT, Network, Summary, check_weights, summarise
from tenfold.recipes import Recipe

OPSET, IR_VERSION = 15, 8  # the lowest versions that all graphs need; ONNX Runtime has read them since 1.10
EPSILON = 1e-5  # batch norm adds it to the variance, as in PyTorch
BATCH = 500  # pictures per run: small enough for the maps to stay in the cache


def graph(
    network: Network,
    weights: dict[str, np.ndarray],
    dataset: Dataset,
    inner: Sequence[str] = (),
    dtype: DTypeLike = np.float32,
) -> onnx.ModelProto:
    """Return an ONNX model of the network: `images` uint8 `[N, 28, 28]` -> `logits` float32 `[N, classes]`.

    With `inner`, names from `inner_layers`, the outputs of those layers, `[N, *output_shape]`, are added. Weights and
    layers have `dtype`, float32 or float16. Raises `UsageError` for weights of another network.
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


def committee(members: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Return several models from `graph`, with the same classes, as one ONNX model.

    Its `logits`, float32 `[N, classes]`, are the logarithm of the mean of the members' softmax, as in
    `statistics.committee`. Outputs of the first member keep their names.
    """
    both = onnx.ModelProto()
    both.CopyFrom(members[0])
    graph = both.graph
    for field in (graph.node, graph.initializer):
        del field[:]
    each = []
    for number, member in enumerate(members):
        part = compose.add_prefix_graph(member.graph, f"member{number}/" if number else "", rename_inputs=False)
        own = f"member{number}/logits"
        part.node[-1].name, part.node[-1].output[0] = own, own
        graph.node.extend(part.node)
        graph.initializer.extend(part.initializer)
        each.append(f"{own}/voices")
        graph.node.append(helper.make_node("LogSoftmax", [own], [f"{own}/log"], f"{own}/log", axis=1))
        graph.node.append(helper.make_node("Unsqueeze", [f"{own}/log", "axis"], [each[-1]], each[-1]))
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    graph.initializer.append(numpy_helper.from_array(np.array(math.log(len(members)), np.float32), "log members"))
    graph.node.append(helper.make_node("Concat", each, ["voices"], "voices", axis=1))  # [N, members, classes]
    graph.node.append(helper.make_node("ReduceLogSumExp", ["voices"], ["sum"], "sum", axes=[1], keepdims=0))
    graph.node.append(helper.make_node("Sub", ["sum", "log members"], ["logits"], "logits"))
    onnx.checker.check_model(both, full_check=True)
    return both


def quantised(model: onnx.ModelProto, images: np.ndarray) -> onnx.ModelProto:
    """Return the model with 8-bit weights and activations, whose ranges are measured on uint8 images `[N, 28, 28]`.

    Weights use 7 of the 8 bits: with all of them, processors without VNNI would overflow without a warning. The first
    convolution, which has one channel and would be five times as slow in integers, is unchanged. So are the logits.
    """
    from onnxruntime import quantization

    class Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{"images": images[at : at + BATCH]} for at in range(0, len(images), BATCH)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    helper.set_model_props(prepared, {"onnx.quant.pre_process": "onnxruntime.quant"})  # norms are already folded
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
    """Return an ONNX Runtime session on the CPU for a model from `graph`; 0 `threads` means one per core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def outputs(engine: onnxruntime.InferenceSession, images: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """Return the outputs with these names for uint8 images `[N, 28, 28]`: arrays `[N, ...]`."""
    starts = range(0, max(len(images), 1), BATCH)
    parts = [engine.run(list(names), {"images": images[at : at + BATCH]}) for at in starts]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def logits(engine: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Return float32 logits `[N, classes]` for uint8 images `[N, 28, 28]`."""
    return outputs(engine, images, ["logits"])[0]


def answer(recipe: Recipe, weights: dict[str, np.ndarray], images: np.ndarray, threads: int = 0) -> np.ndarray:
    """Return float32 logits `[N, classes]` of the recipe's network with these weights, for uint8 `[N, 28, 28]`.

    Raises `DivergedError` if one is not finite.
    """
    found = logits(session(graph(recipe.layers(), weights, catalog.find(recipe.dataset)), threads), images)
    if not np.isfinite(found).all():
        raise DivergedError("the network's answers are not finite; use a run whose training did not diverge")
    return found


def inner_layers(network: Network) -> tuple[str, ...]:
    """Return the names of the layers whose outputs are in the graph, in order.

    Dropout is missing, and so is a layer with a folded batch norm; the output of the norm represents both.
    """
    layers = summarise(network)
    folded = {layer.name for layer, following in pairwise(layers) if _folds(layer, following)}
    return tuple(s.name for s in layers if s.name not in folded and not isinstance(s.layer, networks.Dropout))


def layer_outputs(
    network: Network, weights: dict[str, np.ndarray], dataset: Dataset, images: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return outputs of layers from `inner_layers` for uint8 images `[N, 28, 28]`: float32 `[N, *shape]` each."""
    engine = session(graph(network, weights, dataset, names))
    return dict(zip(names, outputs(engine, images, names), strict=True))


def features(network: Network, weights: dict[str, np.ndarray], dataset: Dataset, images: np.ndarray) -> np.ndarray:
    """Return the penultimate features, the input of the last layer, float32 `[N, D]`, for images `[N, 28, 28]`."""
    name = inner_layers(network)[-2]
    output = layer_outputs(network, weights, dataset, images, [name])[name]
    return output.reshape(len(images), math.prod(output.shape[1:]))


def _folds(layer: Summary, following: Summary) -> bool:
    """Return True if the graph folds the batch norm `following` into `layer`."""
    return isinstance(following.layer, networks.Norm) and isinstance(layer.layer, networks.Conv | networks.Dense)


class _Writer:
    """Collect a chain of nodes for arrays of a `dtype`; `last` is the output of the newest node."""

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
        """Add a constant, converted to the writer's type if it is floating-point, and return its name."""
        array = np.asarray(value)
        floating = np.issubdtype(array.dtype, np.floating)
        self.constants.append(numpy_helper.from_array(array.astype(self.dtype) if floating else array, name))
        return name

    def chain(self, layers: Sequence[Summary], weights: dict[str, np.ndarray]) -> None:
        """Append the nodes of several layers."""
        for layer, following in zip(layers, (*layers[1:], None), strict=True):
            self.layer(layer, weights, norm=following if following and _folds(layer, following) else None)

    def layer(self, summary: Summary, weights: dict[str, np.ndarray], norm: Summary | None) -> None:
        """Append the nodes of one layer; `norm` is the batch norm to fold into it, if any."""
        name, x = summary.name, self.last
        made = norm.name if norm else name  # the output is already normalised
        match summary.layer:
            case networks.Conv(kernel=kernel, stride=stride, padding=padding):
                inputs = self._linear(summary, weights, norm)
                window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
                self.add("Conv", x, *inputs, output=made, **window)
            case networks.Dense():
                self.add("Gemm", x, *self._linear(summary, weights, norm), output=made)
            case networks.Norm():
                if name != x:  # otherwise it is folded into the layer before
                    keys = ("weight", "bias", "mean", "variance")
                    inputs = [self.constant(f"{name}.{key}", weights[f"{name}.{key}"]) for key in keys]
                    self.add("BatchNormalization", x, *inputs, output=name, epsilon=EPSILON)
            case networks.Relu():
                self.add("Relu", x, output=name)
            case networks.MaxPool(size):
                self.add("MaxPool", x, output=name, kernel_shape=[size] * 2, strides=[size] * 2)
            case networks.GlobalPool():
                pooled = self.add("GlobalMaxPool", x), self.add("GlobalAveragePool", x)
                self.add("Flatten", self.add("Concat", *pooled, axis=1), output=name)
            case networks.Flatten():
                self.add("Flatten", x, output=name)
            case networks.Dropout():
                pass  # only during training
            case networks.Residual():
                self.chain(summary.parts, weights)
                self.add("Relu", self.add("Add", x, self.last), output=name)
            case _:
                assert_never(summary.layer)

    def _linear(self, summary: Summary, weights: dict[str, np.ndarray], norm: Summary | None) -> list[str]:
        """Add weight and bias of a convolution or dense layer, with the norm folded in; return their names."""
        name = summary.name
        weight = weights[f"{name}.weight"]
        channel = 1 if isinstance(summary.layer, networks.Dense) else 0  # the axis of the layer's outputs
        bias = weights.get(f"{name}.bias", np.zeros(weight.shape[channel], np.float32))
        if norm is not None:
            gain = weights[f"{norm.name}.weight"] / np.sqrt(weights[f"{norm.name}.variance"] + np.float32(EPSILON))
            weight = weight * gain.reshape([-1 if axis == channel else 1 for axis in range(weight.ndim)])
            bias = (bias - weights[f"{norm.name}.mean"]) * gain + weights[f"{norm.name}.bias"]
        return [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
