import numpy as np
import pytest
import torch

from tenfold import networks
from tenfold.data import catalog
from tenfold.frameworks import pytorch
from tenfold.frameworks.pytorch import gradients

LINEAR = (networks.Flatten(), networks.Dense(10))


@pytest.fixture
def module(run):
    return pytorch.build(run.recipe.layers(), run.weights())


@pytest.fixture(scope="module")
def few(mnist):
    return mnist.take(np.arange(50_000, 50_150))


@pytest.fixture(params=[gradients.fgsm, gradients.pgd], ids=["FGSM", "PGD"])
def method(request):
    return request.param


@pytest.mark.parametrize("budget", [0, 8, 40])
def test_the_budget_and_the_range_are_kept_exactly(method, module, few, budget):
    spoilt = method(module, few.images, few.labels, "mnist", budget)
    assert spoilt.dtype == np.float32
    assert np.abs(spoilt - few.images).max() == budget  # it is used, too
    assert (spoilt.min(), spoilt.max()) >= (0, 0)
    assert spoilt.max() <= 255
    np.testing.assert_array_equal(method(module, few.images, few.labels, "mnist", budget), spoilt)


def test_a_linear_models_fgsm_is_the_closed_form(few):
    """d loss / d pixels = W (p - onehot) / std, by hand and in float64."""
    weights = networks.initial_weights(LINEAR, 0)
    module = pytorch.build(LINEAR, weights)
    known = catalog.MNIST
    flat = few.images.reshape(len(few), -1).astype(np.float64)
    logits = (flat - known.mean) / known.std @ weights["dense1.weight"] + weights["dense1.bias"]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gradient = (p - np.eye(10)[few.labels]) @ weights["dense1.weight"].T.astype(np.float64)
    expected = np.clip(flat + 20 * np.sign(gradient), 0, 255)
    spoilt = gradients.fgsm(module, few.images, few.labels, "mnist", 20).reshape(len(few), -1)
    clear = np.abs(gradient) > 1e-6  # elsewhere rounding decides the sign
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(spoilt[clear], expected[clear])


def test_accuracies_fall_and_pgd_is_at_least_as_strong(module, few):
    budgets = (0, 4, 8, 16, 32)
    result = gradients.accuracies(module, few.images, few.labels, "mnist", budgets)
    clean = (pytorch.logits(module, few.images, "mnist").argmax(1) == few.labels).mean()
    assert list(result) == ["FGSM", "PGD"]
    for values in result.values():
        assert len(values) == len(budgets)
        assert values[0] == clean
        assert (np.diff(values) <= 0.02).all()
        assert values[-1] < clean - 0.2
    assert all(p <= f + 0.02 for f, p in zip(result["FGSM"], result["PGD"], strict=True))
    assert result["PGD"][-1] < result["FGSM"][-1]


def test_the_module_is_left_as_it_was(method, module, few):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    method(module, few.images[:10], few.labels[:10], "mnist", 8)
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())  # running statistics, too
