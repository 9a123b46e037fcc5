"""How a network runs: a place a framework, each imported only by those who use it."""

from dataclasses import dataclass

import numpy as np


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
