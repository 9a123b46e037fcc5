import pickle

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tenfold import architectures, statistics
from tenfold.data.catalog import MNIST
from tenfold.errors import TenfoldError
from tenfold.frameworks import exported
from tenfold.frameworks import onnx as onnx_graph
from test_networks import lively_weights


@pytest.fixture(scope="module")
def graph():
    network = architectures.quick(10, width=4)
    return onnx_graph.graph(network, lively_weights(network), MNIST)


@pytest.fixture
def packed(graph, mnist):
    metadata = {"classes": MNIST.classes, "licence": "a text", "scores": [{"split": "validation"}]}
    return exported.pack(graph, 0.5, mnist.images[:5], 1e-3, metadata)


@pytest.fixture
def path(packed, tmp_path):
    return _save(packed, tmp_path / "model.onnx")


def _save(model, path):
    path.write_bytes(model.SerializeToString())
    return path


def test_it_answers_with_logits_and_calibrated_probabilities(graph, path, mnist):
    model = exported.open_model(path)
    images = mnist.images[:777]
    logits, probabilities = model.answer(images)
    np.testing.assert_array_equal(logits, onnx_graph.logits(onnx_graph.session(graph), images))
    np.testing.assert_allclose(probabilities, statistics.probabilities(logits, 0.5), atol=1e-6)
    assert model.temperature == 0.5
    assert model.classes == MNIST.classes


def test_without_a_temperature_it_answers_with_the_plain_softmax(graph, mnist, tmp_path):
    packed = exported.pack(graph, None, mnist.images[:5], 1e-3, {"classes": MNIST.classes})
    model = exported.open_model(_save(packed, tmp_path / "model.onnx"))
    logits, probabilities = model.answer(mnist.images[:50])
    np.testing.assert_allclose(probabilities, statistics.probabilities(logits), atol=1e-6)
    assert model.temperature is None


def test_names_are_readable_and_the_file_says_what_goes_in(packed):
    names = [node.name for node in packed.graph.node]
    assert names[:5] == ["pixels", "centred", "normalised", "map", "norm1"]
    assert names[-3:] == ["logits", "calibrated", "probabilities"]
    assert [value.name for value in packed.graph.output] == ["logits", "probabilities"]
    assert "uint8 [N, 28, 28], white on black" in packed.doc_string
    assert packed.producer_name == "tenfold"


def test_packing_leaves_the_graph_as_it_was(graph, mnist):
    before = graph.SerializeToString()
    exported.pack(graph, 0.5, mnist.images[:5], 1e-3, {"classes": MNIST.classes})
    assert graph.SerializeToString() == before


def test_texts_are_stored_as_they_are_and_all_else_as_json(path):
    metadata = exported.open_model(path).metadata
    assert metadata["licence"] == "a text"
    assert metadata["scores"] == '[{"split":"validation"}]'
    assert metadata["temperature"] == "0.5"


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


@pytest.mark.parametrize("content", [b"", b"\x08", b"# a text\n", b"\xff" * 100])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(TenfoldError, match=r"is not an ONNX file: it is damaged"):
        exported.open_model(tmp_path / "model.onnx")


@pytest.mark.parametrize("part", [0.3, 0.7, 0.99])
def test_a_file_that_is_cut_is_refused(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(TenfoldError, match=r"is not an ONNX file|is not a model from"):
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
    with pytest.raises(TenfoldError, match="its metadata is missing or damaged"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))


def test_other_inputs_or_outputs_are_refused(graph, packed, tmp_path):
    texts = {entry.key: entry.value for entry in packed.metadata_props}
    bare = onnx.ModelProto()
    bare.CopyFrom(graph)
    helper.set_model_props(bare, texts)
    with pytest.raises(TenfoldError, match="its inputs or outputs are others"):
        exported.open_model(_save(bare, tmp_path / "model.onnx"))


def test_a_graph_that_cannot_run_is_refused(packed, tmp_path):
    packed.graph.node[5].op_type = "NoSuchOperator"
    with pytest.raises(TenfoldError, match="ONNX Runtime cannot run it"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))


def test_other_weights_do_not_answer_the_test_vector(packed, tmp_path):
    weights = next(one for one in packed.graph.initializer if one.name == "dense2.weight")
    value = numpy_helper.to_array(weights).copy()
    value[:, 0] += 0.01
    weights.CopyFrom(numpy_helper.from_array(value, weights.name))
    with pytest.raises(TenfoldError, match="does not answer as it did when it was made"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))


def test_not_a_number_is_no_answer(packed, tmp_path):
    bias = next(one for one in packed.graph.initializer if one.name == "dense2.bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(10, np.nan, np.float32), bias.name))
    with pytest.raises(TenfoldError, match="does not answer as it did"):
        exported.open_model(_save(packed, tmp_path / "model.onnx"))


def test_the_threads_are_as_asked(path):
    assert exported.open_model(path, threads=1).session.get_session_options().intra_op_num_threads == 1
