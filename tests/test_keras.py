import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from tenfold import architectures, augment, networks, recipes, runs, train
from tenfold.data import folder
from tenfold.data.catalog import MNIST
from tenfold.frameworks import keras as keras_framework
from tenfold.frameworks import onnx as onnx_graph
from tenfold.frameworks import pytorch
from tenfold.frameworks.keras import modules
from tenfold.networks import Conv, Dense, Flatten, Norm, Relu, Residual
from tenfold.runs import Run
from test_networks import RANDOM_NETWORKS, UNKNOWN, lively_weights, possible
from waiting import running

pytestmark = pytest.mark.slow

STANDARD = recipes.override(recipes.standard(), ["epochs=2", "network.width=8"])


@pytest.fixture(scope="module")
def few(mnist):
    return mnist.take(np.arange(1_001))  # seven batches of 128 and one of 105


# The model


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_the_model_is_an_ordinary_one_of_the_network_that_was_counted(name):
    network = architectures.build(name, {}, 10)
    model = keras_framework.build(network, networks.initial_weights(network, 0))
    assert isinstance(model, keras.Model)
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    assert sum(math.prod(variable.shape) for variable in model.trainable_variables) == networks.parameter_count(network)
    for layer in networks.summarise(network):
        shape = model.get_layer(layer.name).output.shape[1:]
        assert (shape if len(shape) == 1 else (shape[2], *shape[:2])) == layer.output_shape


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras 3.15 with NumPy 2.4
def test_it_can_be_saved_and_loaded_by_keras_alone(tmp_path, mnist):
    network = architectures.keras_example(10)
    model = keras_framework.build(network, networks.initial_weights(network, 0))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = mnist.images[:10]
    np.testing.assert_array_equal(
        keras_framework.logits(loaded, images, "mnist"), keras_framework.logits(model, images, "mnist")
    )


def test_an_unknown_layer_is_refused():
    with pytest.raises(AssertionError, match="Unknown"):
        list(modules._layers(UNKNOWN, "float32", keras.layers.BatchNormalization, keras.layers.Dense))


# The same network


def _agree(network, images):
    weights = lively_weights(network)
    ours = keras_framework.logits(keras_framework.build(network, weights), images, "mnist")
    assert ours.dtype == np.float32
    scale = max(1.0, float(np.abs(ours).max()))
    for theirs in (
        pytorch.logits(pytorch.build(network, weights), images, "mnist"),
        onnx_graph.logits(onnx_graph.session(onnx_graph.graph(network, weights, MNIST)), images),
    ):
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_logits_are_those_of_pytorch_and_onnx_runtime(name, mnist):
    _agree(architectures.build(name, {}, 10), mnist.images[:1_001])  # a pass and one more


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RANDOM_NETWORKS.filter(possible))
def test_logits_of_random_networks_are_those_of_pytorch_and_onnx_runtime(mnist, network):
    _agree(network, mnist.images[:20])


@pytest.mark.parametrize("strength", [1, 3])
def test_one_draw_makes_the_same_pictures(mnist, strength):
    standard = recipes.standard()
    recipe = recipes.replace(standard, **{k: strength * getattr(standard, k) for k in ("rotation", "shift", "shear")})
    _, maps = augment.epoch(recipe, 1_000, 0)
    ours = keras_framework.prepare(mnist.images[:1_000], maps, "mnist")
    theirs = pytorch.prepare(mnist.images[:1_000], maps, "mnist")
    assert np.abs(ours[0] - mnist.images[:1_000]).max() > 100  # something moved
    np.testing.assert_allclose(ours[0] / 255, theirs[0] / 255, atol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-4)


# The same training


# One epoch at small rates, since steps at large ones are chaotic, and with a decay and an average that show. Nor is
# anything pooled but in `lenet5`: which of two nearly equal pixels is the larger is up to the last bit.
MOVED = ["rotation=8", "shift=1.5", "scale=0.08", "shear=0.08"]
SAME = {
    "averaged, augmented": [*MOVED, "network=unpooled", "averaging=0.5", "muon=0"],
    "hidden matrices": ["network=unpooled", "schedule=cosine", "muon=0.01"],
    "biases": ["network=lenet5", "muon=0"],
    "residual block": ["network=skipping", "muon=0.01"],
    "chosen pictures": ["network=lenet5", "epochs=0.99", "hardest=0.4", "muon=0"],
    "vectors": ["network=mlp", "label_smoothing=0", "muon=0.01"],
}


