"""Limits for untrusted ONNX files: only the operators that export writes, and bounded sizes.

They are checked before ONNX Runtime opens the file. Otherwise a file of a few kilobytes could request any amount of
memory (`ConstantOfShape`, padding) or time (`Loop`).
"""

import math

import onnx
from onnx import TensorProto, shape_inference

from tenfold.networks import Shape

OPERATORS = {
    *("Cast", "Sub", "Mul", "Div", "Add", "Reshape", "Flatten", "Concat", "Unsqueeze"),
    *("Conv", "Gemm", "BatchNormalization", "Relu", "MaxPool", "GlobalMaxPool", "GlobalAveragePool"),
    *("Softmax", "LogSoftmax", "ReduceLogSumExp", "QuantizeLinear", "DequantizeLinear"),
}
TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32}
NODES = 20_000
ELEMENTS = 1_000_000  # per value and picture: a few GB for a batch of 500; our largest network has 22,000
MULTIPLY_ADDS = 20_000_000_000  # per picture; our largest network has 0.05 billion


def require(model: onnx.ModelProto) -> None:
    """Raise `ValueError` with the reason for a model that `tenfold export` could not have written."""
    graph = model.graph
    if model.functions or graph.sparse_initializer or len(graph.node) > NODES:
        raise ValueError("it has functions, sparse weights, or too many nodes")
    for node in graph.node:
        if node.domain or node.op_type not in OPERATORS:
            raise ValueError(f"it has the operator {node.op_type}, which `tenfold export` never writes")
        if node.op_type == "Concat" and [attribute.i for attribute in node.attribute] != [1]:
            raise ValueError("it combines different pictures")
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer} | _shapes(model)
    work = 0
    for node in graph.node:
        if missing := [name for name in node.output if name not in shapes]:
            raise ValueError(f"the size of {missing[0]} is unknown")
        if node.op_type in ("Conv", "Gemm"):
            places = math.prod(shapes[node.output[0]][2:])
            work += places * math.prod(shapes.get(node.input[1], ()))
    if work > MULTIPLY_ADDS:
        raise ValueError(f"multiply-adds per picture must be at most {MULTIPLY_ADDS:,}, got {work:,}")


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the shapes of all values for one picture; raise `ValueError` if one is unknown or too large."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]  # shapes that the file claims
    inferred = shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True).graph
    shapes = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        of_pictures = bool(kind.shape.dim) and not kind.shape.dim[0].HasField("dim_value")
        shape = (1,) * of_pictures + tuple(side.dim_value for side in kind.shape.dim[of_pictures:])
        if kind.elem_type not in TYPES or min(shape, default=0) < 1:
            raise ValueError(f"the size of {value.name} is unknown")
        if math.prod(shape) > (ELEMENTS if of_pictures else max(ELEMENTS, bare.ByteSize())):
            raise ValueError(f"{value.name} has the shape {'×'.join(map(str, shape))}, which is too large")
        shapes[value.name] = shape
    return shapes
