"""Networks as ordinary `nn.Module` objects: weights under Tenfold's names, and logits."""

from collections import OrderedDict
from collections.abc import Callable
from typing import assert_never

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import convert_conv2d_weight_memory_format

from tenfold import networks
from tenfold.data import catalog
from tenfold.networks import Network, Summary, check_weights, summarise

BATCH = 500  # pictures per forward pass without training, so that the maps stay in the processor's cache


def build(network: Network, weights: dict[str, np.ndarray], device: str = "cpu") -> nn.Sequential:
    """Return the network as an ordinary module on a device: normalised float `[N, 1, 28, 28]` -> logits `[N, classes]`.

    Its convolutions have channels last, which is faster on CPUs. Raises `UsageError` with the name of the first array
    that does not fit if the weights are those of another network.
    """
    check_weights(network, weights, "the weights")
    module = nn.Sequential()
    for layer in summarise(network):
        module.add_module(layer.name, _module(layer))
    fill(named_tensors(module), weights)
    convert_conv2d_weight_memory_format(module, torch.channels_last)
    return module.to(device)


def logits(module: nn.Sequential, images: np.ndarray, dataset: str) -> np.ndarray:
    """Return float32 logits `[N, classes]` for uint8 images `[N, 28, 28]`, computed on the module's device.

    The arithmetic is float32, and on a GPU it is as PyTorch has it: convolutions may use TF32.
    """
    device = next(module.parameters()).device
    normalise = normaliser(dataset)
    was_training = module.training
    module.eval()
    with torch.inference_mode():
        parts = [
            module(normalise(torch.from_numpy(images[start : start + BATCH]).to(device).unsqueeze(1).float())).cpu()
            for start in range(0, len(images), BATCH)
        ]
    module.train(was_training)
    return torch.cat(parts).numpy()


def normaliser(dataset: str) -> Callable[[Tensor], Tensor]:
    """Return the function that normalises pixels, 0 to 255, by the training set's mean and standard deviation."""
    mean, std = catalog.find(dataset).mean, catalog.find(dataset).std
    return lambda pixels: (pixels - mean).mul_(1 / std)


class _FirstConv(nn.Conv2d):
    """A convolution of one channel; in bfloat16 a product of patches, which takes about half of oneDNN's time."""

    def forward(self, pictures: Tensor) -> Tensor:
        if not torch.is_autocast_enabled(pictures.device.type):
            return super().forward(pictures)
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        windows = (
            F.pad(pictures, [padding] * 4).unfold(2, kernel, stride).unfold(3, kernel, stride)
        )  # [B, 1, H, W, k, k]
        patches = windows.flatten(4).squeeze(1)  # [B, H, W, k²]
        return F.linear(patches, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)  # [B, C, H, W], channels last


class _MaxMeanPool(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        pooled = F.adaptive_max_pool2d(maps, 1), F.adaptive_avg_pool2d(maps, 1)
        return torch.cat(pooled, 1).flatten(1)  # [N, C, H, W] -> [N, 2·C]


class _Residual(nn.Sequential):
    def forward(self, maps: Tensor) -> Tensor:
        x = maps
        for part in self:
            x = part(x)
        return F.relu_(maps + x)


def _module(summary: Summary) -> nn.Module:
    shape = summary.input_shape
    match summary.layer:
        case networks.Conv(channels, kernel, stride, padding, bias):
            convolution = _FirstConv if shape[0] == 1 else nn.Conv2d
            return convolution(shape[0], channels, kernel, stride, padding, bias=bias)
        case networks.Norm():
            return nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])
        case networks.Relu():
            return nn.ReLU(inplace=True)
        case networks.MaxPool(size):
            return nn.MaxPool2d(size)
        case networks.GlobalPool():
            return _MaxMeanPool()
        case networks.Flatten():
            return nn.Flatten()
        case networks.Dropout(rate):
            return nn.Dropout(rate)
        case networks.Dense(units, bias):
            return nn.Linear(shape[0], units, bias=bias)
        case networks.Residual():
            return _Residual(OrderedDict((part.name.rpartition(".")[2], _module(part)) for part in summary.parts))
        case _:
            assert_never(summary.layer)


def named_tensors(module: nn.Sequential) -> dict[str, Tensor]:
    """Return the module's parameters and statistics under Tenfold's names, in the module's own axis order."""
    renamed = {"running_mean": "mean", "running_var": "variance"}
    tensors: dict[str, Tensor] = dict(module.named_parameters())
    for name, buffer in module.named_buffers():
        layer, _, key = name.rpartition(".")
        if key in renamed:
            tensors[f"{layer}.{renamed[key]}"] = buffer
    return tensors


def arrays_of(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Return copies of tensors in Tenfold's axis order: dense weights from `[out, in]` to `[in, out]`."""
    return {
        name: (value.T if value.ndim == 2 else value).detach().cpu().numpy().copy(order="C")
        for name, value in tensors.items()
    }


@torch.no_grad()
def fill(tensors: dict[str, Tensor], arrays: dict[str, np.ndarray]) -> None:
    """Copy arrays in Tenfold's axis order into the tensors with the same names."""
    for name, tensor in tensors.items():
        value = torch.from_numpy(np.ascontiguousarray(arrays[name]))
        tensor.copy_(value.T if value.ndim == 2 else value)
