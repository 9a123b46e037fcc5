"""A recipe holds every setting that a training depends on; the same recipe, machine and versions give the same bits.

It is a frozen, validated value. Functions return the named recipes; a variant is `override(quick(), ["epochs=3"])`.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from tenfold import architectures
from tenfold.data import catalog
from tenfold.data.split import VALIDATION_SIZE
from tenfold.errors import UsageError, unknown
from tenfold.networks import Network

NETWORK_PREFIX = "network."
NOT_TO_SET = ("network_arguments", "initial_weights")  # not by `--set`: `--set network.KEY=` and `--from` set them


class Recipe(BaseModel):
    """The settings of a training. Each field's description has its unit; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = Field("mnist", description="name of the dataset in the catalog")
    network: str = Field(description="name of the network in the catalog")
    network_arguments: dict[str, int | float] = Field({}, description="the network's hyperparameters, by name")
    framework: Literal["pytorch", "tensorflow"] = Field("pytorch", description="the framework that trains")
    epochs: float = Field(gt=0, le=10_000, description="passes over the training pictures; 0.5 is half a pass")
    batch_size: int = Field(ge=2, le=60_000, description="pictures per step")
    learning_rate: float = Field(gt=0, le=10, description="learning rate of AdamW at the schedule's peak")
    muon: float = Field(
        0.0,
        ge=0,
        le=1_000,
        description="learning rate of Muon at the peak, for all weight matrices except the last; 0: AdamW for all",
    )
    hardest: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of each class's pictures to train on, those that a linear model finds hardest; an epoch "
        "uses them several times; needs clean labels; ignored with train_size; 1: all",
    )
    schedule: Literal["one-cycle", "cosine"] = Field(
        "one-cycle", description="one-cycle: linear up, then linear down to 0; cosine: half a cosine down to 0"
    )
    warmup: float = Field(0.3, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, le=10, description="decoupled weight decay, not of biases and norms")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    rotation: float = Field(0.0, ge=0, le=180, description="augmentation: up to ± this many degrees")
    shift: float = Field(0.0, ge=0, le=14, description="augmentation: up to ± this many pixels along each axis")
    scale: float = Field(0.0, ge=0, lt=1, description="augmentation: each axis by a factor of up to 1 ± this")
    shear: float = Field(0.0, ge=0, lt=1, description="augmentation: up to ± this many pixels per pixel")
    flip: bool = Field(False, description="augmentation: mirror each picture with probability one half")
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay per step of the moving average of the weights; 0: no average"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="precision of convolutions and matrix products; auto: bfloat16 if it is faster and correct here",
    )
    initial_weights: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="SHA-256 of the initial weights; none: random weights"
    )
    extra: str | None = Field(
        None, description="another dataset of the same classes to train on as well; none: no other"
    )
    extra_repeats: int = Field(1, ge=1, le=100_000, description="times that an epoch uses each picture of extra")
    seed: int = Field(0, ge=0, lt=2**32, description="random seed of initial weights, order, augmentation and dropout")
    validation_size: int = Field(VALIDATION_SIZE, ge=0, description="development pictures set aside for validation")
    train_size: int | None = Field(None, gt=0, description="number of training pictures to use; none: all")
    split_seed: int = Field(0, ge=0, lt=2**32, description="random seed of the choice of validation pictures")

    @model_validator(mode="after")
    def _names_are_known(self) -> "Recipe":
        self.layers()
        return self

    def layers(self) -> Network:
        """Return the network for the dataset's classes."""
        return architectures.build(self.network, self.network_arguments, len(catalog.find(self.dataset).classes))

    @property
    def augments(self) -> bool:
        """True if training pictures are changed at random."""
        return any((self.rotation, self.shift, self.scale, self.shear, self.flip))

    @property
    def selects(self) -> bool:
        """True if training uses only the hardest pictures."""
        return self.hardest < 1 and self.train_size is None

    @property
    def hash(self) -> str:
        """The SHA-256 of the recipe's canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()

    @property
    def family(self) -> str:
        """The hash of the recipe without its seed; recipes that differ only in the seed have the same."""
        return self.model_copy(update={"seed": 0}).hash

    def steps(self, pictures: int) -> int:
        """Return the number of steps in `epochs` over this many pictures; a last, smaller batch is a step."""
        return max(1, round(self.epochs * self.steps_per_epoch(pictures)))

    def steps_per_epoch(self, pictures: int) -> int:
        """Return the number of batches in one pass over this many pictures.

        A last batch of a single picture is left out, because batch normalisation needs at least two. It is another
        picture in each epoch.
        """
        return math.ceil((pictures - 1) / self.batch_size)

    def learning_rates(self, steps: int) -> np.ndarray:
        """Return the learning rate of each step, float64 `[steps]`."""
        return self.schedule_shares(steps) * self.learning_rate

    def schedule_shares(self, steps: int) -> np.ndarray:
        """Return each step's learning rate as a share of the peak, float64 `[steps]`."""
        at = (np.arange(steps) + 0.5) / steps  # the middle of each step, so that no step has a rate of 0
        up = at / max(self.warmup, at[0])  # a rise shorter than half a step is ignored
        left = (1 - at) / (1 - self.warmup)
        down = left if self.schedule == "one-cycle" else 0.5 - 0.5 * np.cos(np.pi * left)
        return np.where(at < self.warmup, up, down)

    def averaging_decays(self, steps: int) -> np.ndarray:
        """Return the decay of the moving average of the weights in each step, float64 `[steps]`.

        It rises to `averaging`, so that the average soon forgets the random weights of the start.
        """
        step = np.arange(1, steps + 1)
        return np.minimum(self.averaging, step / (step + 9))


