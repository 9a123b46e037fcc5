from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from tenfold import architectures, augment, frameworks, networks, recipes
from tenfold.data.split import Samples
from tenfold.errors import UsageError
from tenfold.frameworks import ITERATIONS, MOMENTUM, NEWTON_SCHULZ, pytorch
from tenfold.frameworks.pytorch import device, modules, training
from tenfold.frameworks.pytorch.optimizer import Optimizer
from tenfold.networks import Dense, Flatten, Norm, Relu
from tenfold.recipes import Recipe
from test_networks import UNKNOWN


@pytest.fixture(scope="module")
def few(mnist):
    return mnist.take(np.arange(1_000))


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_the_module_is_the_network_that_was_counted(name):
    network = architectures.build(name, {}, 10)
    module = pytorch.build(network, networks.initial_weights(network, 0)).eval()
    assert sum(p.numel() for p in module.parameters()) == networks.parameter_count(network)
    x = torch.zeros(3, *networks.INPUT)
    for layer, part in zip(networks.summarise(network), module, strict=True):
        x = part(x)
        assert x.shape[1:] == layer.output_shape


@pytest.mark.parametrize("name", architectures.NETWORKS)
def test_weights_come_out_as_they_went_in(name):
    network = architectures.build(name, {}, 10)
    rng = np.random.default_rng(0)
    weights = {k: rng.random(shape, np.float32) for k, shape in networks.weight_shapes(network).items()}
    again = modules.arrays_of(modules.named_tensors(pytorch.build(network, weights)))
    assert again.keys() == weights.keys()
    for key, value in weights.items():
        np.testing.assert_array_equal(again[key], value)


def test_weights_of_another_network_are_refused_with_the_first_difference():
    with pytest.raises(UsageError, match=r"another network: conv1.weight is 8×1×5×5, not 16×1×5×5"):
        pytorch.build(architectures.quick(10), networks.initial_weights(architectures.quick(10, width=8), 0))


def test_an_unknown_layer_is_refused():
    with pytest.raises(AssertionError, match="Unknown"):
        modules._module(UNKNOWN)


def test_dense_weights_are_in_out():
    network = (networks.Flatten(), networks.Dense(10))
    weights = networks.initial_weights(network, 0)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    pixels = (images.reshape(5, 784) - 33.318421449829934) / 78.56748998339798
    expected = pixels @ weights["dense1.weight"] + weights["dense1.bias"]
    np.testing.assert_allclose(pytorch.logits(pytorch.build(network, weights), images, "mnist"), expected, atol=1e-5)


def _same(one, other):
    assert one.tensors.keys() == other.tensors.keys()
    for key, value in one.tensors.items():
        np.testing.assert_array_equal(value, other.tensors[key], err_msg=key)
    assert (one.step, one.loss_sum, one.correct, one.pictures) == (
        other.step,
        other.loss_sum,
        other.correct,
        other.pictures,
    )


