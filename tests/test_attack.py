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


@pytest.mark.parametrize("budget", [1, 8, 40])
def test_the_budget_and_the_range_are_kept_exactly(method, module, few, budget):
    spoilt = method(module, few.images, few.labels, "mnist", budget)
    assert spoilt.shape == few.images.shape
    assert spoilt.dtype == np.float32
    change = np.abs(spoilt - few.images)
    assert change.max() == budget  # it is used, too
    assert spoilt.min() >= 0
    assert spoilt.max() <= 255


def test_no_budget_is_no_change(method, module, few):
    np.testing.assert_array_equal(method(module, few.images, few.labels, "mnist", 0), few.images)


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


def test_on_a_line_pgd_goes_to_the_corner_that_fgsm_goes_to(few):
    """Two classes, so the gradient's sign is the same everywhere: there is no better corner."""
    network = (networks.Flatten(), networks.Dense(2))
    module = pytorch.build(network, networks.initial_weights(network, 0))
    labels = few.labels % 2
    one, other = (method(module, few.images, labels, "mnist", 16) for method in (gradients.fgsm, gradients.pgd))
    np.testing.assert_array_equal(one, other)


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


def test_it_raises_the_loss_where_noise_of_the_same_size_does_not(module, few):
    def loss(images):
        logits = torch.from_numpy(pytorch.logits(module, images, "mnist"))
        return torch.nn.functional.cross_entropy(logits, torch.from_numpy(few.labels)).item()

    signs = np.random.default_rng(0).choice([-16.0, 16.0], few.images.shape)
    noise = np.clip(few.images + signs, 0, 255).astype(np.float32)
    clean, noisy = loss(few.images), loss(noise)
    once, often = (
        loss(method(module, few.images, few.labels, "mnist", 16)) for method in (gradients.fgsm, gradients.pgd)
    )
    assert noisy - clean < (once - clean) / 2
    assert often > once


def test_the_module_is_left_as_it_was(method, module, few):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    method(module, few.images[:10], few.labels[:10], "mnist", 8)
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())  # running statistics, too


def test_the_same_question_has_the_same_answer(module, few):
    one, same = (gradients.pgd(module, few.images, few.labels, "mnist", 16) for _ in range(2))
    np.testing.assert_array_equal(one, same)
