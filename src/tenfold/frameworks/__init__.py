"""How a network runs: a place a framework, each imported only by those who use it."""

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from tenfold.errors import TenfoldError
from tenfold.recipes import Recipe


@dataclass
class State:
    """Where a training stands after `step` steps, wholly: going on from here gives the bits of going on unasked.

    `tensors` holds the weights (`weights/...`), their moving average (`average/...`) and the optimiser's moments. The
    sums are those of the epoch under way. `seconds` is training time so far, without validation and probing.
    """

    step: int
    tensors: dict[str, np.ndarray]
    loss_sum: float = 0.0
    correct: int = 0
    pictures: int = 0
    seconds: float = 0.0

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights to keep: their moving average where there is one."""
        prefix = "average/" if any(name.startswith("average/") for name in self.tensors) else "weights/"
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Prepared:
    """Training pictures at each step of their way into a network, made by the code that training runs.

    `raw` uint8 `[N, 28, 28]`; `augmented` float32, 0 to 255; `normalised` float32; `labels` int64 `[N]`.
    """

    raw: np.ndarray
    augmented: np.ndarray
    normalised: np.ndarray
    labels: np.ndarray


def load() -> ModuleType:
    """Return the package of the framework that trains; `TenfoldError` where it is not installed."""
    try:
        from tenfold.frameworks import pytorch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise TenfoldError("training needs PyTorch, which is not installed: pip install 'tenfold[train]'") from None
    return pytorch


def choose_precision(recipe: Recipe, framework: ModuleType, device: str) -> str:
    """Return the precision that the recipe names, or for `auto` what the framework finds best on this device."""
    if recipe.precision != "auto":
        return recipe.precision
    precision: str = framework.choose_precision(recipe.layers(), recipe.batch_size, device)
    return precision
