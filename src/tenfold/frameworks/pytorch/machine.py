"""What this machine does best: its device, and the precision that is faster and still right."""

import time
from functools import cache

import torch

from tenfold.errors import UsageError, unknown
from tenfold.frameworks.pytorch.modules import build
from tenfold.networks import INPUT, Network, initial_weights

FASTER = 1.1  # what bfloat16 must gain to be chosen: more than two measurements differ


def choose_device(name: str) -> str:
    """Return the device of that name; `auto` is CUDA or MPS where there is one, else the CPU.

    Raises `UsageError` for a device that is unknown or not here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, available in here.items() if available)
    if name not in here:
        raise unknown("device", name, [*here, "auto"])
    if not here[name]:
        raise UsageError(f"this machine (or this build of PyTorch) has no {name}; --device auto takes what there is")
    return name


def environment(device: str) -> dict[str, str | int]:
    """Return what a result depends on of this framework: device and threads."""
    return {"framework": "pytorch", "device": device, "threads": torch.get_num_threads()}


@cache
def choose_precision(network: Network, batch_size: int, device: str) -> str:
    """Return "bfloat16" where it trains this network right and at least 1.1 times as fast, else "float32".

    Some processors run bfloat16 convolutions many times slower, and some shapes have been wrong
    (pytorch#183815, #163347, #169688), so a few steps of both are timed and their gradients compared.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((batch_size, *INPUT), generator=generator).to(device)
    module = build(network, initial_weights(network, 0)).to(device).eval()
    seconds = dict.fromkeys(("float32", "bfloat16"), float("inf"))
    gradients = {}
    for _ in range(6):  # by turns, so that other work on this machine slows both
        for precision in seconds:
            module.zero_grad()
            start = time.perf_counter()
            with autocast(precision, device):
                output = module(images)
            output.float().logsumexp(1).sum().backward()
            gradients[precision] = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
            gradients[precision].norm().item()  # waits for the device
            seconds[precision] = min(seconds[precision], time.perf_counter() - start)
    error = (gradients["bfloat16"] - gradients["float32"]).norm() / gradients["float32"].norm()
    right = bool(error < 0.1)  # rounding to 8 bits costs about 0.01
    return "bfloat16" if right and seconds["bfloat16"] * FASTER < seconds["float32"] else "float32"


def autocast(precision: str, device: str) -> torch.autocast:
    """Return the context in which convolutions and products run in `precision`."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")
