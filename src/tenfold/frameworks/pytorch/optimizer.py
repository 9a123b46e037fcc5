"""Fused AdamW, and Muon for the matrices of hidden layers if the recipe has it."""

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tenfold.frameworks import BETA1, BETA2, EPSILON, ITERATIONS, MOMENTS, MOMENTUM, NEWTON_SCHULZ, orthogonalised
from tenfold.recipes import Recipe


class Optimizer:
    """AdamW (Loshchilov and Hutter 2019) and Muon (Jordan 2024) with the recipe's learning rates.

    Biases and norms, one value per channel, are not decayed. `moments` holds the running means by the names of
    `MOMENTS`; Muon's momentum is the first of them. AdamW is PyTorch's own step as a function, because PyTorch's
    Optimizer class imports the compiler, which takes 1.2 s.
    """

    def __init__(self, module: nn.Sequential, recipe: Recipe) -> None:
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        matrices = orthogonalised(recipe)
        self.recipe = recipe
        self.moments = {  # zeros_like keeps the memory format of the parameters, which is required
            moment: {name: torch.zeros_like(p, requires_grad=False) for name, p in named.items()} for moment in MOMENTS
        }
        self.counts = {name: torch.zeros((), device=parameter.device) for name, parameter in named.items()}
        self.matrices: dict[str, Tensor] = {name: named.pop(name) for name in matrices}
        self.groups: list[tuple[dict[str, Tensor], float]] = [
            ({name: p for name, p in named.items() if p.ndim > 1}, recipe.weight_decay),
            ({name: p for name, p in named.items() if p.ndim <= 1}, 0.0),
        ]

    @torch.no_grad()
    def step(self, share: Tensor) -> None:
        """Update the parameters at a `share` `[]` of the peak rates, a tensor on their device; clear the gradients."""
        rate = share * self.recipe.learning_rate
        for name, parameter in self.matrices.items():
            if parameter.grad is not None:
                parameter.mul_(1 - rate * self.recipe.weight_decay)
                parameter.sub_(self._direction(name, parameter.grad).mul_(share * self.recipe.muon))
                parameter.grad = None
        for group, weight_decay in self.groups:
            if group:
                self._adamw(group, rate, weight_decay)
            for parameter in group.values():
                parameter.grad = None

    def _direction(self, name: str, gradient: Tensor) -> Tensor:
        """Return Muon's step for a convolution or dense layer, with its weights as a matrix `[out, in]`."""
        momentum = self.moments["exp_avg"][name].lerp_(gradient, 1 - MOMENTUM)
        matrix = _orthogonal(gradient.lerp(momentum, MOMENTUM).flatten(1))
        return matrix.view_as(gradient).mul_(max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5)

    def _adamw(self, group: dict[str, Tensor], rate: Tensor, weight_decay: float) -> None:
        adamw(
            params=list(group.values()),
            grads=[p.grad for p in group.values() if p.grad is not None],
            exp_avgs=[self.moments["exp_avg"][name] for name in group],
            exp_avg_sqs=[self.moments["exp_avg_sq"][name] for name in group],
            max_exp_avg_sqs=[],
            state_steps=[self.counts[name] for name in group],
            fused=True,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=rate,
            weight_decay=weight_decay,
            eps=EPSILON,
            maximize=False,
        )


def _orthogonal(matrix: Tensor) -> Tensor:
    """Return approximately the nearest matrix with orthonormal rows (or columns, if fewer), by Newton-Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (torch.linalg.vector_norm(x) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):  # as in keras/optimizer.py; `addmm` adds to a product in one kernel
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
