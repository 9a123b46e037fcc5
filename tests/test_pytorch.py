import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tenfold import architectures, augment, frameworks, hardest, networks, recipes
from tenfold.data.split import Samples
from tenfold.frameworks import ITERATIONS, MOMENTUM, NEWTON_SCHULZ, precision, pytorch
from tenfold.frameworks.pytorch import device, modules
from tenfold.frameworks.pytorch.optimizer import Optimizer
from tenfold.frameworks.pytorch.step import Step
from tenfold.networks import Conv, Dense, Flatten, Norm, Relu
from test_networks import UNKNOWN

pytestmark = pytest.mark.usefixtures("one_thread")  # tests of halves set two


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
    sums = [(state.step, state.loss_sum, state.correct, state.pictures) for state in (one, other)]
    assert sums[0] == sums[1]


RESUMED = [
    (recipes.override(recipes.standard(), ["network=standard", "epochs=2", "network.width=8"]), "bfloat16"),
    (recipes.override(recipes.quick(), ["network=keras_example", "epochs=2", "batch_size=128"]), "float32"),
]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("recipe", "precision"), RESUMED, ids=["averaged", "last weights, dropout"])
def test_resumed_anywhere_it_ends_with_the_same_bits(recipe, precision, threads, few):
    torch.set_num_threads(threads)
    whole = list(pytorch.train(recipe, few, precision=precision))
    assert [state.step for state in whole] == [8, 16]
    paused = list(pytorch.train(recipe, few, precision=precision, checkpoint_steps=(1, 11)))
    assert [(state.step, state.pictures) for state in paused] == [(1, 128), (8, 1_000), (11, 384), (16, 1_000)]
    _same(paused[-1], whole[-1])
    for halfway in paused[:-1]:
        *_, resumed = pytorch.train(recipe, few, precision=precision, resume=halfway)
        _same(resumed, whole[-1])


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
def test_the_batch_shown_is_the_first_that_the_network_gets(recipe, few):
    seen = []
    hook = nn.modules.module.register_module_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    try:
        next(pytorch.train(recipes.replace(recipe, averaging=0), few, checkpoint_steps=[1]))
    finally:
        hook.remove()
    shown = frameworks.first_batch(recipe, few)
    np.testing.assert_array_equal(shown.normalised, seen[0].squeeze(1).numpy())
    np.testing.assert_allclose(shown.normalised, (shown.augmented - 33.318421449829934) / 78.56748998339798, atol=1e-5)
    assert np.array_equal(shown.raw, shown.augmented) != recipe.augments
    for raw, label in zip(shown.raw, shown.labels, strict=True):
        assert few.labels[(few.images == raw).all((1, 2))] == label


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
    monkeypatch.setitem(architectures.NETWORKS, "three", lambda classes: network)
    recipe = recipes.replace(recipes.quick(), network="three", learning_rate=0.1, weight_decay=0.1, muon=0.2)
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
        optimizer.step(torch.tensor(share))
        for reference, rate in references:
            for group in reference.param_groups:
                group["lr"] = share * rate
            reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