@pytest.fixture
def same(monkeypatch):
    """A recipe of `SAME`, by its name."""
    stem = (Conv(8, 5, 2, bias=False), Norm(), Relu(), Conv(12, 3, 2, bias=False), Norm(), Relu(), Flatten())
    unpooled = (*stem, Dense(24, bias=False), Norm(), Relu(), Dense(10))
    skipping = (Conv(8, 5, 3, bias=False), Norm(), Relu(), Residual(), Flatten(), Dense(10))
    monkeypatch.setitem(architectures.NETWORKS, "unpooled", lambda classes: unpooled)
    monkeypatch.setitem(architectures.NETWORKS, "skipping", lambda classes: skipping)
    small = ["epochs=1", "batch_size=128", "learning_rate=1e-3", "weight_decay=5"]
    return lambda name: recipes.override(recipes.quick(), [*small, *SAME[name]])


def _distance(one, other):
    return np.linalg.norm(one - other) / np.linalg.norm(other)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", SAME)
def test_an_epoch_in_float32_is_that_of_pytorch(name, few, same):
    """In what it changes of every tensor: order, maps, loss, AdamW, norms, average, the last small batch."""
    recipe = same(name)
    ours, theirs = (next(framework.train(recipe, few)) for framework in (keras_framework, pytorch))
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, value in networks.initial_weights(recipe.layers(), recipe.seed).items():
        for group in {name.partition("/")[0] for name in theirs.tensors}:
            if name in theirs.group(group):
                start = value if group in ("weights", "average") else 0
                if np.array_equal(theirs.group(group)[name], start + np.zeros_like(value)):  # not learnt, or Muon's
                    np.testing.assert_array_equal(ours.group(group)[name], theirs.group(group)[name])
                    continue
                distance = _distance(ours.group(group)[name] - start, theirs.group(group)[name] - start)
                assert distance < (0.02 if group in ("weights", "average") else 0.1), (group, name)
    assert (ours.step, ours.pictures) == (theirs.step, theirs.pictures) == (8, 1_001)
    assert abs(ours.correct - theirs.correct) <= 2
    assert ours.loss_sum == pytest.approx(theirs.loss_sum, rel=1e-4)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["hidden matrices", "residual block"])
def test_bfloat16_means_what_it_does_in_pytorch(name, few, same):
    """The first gradients of the two differ by far less than either's from those in float32."""
    ours, theirs, exact = (
        next(framework.train(same(name), few, precision=precision, checkpoint_steps=[1])).group("exp_avg")
        for framework, precision in ((keras_framework, "bfloat16"), (pytorch, "bfloat16"), (pytorch, "float32"))
    )
    far = max(_distance(theirs[name], exact[name]) for name in exact)
    assert far > 0.01
    # Where the processor has no such products, TensorFlow rounds its sums on the way too.
    bound = far / 3 if torch.cpu.get_capabilities().get("avx512_bf16") else 3 * far
    assert 0 < max(_distance(ours[name], theirs[name]) for name in exact) < bound


@pytest.mark.parametrize("before", [(Flatten(),), (Conv(3, 5, stride=5),)], ids=["vectors", "maps"])
def test_a_running_variance_is_unbiased_as_that_of_pytorch(before, mnist):
    network = (*before, Norm(), Flatten(), Dense(10))
    weights = lively_weights(network)
    pixels = (mnist.images[:3, None] / 255).astype(np.float32)
    ours = modules.training_model(network, "float32")
    modules.fill(modules.named_variables(ours), weights)
    theirs = pytorch.build(network, weights).train()
    outputs = ours(pixels.transpose(0, 2, 3, 1), training=True), theirs(torch.from_numpy(pixels)).detach()
    np.testing.assert_allclose(*outputs, atol=1e-4)
    ours = modules.arrays_of(modules.named_variables(ours))
    theirs = pytorch.modules.arrays_of(pytorch.modules.named_tensors(theirs))
    assert not np.allclose(ours["norm1.variance"], weights["norm1.variance"], rtol=0.01)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("begins", "ends"), [(pytorch, keras_framework), (keras_framework, pytorch)])
def test_what_one_began_the_other_can_end(begins, ends, few, same):
    recipe = recipes.replace(same("averaged, augmented"), epochs=2)
    halfway, whole = begins.train(recipe, few)
    *_, ours = ends.train(recipe, few, resume=halfway)
    assert ours.step == whole.step
    for name, value in whole.weights().items():
        np.testing.assert_allclose(ours.weights()[name], value, atol=0.01, err_msg=name)


def _same(one, other):
    assert one.tensors.keys() == other.tensors.keys()
    for key, value in one.tensors.items():
        np.testing.assert_array_equal(value, other.tensors[key], err_msg=key)
    sums = [(state.step, state.loss_sum, state.correct, state.pictures) for state in (one, other)]
    assert sums[0] == sums[1]


