"""A recipe says everything that a training depends on; the same recipe, machine and versions give the same bits.

It is a frozen, validated value. The named ones are functions; a variant is `override(quick(), ["epochs=3"])`.
"""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from tenfold import architectures
from tenfold.data import catalog
from tenfold.data.catalog import Dataset
from tenfold.data.split import VALIDATION_SIZE, usual_validation_size
from tenfold.errors import UsageError, unknown
from tenfold.networks import Network

NETWORK_PREFIX = "network."
USUAL_PICTURES = 55_000  # what the named recipes are made for
ENOUGH_STEPS = 1_000  # for few pictures
MANY_EPOCHS = 10  # from here on, pictures are augmented
MAPS = ("rotation", "shift", "scale", "shear")  # fields of augmentation that suit characters
UPRIGHT = {"flip": True, "rotation": 0, "scale": 0, "shear": 0}  # how to augment what is neither turned nor slanted
# For upright pictures, which have more in them than a character: the next larger network, and its share of the epochs.
# A residual network takes seven times as long for an epoch as `fullres`, and after 30 epochs it is no better than after
# 15 (five-fold cross-validation, EXPERIMENTS.md).
LARGER = {"standard": ("fullres", 1.0), "fullres": ("residual", 0.5)}
NOT_TO_SET = ("network_arguments", "initial_weights")  # by `--set`: they have ways of their own