class _Called(TorchDispatchMode):
    """Notes the operations that are called, those of the way back too."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("recipe", "precision"), RESUMED, ids=["averaged, Muon, maps", "dropout"])
def test_a_step_reads_no_number_of_the_host_and_tells_it_none(recipe, precision, few):
    """So CUDA can capture it: nothing waits for a value, and the same operations serve every step of a training."""
    step = Step(recipe, few, "cpu", precision)
    called = []
    for number in range(recipe.steps(len(few))):
        if number % step.batches == 0:
            step.begin(number // step.batches)
        whole = number % step.batches + 1 < step.batches
        with _Called() as mode:
            step(recipe.batch_size if whole else len(few) % recipe.batch_size)
        called.append(tuple(mode.names))
    assert len(called[0]) > 50
    assert len(set(called)) == 1
    forbidden = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "copy_from")
    assert not [name for name in called[0] if any(word in name for word in forbidden)]


@pytest.mark.parametrize(
    ("asked", "parts"),
    [(["epochs=1.5"], 1), (["epochs=0.9", "hardest=0.4"], 1), (["epochs=1.5"], 2), (["batch_size=400"], 2)],
)
def test_a_training_by_hand_has_the_same_bits(few, asked, parts):
    """The loop as one writes it, with Python's numbers for places, rates and decays."""
    recipe = recipes.override(recipes.standard(), [*asked, "network.width=8", "muon=0"])
    chosen = hardest.chosen(recipe, few)
    torch.set_num_threads(parts)
    *_, state = pytorch.train(recipe, few)
    assert torch.get_num_threads() == parts
    torch.set_num_threads(1)
    module = pytorch.build(recipe.layers(), networks.initial_weights(recipe.layers(), recipe.seed))
    average = [parameter.detach().clone() for parameter in module.parameters()]
    kinds = ((True, recipe.weight_decay), (False, 0.0))
    groups = [
        {"params": [p for p in module.parameters() if (p.ndim > 1) == matrix], "weight_decay": decay}
        for matrix, decay in kinds
    ]
    adamw = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)
    steps, batches = recipe.steps(1_000), recipe.steps_per_epoch(1_000)
    for step in range(steps):
        order, maps = augment.epoch(recipe, 1_000, step // batches, chosen)
        at = slice(step % batches * recipe.batch_size, (step % batches + 1) * recipe.batch_size)
        _, pixels = pytorch.prepare(few.images[order[at]], maps[at], recipe.dataset)
        for group in adamw.param_groups:
            group["lr"] = float(recipe.learning_rates(steps)[step])
        adamw.zero_grad()
        running = [buffer.clone() for buffer in module.buffers()]
        ends = []
        for half in np.array_split(np.arange(len(pixels)), parts):
            for buffer, before in zip(module.buffers(), running, strict=True):
                buffer.copy_(before)
            output = module(torch.from_numpy(pixels[half]).unsqueeze(1))
            labels = torch.from_numpy(few.labels[order[at]][half])
            loss = nn.functional.cross_entropy(output, labels, label_smoothing=0.1)
            (loss * (len(half) / len(pixels))).backward()
            ends.append([buffer.clone() for buffer in module.buffers()])
        for buffer, *halves in zip(module.buffers(), *ends, strict=True):
            buffer.copy_(halves[0].lerp(halves[-1], 0.5) if buffer.is_floating_point() else halves[0])
        adamw.step()
        for kept, parameter in zip(average, module.parameters(), strict=True):
            kept.lerp_(parameter.detach(), float(1 - recipe.averaging_decays(steps)[step]))
    expected = modules.arrays_of(dict(zip((name for name, _ in module.named_parameters()), average, strict=True)))
    for name, array in expected.items():
        np.testing.assert_array_equal(state.tensors[f"average/{name}"], array, err_msg=name)
    for name, array in modules.arrays_of(modules.named_tensors(module)).items():
        np.testing.assert_array_equal(state.tensors[f"weights/{name}"], array, err_msg=name)


def test_the_average_follows_the_weights(small, few):
    recipe = recipes.override(small, ["epochs=1", "averaging=0.5"])
    average = None
    for state in pytorch.train(recipe, few, stopped=lambda: True):
        now = state.tensors["weights/dense1.weight"]
        decay = min(0.5, state.step / (state.step + 9))
        initial = networks.initial_weights(recipe.layers(), recipe.seed)["dense1.weight"]
        average = (initial if average is None else average) * decay + now * (1 - decay)
    np.testing.assert_allclose(state.weights()["dense1.weight"], average, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(6, 2, 0), (5, 1, 2), (3, 1, 0)])
def test_the_first_convolution_is_one_in_bfloat16_too(kernel, stride, padding):
    """There it is a product of patches."""
    network = (Conv(4, kernel, stride, padding), Flatten(), Dense(10))
    first = pytorch.build(network, networks.initial_weights(network, 0))[0]
    pictures = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.conv2d(pictures, first.weight, first.bias, stride, padding)
    with device.autocast("bfloat16", "cpu"):
        product = first(pictures)
    assert product.dtype == torch.bfloat16
    torch.testing.assert_close(product.float(), expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(first(pictures), expected)


def test_the_probe_measures_what_a_thread_of_a_training_computes():
    seen = set()

    def note(module, inputs):
        seen.add((len(inputs[0]), torch.get_num_threads()))

    hook = nn.modules.module.register_module_forward_pre_hook(note)
    torch.set_num_threads(2)
    try:
        device.measured_precision(architectures.quick(10, width=4), 128, "cpu")
        assert torch.get_num_threads() == 2
        device.measured_precision(architectures.quick(10, width=4), 32, "cpu")
    finally:
        hook.remove()
    assert seen == {(64, 1), (32, 2)}


@pytest.mark.parametrize(("factor", "choice"), [(1e-9, "bfloat16"), (1e9, "float32")])
def test_the_probe_chooses_bfloat16_if_it_is_faster(monkeypatch, factor, choice):
    monkeypatch.setattr(precision, "FASTER", factor)
    assert device.measured_precision(architectures.quick(10, width=4), 32, "cpu") == choice


def test_the_probe_refuses_bfloat16_if_it_is_wrong(monkeypatch):
    """On a processor whose bfloat16 products are a half too large."""
    monkeypatch.setattr(precision, "FASTER", 1e-9)

    def tamper(module, _, output):
        return output * 1.5 if isinstance(module, nn.Linear) and output.dtype == torch.bfloat16 else output

    hook = nn.modules.module.register_module_forward_hook(tamper)
    try:
        assert device.measured_precision(architectures.quick(10, width=4), 32, "cpu") == "float32"
    finally:
        hook.remove()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_step_reuses_the_memory_of_the_step_before(threads):
    program = """
import resource
import numpy as np
from tenfold import recipes
from tenfold.data.split import Samples
from tenfold.frameworks import pytorch

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

samples = Samples(np.zeros((2560, 28, 28), np.uint8), np.arange(2560) % 10)  # ten steps an epoch
*_, before, after = (faults() for _ in pytorch.train(recipes.replace(recipes.quick(), epochs=3), samples))
print((after - before) // 10)
"""
    environment = os.environ | {"OMP_NUM_THREADS": threads}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200  # 1,700 if it is returned to the system
