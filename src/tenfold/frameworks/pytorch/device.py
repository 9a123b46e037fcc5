"""Choose the device and the precision for PyTorch on this machine."""

from functools import cache, partial

import numpy as np
import torch

from tenfold import frameworks
from tenfold.frameworks.precision import faster, remembered
from tenfold.frameworks.pytorch.halves import can_halve
from tenfold.frameworks.pytorch.modules import build
from tenfold.networks import INPUT, Network, initial_weights


def choose_device(name: str) -> str:
    """Return the device of that name; `auto` is CUDA if it is available, otherwise the CPU.

    MPS is used only if named, because PyTorch 2.13 has bugs there in convolutions with channels last (pytorch#175189,
    #192212). Raises `UsageError` for an unknown or missing device.
    """
    here = {"cuda": torch.cuda.is_available(), "cpu": True, "mps": torch.backends.mps.is_available()}
    return frameworks.available(name, here, "PyTorch")


def environment(device: str) -> dict[str, str | int]:
    """Return the properties of this framework that a result depends on: device and threads."""
    return {"framework": "pytorch", "device": device, "threads": torch.get_num_threads()}


@cache
def choose_precision(network: Network, batch_size: int, device: str) -> str:
    """Return "bfloat16" if it trains this network correctly and faster, otherwise "float32"."""
    if device == "cpu" and not _multiplies_bfloat16():
        return "float32"  # emulated bfloat16 is many times slower, and measuring it would take seconds
    here = environment(device) | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})
    return remembered(network, batch_size, here, partial(measured_precision, network, batch_size, device))


def measured_precision(network: Network, batch_size: int, device: str) -> str:
    """Return the better precision, measured by a few passes of both, each as one thread of a training computes it."""
    module = build(network, initial_weights(network, 0), device).eval()
    threads = torch.get_num_threads()
    halves = can_halve(module, batch_size, device)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((batch_size // 2 if halves else batch_size, *INPUT), generator=generator).to(device)

    def gradient(precision: str) -> np.ndarray:
        module.zero_grad()
        with autocast(precision, device):
            output = module(images)
        output.float().logsumexp(1).sum().backward()
        return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None]).cpu().numpy()

    try:
        torch.set_num_threads(threads // 2 if halves else threads)
        return faster(gradient)
    finally:
        torch.set_num_threads(threads)


def _multiplies_bfloat16() -> bool:
    """Return True if this processor may have bfloat16 instructions."""
    known = torch.cpu.get_capabilities()
    return known["architecture"] != "x86_64" or bool(known["avx512_bf16"] or known["amx_bf16"])


def autocast(precision: str, device: str) -> torch.autocast:
    """Return the context in which convolutions and products run in `precision`.

    It caches no converted weights: each weight is used once, and CUDA graphs do not allow the cache.
    """
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)