def quick() -> Recipe:
    """99% in a second or two on two CPU cores: a small network, and the hardest pictures."""
    return Recipe(
        network="quick",
        network_arguments={"kernel": 6, "stride": 2, "pooled": 1, "hidden": 96},
        epochs=0.31,
        hardest=0.45,
        batch_size=256,
        learning_rate=0.05,
        muon=0.4,
        warmup=0.3,
        weight_decay=0.05,
        label_smoothing=0.1,
    )


def instant() -> Recipe:
    """99%, for GPUs: a larger network than `quick`, with fewer, larger steps. On a CPU `quick` is faster."""
    network = {"width": 32, "stride": 2, "depth": 3, "hidden": 128}
    steps = {"epochs": 0.8, "hardest": 1.0, "batch_size": 1024, "learning_rate": 0.08, "muon": 0.6}
    return replace(quick(), network_arguments=network, **steps)


def standard() -> Recipe:
    """99.6% in a minute or two on two CPU cores: a network with an early layer at full resolution."""
    return Recipe(
        network="fullres",
        epochs=2,
        hardest=0.6,
        batch_size=128,
        learning_rate=0.005,
        muon=0.05,
        warmup=0.2,
        weight_decay=0.05,
        label_smoothing=0.1,
        rotation=8,
        shift=1.5,
        scale=0.08,
        shear=0.08,
        averaging=0.995,
    )


def strong() -> Recipe:
    """99.7% in a few minutes on two CPU cores: `standard`, augmented more and trained for longer on all pictures."""
    moved = {"rotation": 12, "shift": 2.5, "scale": 0.12, "shear": 0.12}
    return replace(standard(), epochs=15, hardest=1, averaging=0.998, **moved)


def best() -> Recipe:
    """99.7%: `strong`, trained for longer; on MNIST it is no more accurate."""
    return replace(strong(), epochs=30, averaging=0.999)


def hands() -> Recipe:
    """99.7%, and other handwriting than that of MNIST's writers: `best`, also trained on synthetic strokes."""
    return replace(best(), extra="synthetic-digits")


RECIPES: dict[str, Callable[[], Recipe]] = {
    function.__name__: function for function in (quick, instant, standard, strong, best, hands)
}


def find(name: str) -> Recipe:
    """Return the recipe of that name; raise `UsageError` with the nearest known name if there is none."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]()


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """Return the recipe with fields replaced: `learning_rate=3e-3`, `network.width=24`, `train_size=none`.

    Values are parsed by the field's declared type. Changing the network drops the arguments of the old one. Raises
    `UsageError` for text other than `key=value`, unknown keys (with the nearest known one) and values out of range.
    """
    values: dict[str, Any] = {}
    network_arguments: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set must be KEY=VALUE, got {assignment!r}")
        if key.startswith(NETWORK_PREFIX):
            network_arguments[key.removeprefix(NETWORK_PREFIX)] = text
        elif key in Recipe.model_fields and key not in NOT_TO_SET:
            is_none = text.lower() == "none" and Recipe.model_fields[key].default is None
            values[key] = None if is_none else text
        else:
            raise unknown("key", key, known_keys(values.get("network", recipe.network)))
    base = _base(recipe, values)
    typed = _typed_arguments(values.get("network", recipe.network), network_arguments)
    return parse(base | values | {"network_arguments": base["network_arguments"] | typed})


def replace(recipe: Recipe, **fields: Any) -> Recipe:
    """Return the recipe with some fields replaced, validated again.

    Changing the network drops the arguments of the old one.
    """
    return parse(_base(recipe, fields) | fields)


def _base(recipe: Recipe, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe's fields, without its network's arguments if the changes name another network."""
    kept = changes.get("network", recipe.network) == recipe.network
    return recipe.model_dump() | ({} if kept else {"network_arguments": {}})


def parse(values: dict[str, Any]) -> Recipe:
    """Return the recipe with these values; raise `UsageError` with one line per invalid field."""
    for key in values:
        if key not in Recipe.model_fields:
            raise unknown("key", key, Recipe.model_fields)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}={e['input']}: {e['msg'].lower()}" for e in error.errors()]
        raise UsageError("\n".join(lines)) from None


def known_keys(network: str) -> list[str]:
    """Return the keys that `--set` accepts for recipes with that network."""
    fields = [name for name in Recipe.model_fields if name not in NOT_TO_SET]
    return fields + [NETWORK_PREFIX + name for name in architectures.arguments(network)]


def _typed_arguments(network: str, texts: dict[str, str]) -> dict[str, int | float]:
    """Parse a network's arguments by the types declared in its function."""
    known = architectures.arguments(network)
    typed = {}
    for key, text in texts.items():
        if key not in known:
            raise unknown("key", NETWORK_PREFIX + key, known_keys(network))
        try:
            typed[key] = TypeAdapter(known[key].annotation).validate_python(text)
        except ValidationError as error:
            raise UsageError(f"{NETWORK_PREFIX}{key}={text}: {error.errors()[0]['msg'].lower()}") from None
    return typed