RESUMED = [
    (STANDARD, "float32"),
    (recipes.override(recipes.quick(), ["network.dropout=0.5", "epochs=2", "batch_size=128"]), "bfloat16"),
]


@pytest.mark.parametrize(("recipe", "precision"), RESUMED, ids=["averaged", "last weights, dropout"])
def test_resumed_anywhere_it_ends_with_the_same_bits(recipe, precision, few):
    """Also where the steps are taken one a call: how many a call takes has no part in the bits."""
    whole = list(keras_framework.train(recipe, few, precision=precision))
    assert [state.step for state in whole] == [8, 16]
    single = list(keras_framework.train(recipe, few, precision=precision, checkpoint_steps=range(1, 17)))
    assert [state.step for state in single] == list(range(1, 17))
    _same(single[-1], whole[-1])
    *_, resumed = keras_framework.train(recipe, few, precision=precision, resume=single[4])
    _same(resumed, whole[-1])


def test_stopped_within_an_epoch_it_resumes_with_the_same_bits(few):
    recipe = recipes.override(STANDARD, ["epochs=1", "batch_size=8", "network.width=4"])
    *_, whole = keras_framework.train(recipe, few)
    halfway = next(keras_framework.train(recipe, few, stopped=lambda: True))
    assert halfway.step < whole.step
    *_, resumed = keras_framework.train(recipe, few, resume=halfway)
    _same(resumed, whole)


def test_dropout_is_drawn_anew_each_step_at_the_given_rate(few):
    """With frozen weights and one batch only the masks differ; the mean loss is PyTorch's, which draws others."""
    recipe = recipes.override(recipes.quick(), ["network=keras_example", "learning_rate=1e-12", "muon=0", "epochs=25"])
    one_batch = few.take(np.arange(128))
    ours, theirs = (
        np.array([state.loss_sum for state in framework.train(recipe, one_batch)])
        for framework in (keras_framework, pytorch)
    )
    assert len(set(ours)) == len(ours)
    error = np.hypot(ours.std(), theirs.std()) / np.sqrt(len(ours))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.6)
    assert abs(ours.mean() - theirs.mean()) < 4 * error


# The machine


# The stage


FEW = ["train_size=2000", "validation_size=1000", "batch_size=128", "epochs=2"]
TENSORFLOW = [*FEW, "averaging=0.9", "rotation=5", "precision=float32"]


def test_train_on_the_command_line_says_nothing_of_tensorflows_own(process, tmp_path):
    words = [word for assignment in TENSORFLOW for word in ("--set", assignment)]
    result = process("train", "--framework", "tensorflow", *words, "--out", "run")
    assert result.returncode == 0, result.stderr
    assert {line.split()[0] for line in result.stderr.splitlines()} == {"training", "epoch"}
    run = Run(tmp_path / "run")
    assert (run.recipe.framework, run.environment["framework"]) == ("tensorflow", "tensorflow")
    assert {"keras"} < run.environment["versions"].keys()
    assert not {"torch"} & run.environment["versions"].keys()
    assert run.scores[0].accuracy > 0.9


def test_a_killed_training_goes_on_with_the_same_bits(tmp_path):
    recipe = recipes.override(recipes.quick(), [*TENSORFLOW, "framework=tensorflow", "epochs=6"])
    whole = train.train(recipe, tmp_path / "whole")
    folder = tmp_path / "run"
    words = ["train", "--framework", "tensorflow", "--out", str(folder), "--set", "epochs=6"]
    words += [word for assignment in TENSORFLOW if "epochs" not in assignment for word in ("--set", assignment)]
    with running([sys.executable, "-m", "tenfold", *words], stderr=subprocess.PIPE, text=True) as process:
        assert next(line for line in process.stderr if line.startswith("epoch"))
        process.kill()
        process.stderr.read()
    assert not Run(folder).finished
    resumed = train.resume(folder)
    assert (folder / runs.WEIGHTS).read_bytes() == (whole.folder / runs.WEIGHTS).read_bytes()
    for a, b in zip(resumed.history, whole.history, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_another_backend_is_refused_in_one_line(process, tmp_path):
    refused = process("train", "--framework", "tensorflow", "--out", "run", KERAS_BACKEND="jax")
    assert refused.returncode == 2
    assert "unset KERAS_BACKEND" in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_own_pictures_are_normalised_as_their_description_says(few, as_pngs, own_cache):
    dataset, _ = folder.read(as_pngs(few, "digits"), plain=True)
    _, normalised = keras_framework.prepare(few.images, None, dataset.name)
    np.testing.assert_allclose(normalised, (few.images - dataset.mean) / dataset.std, atol=1e-5)
    assert dataset.mean != MNIST.mean
