import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from onnx import TensorProto, numpy_helper

from tenfold import architectures, networks
from tenfold.data.catalog import MNIST
from tenfold.frameworks import onnx as onnx_graph
from tenfold.frameworks import pytorch
from test_networks import RANDOM_NETWORKS, UNKNOWN, lively_weights, possible


def _agree(network, weights, images):
    ours = onnx_graph.logits(onnx_graph.session(onnx_graph.graph(network, weights, MNIST)), images)
    theirs = pytorch.logits(pytorch.build(network, weights), images, "mnist")
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_logits_are_those_of_pytorch(name, mnist):
    network = architectures.build(name, {}, 10)
    _agree(network, lively_weights(network), mnist.images[:1_000])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RANDOM_NETWORKS.filter(possible))
def test_logits_of_random_networks_are_those_of_pytorch(mnist, network):
    _agree(network, lively_weights(network), mnist.images[:20])


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_float16_is_nearly_the_same(name, mnist):
    network = architectures.build(name, {}, 10)
    weights = lively_weights(network)
    half = onnx_graph.graph(network, weights, MNIST, dtype=np.float16)
    assert {one.data_type for one in half.graph.initializer} <= {TensorProto.FLOAT16, TensorProto.INT64}
    _nearly_the_same(half, onnx_graph.graph(network, weights, MNIST), mnist, 0.005)


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_int8_is_nearly_the_same(name, mnist, caplog):
    network = architectures.build(name, {}, 10)
    full = onnx_graph.graph(network, lively_weights(network), MNIST)
    before = full.SerializeToString()
    small = onnx_graph.quantised(full, mnist.images[1_000:2_000])
    assert full.SerializeToString() == before
    assert caplog.messages == []
    sizes = [sum(numpy_helper.to_array(one).nbytes for one in model.graph.initializer) for model in (small, full)]
    assert sizes[0] < sizes[1] / 2
    _nearly_the_same(small, full, mnist, 0.1)


def _nearly_the_same(small, full, mnist, part):
    """Logits differ by a small part of what they span."""
    theirs = onnx_graph.logits(onnx_graph.session(full), mnist.images[:500])
    ours = onnx_graph.logits(onnx_graph.session(small), mnist.images[:500])
    difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert 0 < difference < part


def test_the_graph_takes_pictures_as_they_are_and_any_number_of_them(mnist):
    network = architectures.quick(10, width=4)
    model = onnx_graph.graph(network, lively_weights(network), MNIST)
    session = onnx_graph.session(model)
    (images,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["N", 28, 28])
    assert (logits.name, logits.type, logits.shape) == ("logits", "tensor(float)", ["N", 10])
    assert onnx_graph.logits(session, mnist.images[:0]).shape == (0, 10)
    assert onnx_graph.session(model, threads=1).get_session_options().intra_op_num_threads == 1
    at_once = onnx_graph.logits(session, mnist.images[:777])
    one_by_one = np.concatenate([onnx_graph.logits(session, mnist.images[at : at + 1]) for at in range(20)])
    assert at_once.shape == (777, 10)
    np.testing.assert_allclose(at_once[:20], one_by_one, atol=1e-5)


def test_an_unknown_layer_is_refused():
    with pytest.raises(AssertionError, match="Unknown"):
        onnx_graph._Writer(np.dtype(np.float32)).layer(UNKNOWN, {}, None)


def test_the_graph_is_valid_and_self_contained():
    network = architectures.lenet5(10)
    model = onnx_graph.graph(network, lively_weights(network), MNIST)
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def _layer_by_layer(network, weights, images):
    """Return the output of each layer of PyTorch's module for the pictures."""
    module = pytorch.build(network, weights).eval()
    x = pytorch.modules.normaliser("mnist")(torch.from_numpy(images).unsqueeze(1).float())
    outputs = {}
    with torch.inference_mode():
        for name, part in module.named_children():
            x = part(x.clone())  # ReLU works in place
            outputs[name] = x.numpy()
    return outputs


def _agrees_layer_by_layer(network, weights, images):
    names = onnx_graph.inner_layers(network)
    ours = onnx_graph.layer_outputs(network, weights, MNIST, images, names)
    theirs = _layer_by_layer(network, weights, images)
    assert tuple(ours) == names
    for name, value in ours.items():
        scale = max(1.0, float(np.abs(theirs[name]).max()))
        np.testing.assert_allclose(value / scale, theirs[name] / scale, atol=1e-4, err_msg=name)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RANDOM_NETWORKS.filter(possible))
def test_layer_outputs_of_random_networks_are_those_of_pytorch(mnist, network):
    _agrees_layer_by_layer(network, lively_weights(network), mnist.images[:5])


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_the_last_layer_decides_on_the_features(name, mnist):
    network = architectures.build(name, {}, 10)
    weights = lively_weights(network)
    features = onnx_graph.features(network, weights, MNIST, mnist.images[:50])
    last = networks.summarise(network)[-1]
    assert features.shape == (50, *last.input_shape)
    session = onnx_graph.session(onnx_graph.graph(network, weights, MNIST))
    logits = features @ weights[f"{last.name}.weight"] + weights[f"{last.name}.bias"]
    np.testing.assert_allclose(logits, onnx_graph.logits(session, mnist.images[:50]), atol=1e-3)
