import pickle

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tenfold import architectures, statistics
from tenfold.data.catalog import MNIST
from tenfold.errors import TenfoldError
from tenfold.frameworks import bounds, exported
from tenfold.frameworks import onnx as onnx_graph
from test_networks import lively_weights

METADATA = {
    "dataset": "mnist",
    "classes": MNIST.classes,
    "plain": False,
    "network": "quick",
    "recipe_hash": "0" * 64,
    "precision": "float32",
    "threshold": None,
    "reference": {"shares": None, "ink": MNIST.mean, "confidence": None, "unsure": None},
    "scores": [],
    "gate": None,
    "cost": None,
    "licence": "a text",
}


@pytest.fixture(scope="module")
def graph():
    network = architectures.quick(10, width=4)
    return onnx_graph.graph(network, lively_weights(network), MNIST)


@pytest.fixture
def packed(graph, mnist):
    return exported.pack(graph, 0.5, mnist.images[:5], 1e-3, METADATA)


@pytest.fixture
def path(packed, tmp_path):
    return _save(packed, tmp_path / "model.onnx")


def _save(model, path):
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("temperature", [0.5, None])
def test_it_answers_with_logits_and_calibrated_probabilities(graph, mnist, tmp_path, temperature):
    before = graph.SerializeToString()
    packed = exported.pack(graph, temperature, mnist.images[:5], 1e-3, METADATA)
    assert graph.SerializeToString() == before
    model = exported.open_model(_save(packed, tmp_path / "model.onnx"), threads=1)
    images = mnist.images[:777]
    logits, probabilities = model.answer(images)
    np.testing.assert_array_equal(logits, onnx_graph.logits(onnx_graph.session(graph, threads=1), images))
    np.testing.assert_allclose(probabilities, statistics.probabilities(logits, temperature or 1.0), atol=1e-6)
    assert (model.metadata.temperature, model.classes) == (temperature, MNIST.classes)
    assert model.session.get_session_options().intra_op_num_threads == 1


class Bomb:
    def __reduce__(self):
        return (print, ("the pickle ran",))


@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_is_refused_unopened(tmp_path, protocol, capsys):
    path = tmp_path / "model.onnx"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(TenfoldError, match="is not an ONNX file: it is a pickle"):
        exported.open_model(path)
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(TenfoldError, match="is not an ONNX file: it is a pickle"):
        exported.open_model(path)
    assert "the pickle ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\x08", b"# a text\n", b"\xff" * 100, 0.3, 0.99])
def test_what_is_no_onnx_file_is_refused(path, content):
    whole = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else whole[: int(content * len(whole))])
    with pytest.raises(TenfoldError):
        exported.open_model(path)


def _elsewhere(tensor, location):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "weights.bin"])
def test_weights_in_other_files_are_refused(packed, tmp_path, location):
    (tmp_path / "weights.bin").write_bytes(bytes(10_000))
    _elsewhere(packed.graph.initializer[0], location)
    with pytest.raises(TenfoldError, match="refers to other files"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))


def test_other_files_are_found_however_deep(packed, tmp_path):
    """In a constant of a subgraph of a node, and in a function that the file brings along."""
    constant = numpy_helper.from_array(np.zeros(3, np.float32), "hidden")
    _elsewhere(constant, "../secret")
    node = helper.make_node("Constant", [], ["hidden"], value=constant)
    inner = helper.make_graph([node], "inner", [], [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [3])])
    branch = helper.make_node("If", ["condition"], ["chosen"], then_branch=inner, else_branch=inner)
    function = helper.make_function("ours", "f", [], ["hidden"], [node], [helper.make_opsetid("", 21)])
    for place, message in ((packed.graph.node, branch), (packed.functions, function)):
        model = onnx.ModelProto()
        model.CopyFrom(packed)
        (model.graph.node if place is packed.graph.node else model.functions).append(message)
        with pytest.raises(TenfoldError, match="refers to other files"):
            exported.open_model(_save(model, tmp_path / "model.onnx"))


def _with_metadata(model, **changes):
    texts = {entry.key: entry.value for entry in model.metadata_props} | changes
    del model.metadata_props[:]
    helper.set_model_props(model, {key: value for key, value in texts.items() if value is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": None},
        {"test_vector": None},
        {"classes": "0 1 2"},
        {"test_vector": "{}"},
        {"test_vector": '{"images": [[1, 2]], "logits": [], "tolerance": 1}'},
        {"test_vector": '{"images": [[[300]]], "logits": [], "tolerance": 1}'},
    ],
)
def test_a_foreign_model_is_refused(packed, tmp_path, changes):
    _with_metadata(packed, **changes)
    with pytest.raises(TenfoldError, match="is not a model from `tenfold export`"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))


def _constant(name, value):
    return numpy_helper.from_array(np.array(value), name)


@pytest.mark.parametrize(
    ("constants", "nodes"),
    [
        ({"size": [2**30]}, [helper.make_node("ConstantOfShape", ["size"], ["x"])]),
        ({"times": 2**62, "true": True}, [helper.make_node("Loop", ["times", "true"], ["x"], body=onnx.GraphProto())]),
        ({"size": [2**30]}, [helper.make_node("Expand", ["logits", "size"], ["x"])]),
        ({}, [helper.make_node("Conv", ["map", "w"], ["x"], pads=[50_000] * 4)]),
        ({}, [helper.make_node("MaxPool", ["map"], ["x"], kernel_shape=[9, 9], pads=[8] * 4, domain="mine")]),
        (
            {"a": np.ones((4_000, 1), np.float32), "b": np.ones((1, 4_000), np.float32)},
            [helper.make_node("Add", "ab", "x")],
        ),
        ({}, [helper.make_node("Concat", ["logits"] * 9, ["x"], axis=0)]),
        ({}, [helper.make_node("Gemm", ["logits", "logits"], ["x"], transB=1)]),
        ({}, [helper.make_node("Conv", ["map", "w"], [f"x{at}"]) for at in range(30_000)]),
        (
            {"k": np.ones((1, 1, 99, 99), np.float32)},
            [helper.make_node("Conv", ["map", "k"], [f"x{at}"], pads=[500] * 4) for at in range(3)],
        ),
    ],
)
def test_what_asks_for_memory_or_time_is_not_run(packed, constants, nodes, tmp_path):
    packed.graph.initializer.extend(_constant(name, value) for name, value in constants.items())
    packed.graph.initializer.append(_constant("w", np.ones((1, 1, 3, 3), np.float32)))
    packed.graph.node.extend(nodes)
    with pytest.raises(TenfoldError, match="is not opened") as caught:
        exported.opened(packed, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", architectures.NETWORKS)
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_every_network_keeps_within_the_bounds(name, precision, mnist):
    network = architectures.build(name, {}, 10)
    dtype = np.float16 if precision == "float16" else np.float32
    model = onnx_graph.graph(network, lively_weights(network), MNIST, dtype=dtype)
    bounds.require(onnx_graph.quantised(model, mnist.images[:5]) if precision == "int8" else model)


@pytest.mark.parametrize("harm", [0.01, np.nan])
def test_other_weights_do_not_answer_the_test_vector(packed, tmp_path, harm):
    bias = next(one for one in packed.graph.initializer if one.name == "dense2.bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(harm), bias.name))
    with pytest.raises(TenfoldError, match="does not answer as it did"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))
