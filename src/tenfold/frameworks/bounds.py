"""Bounds on what an ONNX file from anywhere may ask of this machine: the operators that export writes, and their sizes.

They are checked on the file alone, before ONNX Runtime sees it: a file of some kilobytes can otherwise ask for any
amount of memory (`ConstantOfShape`, padding) or time (`Loop`).
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
ELEMENTS = 1_000_000  # of a value, for each picture: some GB for a batch of 500; our largest network has 22,000
MULTIPLY_ADDS = 20_000_000_000  # for each picture; the largest of our networks has 0.05 billion


def require(model: onnx.ModelProto) -> None:
    """Raise `ValueError` with the reason for a model that asks for what no model from `tenfold export` does."""
    graph = model.graph
    if model.functions or graph.sparse_initializer or len(graph.node) > NODES:
        raise ValueError("it has functions, sparse weights, or too many nodes")
    for node in graph.node:
        if node.domain or node.op_type not in OPERATORS:
            raise ValueError(f"it has the operator {node.op_type}, which export never writes")
        if node.op_type == "Concat" and [attribute.i for attribute in node.attribute] != [1]:
            raise ValueError("it joins pictures")
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer} | _shapes(model)
    work = 0
    for node in graph.node:
        if missing := [name for name in node.output if name not in shapes]:
            raise ValueError(f"nothing tells the size of {missing[0]}")
        if node.op_type in ("Conv", "Gemm"):
            places = math.prod(shapes[node.output[0]][2:])
            work += places * math.prod(shapes.get(node.input[1], ()))
    if work > MULTIPLY_ADDS:
        raise ValueError(f"a picture would take {work:,} multiply-adds; {MULTIPLY_ADDS:,} are allowed")


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the shapes of all values, 1 for the number of pictures; `ValueError` where one is unknown or too large."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]  # what the file says of itself
    inferred = shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True).graph
    shapes = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        of_pictures = bool(kind.shape.dim) and not kind.shape.dim[0].HasField("dim_value")
        shape = (1,) * of_pictures + tuple(side.dim_value for side in kind.shape.dim[of_pictures:])
        if kind.elem_type not in TYPES or min(shape, default=0) < 1:
            raise ValueError(f"nothing tells the size of {value.name}")
        if math.prod(shape) > (ELEMENTS if of_pictures else max(ELEMENTS, bare.ByteSize())):
            raise ValueError(f"{value.name} has the shape {'×'.join(map(str, shape))}, which is too large")
        shapes[value.name] = shape
    return shapes
