"""Several graphs as one: a committee answers with the mean of its members' probabilities."""

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper


def committee(members: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Return one ONNX model of several from `onnx.graph`, which have the same classes.

    Its `logits`, float32 `[N, classes]`, are the logarithm of the mean of the members' softmax, as
    `statistics.committee` has it. All that the first member makes goes by the names that it has alone.
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
    graph.node.append(helper.make_node("ReduceLogSumExp", ["voices", "axis"], ["sum"], "sum", keepdims=0))
    graph.node.append(helper.make_node("Sub", ["sum", "log members"], ["logits"], "logits"))
    onnx.checker.check_model(both, full_check=True)
    return both