RECIPES = {
    "averaged": recipes.override(recipes.standard(), ["epochs=2", "network.width=8"]),
    "last weights, dropout": recipes.override(recipes.quick(), ["network=keras_example", "epochs=2", "batch_size=128"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_resumed_anywhere_it_ends_with_the_same_bits(recipe, precision, few):
    whole = list(pytorch.train(recipe, few, precision=precision))
    assert [state.step for state in whole] == [8, 16]
    for stop in (1, 5, 8, 11, 15):
        states = pytorch.train(recipe, few, precision=precision, stopped=lambda: True)  # yields every step
        halfway = next(state for state in states if state.step == stop)
        *_, resumed = pytorch.train(recipe, few, precision=precision, resume=halfway)
        _same(resumed, whole[-1])


def test_the_seed_decides_everything(few, small):
    (*_, one), (*_, same), (*_, other) = (pytorch.train(recipes.replace(small, seed=seed), few) for seed in (1, 1, 2))
    _same(one, same)
    assert one.loss_sum != other.loss_sum


def test_sums_count_every_picture_once(small, few):
    """1,001 pictures in batches of 128 leave one of 105; the mean loss is over pictures, not over batches."""
    uneven = Samples(np.concatenate([few.images, few.images[:1]]), np.append(few.labels, few.labels[0]))
    frozen = recipes.override(
        small, ["epochs=1", "learning_rate=1e-12", "muon=0", "averaging=0", "label_smoothing=0", "rotation=0"]
    )
    *_, state = pytorch.train(frozen, uneven)
    assert state.pictures == 1_001
    module = pytorch.build(frozen.layers(), networks.initial_weights(frozen.layers(), frozen.seed)).train()
    order, _ = augment.epoch(frozen, 1_001, 0)
    total = 0.0
    for batch in np.split(
        order, range(frozen.batch_size, 1_001, frozen.batch_size)
    ):  # batch norm sees batches, so they must be the same
        pixels = torch.from_numpy(uneven.images[batch]).unsqueeze(1).float()
        output = module((pixels - 33.318421449829934) / 78.56748998339798)
        total += nn.functional.cross_entropy(output, torch.from_numpy(uneven.labels[batch]), reduction="sum").item()
    assert state.loss_sum == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("recipe", [recipes.standard(), recipes.quick()], ids=["augmented", "as they are"])
def test_the_batch_shown_is_the_first_that_the_network_gets(recipe, few, monkeypatch):
    seen = []

    def listen(layers, weights):
        module = build(layers, weights)
        module[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
        return module

    build = training.build
    monkeypatch.setattr(training, "build", listen)
    next(pytorch.train(recipes.replace(recipe, averaging=0), few, stopped=lambda: True))
    shown = frameworks.first_batch(recipe, few)
    np.testing.assert_array_equal(shown.normalised, seen[0].squeeze(1).numpy())
    np.testing.assert_allclose(shown.normalised, (shown.augmented - 33.318421449829934) / 78.56748998339798, atol=1e-5)
    assert np.array_equal(shown.raw, shown.augmented) != recipe.augments
    assert all(
        few.labels[(few.images == raw).all((1, 2))] == label for raw, label in zip(shown.raw, shown.labels, strict=True)
    )


def test_variants_are_of_their_own_picture(few):
    two = few.take(np.array([3, 5]))
    variants = frameworks.variants(recipes.standard(), two, 6)
    assert variants.raw.shape == variants.augmented.shape == (12, 28, 28)
    assert len(np.unique(variants.augmented, axis=0)) == 12
    for at, (raw, augmented) in enumerate(zip(variants.raw, variants.augmented, strict=True)):
        np.testing.assert_array_equal(raw, two.images[at // 6])
        assert variants.labels[at] == two.labels[at // 6]
        likeness = [np.corrcoef(augmented.ravel(), image.ravel())[0, 1] for image in two.images]
        assert np.argmax(likeness) == at // 6
    assert np.array_equal(frameworks.variants(recipes.quick(), two, 2).augmented, np.repeat(two.images, 2, axis=0))


@pytest.mark.slow
def test_a_step_is_that_of_torch_optim():
    network = architectures.standard(10, width=4)
    ours, theirs = (pytorch.build(network, networks.initial_weights(network, 0)) for _ in range(2))
    recipe = recipes.replace(recipes.standard(), learning_rate=0.1, weight_decay=0.1, muon=0)
    decayed = [p for p in theirs.parameters() if p.ndim > 1]
    others = [p for p in theirs.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    _steps_alike(ours, Optimizer(ours, recipe), theirs, [(torch.optim.AdamW(groups, betas=(0.9, 0.99)), 0.1)])


def test_a_step_of_hidden_matrices_is_that_of_torch_optim_muon(monkeypatch):
    """In float32 for both: PyTorch's own works in bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())
    network = (Flatten(), Dense(24, bias=False), Norm(), Relu(), Dense(40), Dense(10))
    ours, theirs = (pytorch.build(network, networks.initial_weights(network, 0)) for _ in range(2))
    recipe = recipes.replace(recipes.standard(), learning_rate=0.1, weight_decay=0.1, muon=0.2)
    monkeypatch.setattr(Recipe, "layers", lambda _: network)
    tensors = dict(theirs.named_parameters())
    matrices = [tensors.pop(name) for name in ("dense1.weight", "dense2.weight")]  # a wide one and a tall one
    last = [tensors.pop("dense3.weight")]
    groups = [{"params": last, "weight_decay": 0.1}, {"params": [*tensors.values()], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    settings = {"momentum": MOMENTUM, "ns_coefficients": NEWTON_SCHULZ, "ns_steps": ITERATIONS}
    muon = torch.optim.Muon(matrices, weight_decay=0.1 * 0.1 / 0.2, **settings)  # ours decays at AdamW's rate
    _steps_alike(ours, Optimizer(ours, recipe), theirs, [(adamw, 0.1), (muon, 0.2)])


def test_muon_moves_the_matrices_of_a_residual_block_too_but_not_the_last():
    matrices = frameworks.orthogonalised(recipes.override(recipes.quick(), ["network=residual"]))
    assert {"conv1.weight", "residual1.conv1.weight", "residual2.conv2.weight"} <= set(matrices)
    assert not {"dense1.weight", "residual1.norm1.weight"} & set(matrices)
    assert frameworks.orthogonalised(recipes.override(recipes.quick(), ["network=residual", "muon=0"])) == []


def _steps_alike(ours, optimizer, theirs, references):
    """Take three steps of both, at shares of the references' rates."""
    images = torch.randn(32, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for share in (0.1, 0.2, 0.05):
        for module in (ours, theirs):
            module.zero_grad()
            module(images).square().mean().backward()
        optimizer.step(share)
        for reference, rate in references:
            for group in reference.param_groups:
                group["lr"] = share * rate
            reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


def test_the_average_follows_the_weights(small, few):
    recipe = recipes.override(small, ["epochs=1", "averaging=0.5"])
    average = None
    for state in pytorch.train(recipe, few, stopped=lambda: True):
        now = state.tensors["weights/dense1.weight"]
        decay = min(0.5, state.step / (state.step + 9))
        initial = networks.initial_weights(recipe.layers(), recipe.seed)["dense1.weight"]
        average = (initial if average is None else average) * decay + now * (1 - decay)
    np.testing.assert_allclose(state.weights()["dense1.weight"], average, rtol=1e-4, atol=1e-6)


def test_it_learns(mnist, small):
    train, held_out = mnist.take(np.arange(4_000)), mnist.take(np.arange(4_000, 6_000))
    *_, state = pytorch.train(recipes.replace(small, epochs=3), train)
    module = pytorch.build(small.layers(), state.weights())
    assert (pytorch.logits(module, held_out.images, "mnist").argmax(1) == held_out.labels).mean() > 0.96


@pytest.fixture
def fresh_probe():
    device.choose_precision.cache_clear()
    yield
    device.choose_precision.cache_clear()


@pytest.mark.usefixtures("fresh_probe")
@pytest.mark.parametrize(("factor", "choice"), [(1e-9, "bfloat16"), (1e9, "float32")])
def test_the_probe_chooses_bfloat16_if_it_is_faster(monkeypatch, factor, choice):
    monkeypatch.setattr(frameworks, "FASTER", factor)
    assert pytorch.choose_precision(architectures.quick(10, width=4), 32, "cpu") == choice


@pytest.mark.usefixtures("fresh_probe")
def test_the_probe_refuses_bfloat16_if_it_is_wrong(monkeypatch):
    monkeypatch.setattr(frameworks, "FASTER", 1e-9)

    @contextmanager
    def wrong(precision, device):  # a processor whose bfloat16 products are a half too large
        def tamper(module, _, output):
            return output * 1.5 if isinstance(module, nn.Linear) and precision == "bfloat16" else output

        hook = nn.modules.module.register_module_forward_hook(tamper)
        try:
            yield
        finally:
            hook.remove()

    monkeypatch.setattr(device, "autocast", wrong)
    assert pytorch.choose_precision(architectures.quick(10, width=4), 32, "cpu") == "float32"


def test_the_device_is_what_was_asked_for_or_what_there_is():
    assert pytorch.choose_device("cpu") == "cpu"
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pytorch.choose_device("auto") == expected


def test_pauses_change_nothing_but_when_it_looks_up(small, few):
    recipe = recipes.replace(small, precision="float32")
    *_, straight = pytorch.train(recipe, few)
    states = list(pytorch.train(recipe, few, checkpoint_steps=(3, 5)))
    assert [state.step for state in states] == [3, 5, 8, 16]
    assert states[0].pictures == 3 * recipe.batch_size
    for name, value in straight.tensors.items():
        np.testing.assert_array_equal(states[-1].tensors[name], value)