class Recipe(BaseModel):
    """The training of a network. Units are in each field's description; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = Field("mnist", description="name in the catalog of datasets")
    network: str = Field(description="name in the catalog of networks")
    network_arguments: dict[str, int | float] = Field({}, description="the network's hyperparameters, by name")
    framework: Literal["pytorch", "tensorflow"] = Field("pytorch", description="what trains it")
    epochs: float = Field(gt=0, le=10_000, description="passes over the training pictures; 0.5 is half a pass")
    batch_size: int = Field(ge=2, le=60_000, description="pictures a step")
    learning_rate: float = Field(gt=0, le=10, description="AdamW's step at the schedule's peak")
    muon: float = Field(
        0.0,
        ge=0,
        le=1_000,
        description="Muon's step at the peak, for weight matrices but the last; 0: AdamW for them too",
    )
    schedule: Literal["one-cycle", "cosine"] = Field(
        "one-cycle", description="one-cycle: linear up, then linear down to 0; cosine: half a cosine down to 0"
    )
    warmup: float = Field(0.3, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, le=10, description="AdamW's decoupled decay, of weights but not of biases")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread evenly over the classes")
    rotation: float = Field(0.0, ge=0, le=180, description="augmentation: up to ± this many degrees")
    shift: float = Field(0.0, ge=0, le=14, description="augmentation: up to ± this many pixels along each axis")
    scale: float = Field(0.0, ge=0, lt=1, description="augmentation: each axis by a factor of 1 ± up to this much")
    shear: float = Field(0.0, ge=0, lt=1, description="augmentation: up to ± this many pixels a pixel")
    flip: bool = Field(False, description="augmentation: every other picture, by chance, mirrored left to right")
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay a step of the moving average of the weights that is kept; 0: the last ones"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of convolutions and products; auto: bfloat16 where this machine is faster and right with it",
    )
    initial_weights: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="SHA-256 of the weights to begin with; none: random ones"
    )
    extra: str | None = Field(
        None, description="dataset of the same classes whose development pictures are trained on too; none: no more"
    )
    extra_repeats: int = Field(1, ge=1, le=100_000, description="times that each of them is in an epoch")
    seed: int = Field(0, ge=0, lt=2**32, description="of the initial weights, the order, the augmentation, the dropout")
    validation_size: int = Field(VALIDATION_SIZE, ge=0, description="development pictures set aside to choose on")
    train_size: int | None = Field(None, gt=0, description="training pictures used; none: all that are left")
    split_seed: int = Field(0, ge=0, lt=2**32, description="which pictures are set aside")

    @model_validator(mode="after")
    def _names_are_known(self) -> "Recipe":
        self.layers()
        return self

    def layers(self) -> Network:
        """Return the network, built for the dataset's classes."""
        return architectures.build(self.network, self.network_arguments, len(catalog.find(self.dataset).classes))

    @property
    def augments(self) -> bool:
        """Return whether training pictures are changed at random."""
        return any((self.rotation, self.shift, self.scale, self.shear, self.flip))

    @property
    def hash(self) -> str:
        """SHA-256 of the recipe's canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()

    @property
    def family(self) -> str:
        """The hash that this recipe has in common with those that differ in nothing but the seed."""
        return self.model_copy(update={"seed": 0}).hash

    def steps(self, pictures: int) -> int:
        """Return the number of steps that `epochs` over so many pictures are; a last, smaller batch is a step."""
        return max(1, round(self.epochs * self.steps_per_epoch(pictures)))

    def steps_per_epoch(self, pictures: int) -> int:
        """Return the number of batches in one pass over so many pictures.

        A last batch of a single picture is left out: batch normalisation has nothing to tell from it. Which picture
        that is changes from epoch to epoch.
        """
        return math.ceil((pictures - 1) / self.batch_size)

    def learning_rates(self, steps: int) -> np.ndarray:
        """Return the learning rate of each step, float64 `[steps]`."""
        return self.schedule_shares(steps) * self.learning_rate

    def schedule_shares(self, steps: int) -> np.ndarray:
        """Return the share of its peak that the schedule has each rate at in each step, float64 `[steps]`."""
        at = (np.arange(steps) + 0.5) / steps  # the middle of each step, so neither end is wasted on a rate of 0
        up = at / max(self.warmup, at[0])  # a shorter rise than half a step is none
        left = (1 - at) / (1 - self.warmup)
        down = left if self.schedule == "one-cycle" else 0.5 - 0.5 * np.cos(np.pi * left)
        return np.where(at < self.warmup, up, down)

    def averaging_decays(self, steps: int) -> np.ndarray:
        """Return the decay of the moving average of the weights in each step, float64 `[steps]`.

        It rises to `averaging`, so that the first, random weights are soon forgotten.
        """
        step = np.arange(1, steps + 1)
        return np.minimum(self.averaging, step / (step + 9))


def quick() -> Recipe:
    """99% in a second or two on two CPU cores."""
    return Recipe(
        network="quick",
        epochs=0.85,
        batch_size=256,
        learning_rate=0.05,
        muon=0.4,
        warmup=0.3,
        weight_decay=0.05,
        label_smoothing=0.1,
    )


def instant() -> Recipe:
    """99%, for GPUs: a larger network than `quick` in fewer, larger steps. On a CPU `quick` is faster."""
    network = {"width": 32, "stride": 2, "depth": 3, "hidden": 128}
    return replace(quick(), network_arguments=network, epochs=0.8, batch_size=1024, learning_rate=0.08, muon=0.6)


def standard() -> Recipe:
    """99.6% in about a minute on two CPU cores."""
    return Recipe(
        network="standard",
        epochs=5,
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
    """99.7% in some minutes on two CPU cores: a network that sees every pixel, on pictures that are moved more."""
    moved = {"rotation": 12, "shift": 2.5, "scale": 0.12, "shear": 0.12}
    return replace(standard(), network="fullres", epochs=15, averaging=0.998, **moved)


def best() -> Recipe:
    """99.7% and the most that Tenfold has on MNIST: `strong`, for longer."""
    return replace(strong(), epochs=30, averaging=0.999)


def hands() -> Recipe:
    """99.7% too, and the handwriting of others than MNIST's writers: `best`, with synthetic strokes."""
    return replace(best(), extra="synthetic-digits")


RECIPES: dict[str, Callable[[], Recipe]] = {
    function.__name__: function for function in (quick, instant, standard, strong, best, hands)
}


