"""Build and train networks in PyTorch and Keras, and run them in ONNX Runtime. A framework is imported at first use.

Each package has `build`, `logits`, `train`, `prepare`, `choose_device`, `choose_precision` and `environment`.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from tenfold import augment, extras, hardest, machine, networks, runs
from tenfold.data import catalog
from tenfold.data.split import Samples
from tenfold.errors import DivergedError, UsageError, unknown
from tenfold.recipes import Recipe

MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's running means of the gradient and of its square
BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8  # AdamW's
MOMENTUM = 0.6  # Muon's Nesterov momentum; short trainings do not need more
NEWTON_SCHULZ, ITERATIONS = (3.4445, -4.7750, 2.0315), 3  # Muon's coefficients; three iterations suffice


@dataclass(frozen=True)
class Framework:
    """The module of a framework, the distributions that determine its results, and its extra and required modules."""

    module: str
    packages: tuple[str, ...]
    extra: str = ""
    modules: tuple[str, ...] = ()


FRAMEWORKS = {
    "pytorch": Framework("tenfold.frameworks.pytorch", ("torch",), "train", ("torch",)),
    "tensorflow": Framework(
        "tenfold.frameworks.keras", ("tensorflow", "tensorflow-cpu", "keras"), "tensorflow", ("tensorflow", "keras")
    ),
}


@dataclass
class State:
    """The whole state of a training after `step` steps: resuming from it gives the same bits.

    `tensors` holds the weights (`weights/...`), their moving average (`average/...`) and AdamW's running means of the
    gradient (`exp_avg/...`) and of its square (`exp_avg_sq/...`), with the same names and axes in every framework. Sums
    are over the current epoch. `seconds` is the training time so far, without validation and probing.
    """

    step: int
    tensors: dict[str, np.ndarray]
    loss_sum: float = 0.0
    correct: int = 0
    pictures: int = 0
    seconds: float = 0.0

    def numbers(self) -> dict[str, Any]:
        """Return the part of a checkpoint that is not tensors."""
        return {key: value for key, value in vars(self).items() if key != "tensors"}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights to keep: the moving average if there is one."""
        return self.group("average") or self.group("weights")

    def group(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the tensors with a prefix, by name without it."""
        start = f"{prefix}/"
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}


def flattened(groups: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return `State.tensors` from arrays by prefix and name. `State.group` is the inverse for one prefix."""
    return {f"{prefix}/{name}": array for prefix, group in groups.items() for name, array in group.items()}


@dataclass(frozen=True)
class Prepared:
    """Training pictures at each step before the network, made by the code that training runs.

    `raw` uint8 `[N, 28, 28]`; `augmented` float32, 0 to 255; `normalised` float32; `labels` int64 `[N]`.
    """

    raw: np.ndarray
    augmented: np.ndarray
    normalised: np.ndarray
    labels: np.ndarray


def require_installed(name: str) -> None:
    """Raise `TenfoldError` if a package for training with the framework `name` is not installed."""
    framework = FRAMEWORKS[name]
    if framework.extra:
        extras.require(framework.extra, f"training with {name}", *framework.modules)


def load(name: str) -> ModuleType:
    """Return the package of a framework; raise `TenfoldError` if it is not installed."""
    require_installed(name)
    return import_module(FRAMEWORKS[name].module)


def orthogonalised(recipe: Recipe) -> list[str]:
    """Return the names of the weights that Muon updates: those of all convolutions and dense layers except the last."""
    learnt = [item for layer in networks.summarise(recipe.layers()) for item in layer.parameters.items()]
    matrices = [name for name, shape in learnt if len(shape) > 1]
    return matrices[:-1] if recipe.muon else []


def settled(recipe: Recipe, device: str) -> tuple[Recipe, str]:
    """Return the recipe and the device with each `auto` replaced by the best choice on this machine.

    Raises `UsageError` for an unknown or missing device.
    """
    framework = load(recipe.framework)
    device = framework.choose_device(device)
    require_memory(recipe, device)
    if recipe.precision != "auto":
        return recipe, device
    precision = framework.choose_precision(recipe.layers(), recipe.batch_size, device)
    return recipe.model_copy(update={"precision": precision}), device


def memory(recipe: Recipe, device: str = "cpu") -> int:
    """Estimate the bytes of this machine's memory that a training takes, from the summary of the network."""
    return sum(_memory(recipe, device).values())


def require_memory(recipe: Recipe, device: str) -> None:
    """Raise `UsageError` for a training that needs more memory than this machine has, before allocating any."""
    parts, has = _memory(recipe, device), machine.memory()
    if (needs := sum(parts.values())) > has:
        said = ", ".join(f"{name} {machine.gigabytes(size)}" for name, size in parts.items())
        raise UsageError(
            f"this training needs about {machine.gigabytes(needs)} of memory ({said}), and this machine has "
            f"{machine.gigabytes(has)}; use a smaller network or a smaller --set batch_size"
        )


def _memory(recipe: Recipe, device: str) -> dict[str, int]:
    """Return the bytes of each part of a training's memory; maps count only when training on the CPU."""
    layers = networks.summarise(recipe.layers())
    values = sum(layer.parameter_count for layer in layers)
    kept = len(("weights", *MOMENTS)) + bool(recipe.averaging)  # a checkpoint has a copy; plus gradients
    dataset, extra = catalog.find(recipe.dataset), catalog.find(recipe.extra) if recipe.extra else None
    pictures = dataset.development_size + (extra.development_size * recipe.extra_repeats if extra else 0)
    maps = sum(math.prod(part.output_shape) for layer in layers for part in (layer.parts or (layer,)))
    return {
        "weights and moments": 4 * values * (2 * kept + 1),
        "maps of a batch": 4 * maps * min(recipe.batch_size, pictures) if device in ("cpu", "auto") else 0,
        "pictures": math.prod(networks.INPUT) * pictures,
    }


def fit(
    recipe: Recipe,
    samples: Samples,
    device: str = "auto",
    resume: State | None = None,
    stopped: Callable[[], bool] = lambda: False,
    checkpoint_steps: Collection[int] = (),
) -> Iterator[State]:
    """Train; yield the state after each epoch, after each of `checkpoint_steps`, when `stopped`, and at the end.

    Raises `DivergedError` instead of yielding a state whose loss is not finite.
    """
    recipe, device = settled(recipe, device)
    train = load(recipe.framework).train
    for state in train(recipe, samples, device, recipe.precision, resume, stopped, checkpoint_steps):
        if not math.isfinite(state.loss_sum):
            raise diverged(recipe, "loss", state.step / recipe.steps_per_epoch(len(samples)))
        yield state


def diverged(recipe: Recipe, loss: str, epoch: float) -> DivergedError:
    """Return the error for a training whose `loss` became infinite or NaN in an epoch."""
    return DivergedError(
        f"the {loss} became infinite or NaN in epoch {math.ceil(epoch)}.\n"
        f"Try a smaller step (--set learning_rate={recipe.learning_rate / 3:.1g}), a longer --set warmup, "
        "or --set precision=float32"
    )


def environment(recipe: Recipe, device: str) -> dict[str, Any]:
    """Return what a result depends on besides the recipe, with the device and precision chosen here."""
    recipe, device = settled(recipe, device)
    name = recipe.framework
    here: dict[str, Any] = load(name).environment(device) | {"precision": recipe.precision}
    return runs.environment(FRAMEWORKS[name].packages) | here


def available(name: str, here: dict[str, bool], library: str) -> str:
    """Return the device of that name if it is `here`, or for `auto` the first available one.

    Raises `UsageError` for an unknown or missing device.
    """
    if name == "auto":
        return next(device for device, is_here in here.items() if is_here)
    if name not in here:
        raise unknown("device", name, [*here, "auto"])
    if not here[name]:
        raise UsageError(f"this machine (or this build of {library}) has no {name}; use --device auto")
    return name


def first_batch(recipe: Recipe, samples: Samples) -> Prepared:
    """Return the first training batch of these samples, at each step before the network."""
    order, maps = augment.epoch(recipe, len(samples), 0, hardest.chosen(recipe, samples))
    size = recipe.batch_size
    return _prepared(recipe, samples.take(order[:size]), None if maps is None else maps[:size])


def variants(recipe: Recipe, samples: Samples, count: int) -> Prepared:
    """Return `count` random variants of each sample, as in training, sample by sample."""
    repeated = samples.take(np.repeat(np.arange(len(samples)), count))
    _, maps = augment.epoch(recipe, len(repeated), 0)
    return _prepared(recipe, repeated, maps)


def _prepared(recipe: Recipe, samples: Samples, maps: np.ndarray | None) -> Prepared:
    augmented, normalised = load(recipe.framework).prepare(samples.images, maps, recipe.dataset)
    return Prepared(samples.images, augmented, normalised, samples.labels)