def find(name: str) -> Recipe:
    """Return the recipe of that name; `UsageError` with the nearest known name if there is none."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]()


def override(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """Return the recipe with fields replaced: `learning_rate=3e-3`, `network.width=24`, `train_size=none`.

    Texts are parsed by the field's declared type. Another network drops the arguments of the old one. Raises
    `UsageError` for what is not `key=value`, for unknown keys (with the nearest known one) and for values out of range.
    """
    values: dict[str, Any] = {}
    network_arguments: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, not {assignment!r}")
        if key.startswith(NETWORK_PREFIX):
            network_arguments[key.removeprefix(NETWORK_PREFIX)] = text
        elif key in Recipe.model_fields and key not in NOT_TO_SET:
            is_none = text.lower() == "none" and Recipe.model_fields[key].default is None
            values[key] = None if is_none else text
        else:
            raise unknown("key", key, known_keys(values.get("network", recipe.network)))
    base = recipe.model_dump()
    if values.get("network", recipe.network) != recipe.network:
        base["network_arguments"] = {}
    typed = _typed_arguments(values.get("network", recipe.network), network_arguments)
    return parse(base | values | {"network_arguments": base["network_arguments"] | typed})


def suited(recipe: Recipe, dataset: Dataset, assignments: Collection[str] = ()) -> Recipe:
    """Return the recipe for a dataset, changed as by `override`, and for few pictures where nothing else is asked for.

    The named recipes are made for MNIST. For upright pictures, as of clothes, those that augment mirror and shift them
    but do nothing else, and take the next larger network unless one is asked for. Of fewer than 25,000 development
    pictures a fifth is set aside to choose on, and there are as many epochs as make the steps that there would be with
    MNIST, up to 1,000. From ten epochs on, characters are augmented.
    """
    asked = {assignment.partition("=")[0] for assignment in assignments}
    base = replace(recipe, dataset=dataset.name)
    if dataset.upright and recipe.network in LARGER and "network" not in asked:
        network, share = LARGER[recipe.network]
        base = replace(base, network=network, network_arguments={}, epochs=recipe.epochs * share)
    chosen = override(base, assignments)
    if dataset.upright and chosen.augments:
        chosen = replace(chosen, **{key: value for key, value in UPRIGHT.items() if key not in asked})
    if "validation_size" not in asked:
        chosen = replace(chosen, validation_size=usual_validation_size(dataset))
    pictures = chosen.train_size or max(1, dataset.development_size - chosen.validation_size)
    steps = min(ENOUGH_STEPS, chosen.steps(USUAL_PICTURES))
    if "epochs" not in asked and chosen.steps(pictures) < steps:
        chosen = replace(chosen, epochs=steps / chosen.steps_per_epoch(pictures))
    if chosen.epochs >= MANY_EPOCHS and not (chosen.augments or dataset.plain or asked & {*MAPS}):
        chosen = replace(chosen, **{key: getattr(standard(), key) for key in MAPS})
    return chosen


def replace(recipe: Recipe, **fields: Any) -> Recipe:
    """Return the recipe with some fields replaced, validated again."""
    return parse(recipe.model_dump() | fields)


def parse(values: dict[str, Any]) -> Recipe:
    """Return the recipe that these values make; `UsageError` in one line a bad field."""
    for key in values:
        if key not in Recipe.model_fields:
            raise unknown("key", key, Recipe.model_fields)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}={e['input']}: {e['msg'].lower()}" for e in error.errors()]
        raise UsageError("\n".join(lines)) from None


def known_keys(network: str) -> list[str]:
    """Return what `--set` takes for recipes with that network."""
    fields = [name for name in Recipe.model_fields if name not in NOT_TO_SET]
    return fields + [NETWORK_PREFIX + name for name in architectures.arguments(network)]


def _typed_arguments(network: str, texts: dict[str, str]) -> dict[str, int | float]:
    """Parse a network's arguments by the types that its function declares."""
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
