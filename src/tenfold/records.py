"""The JSON files of a run, one pydantic model per kind of file. Anything else in such a file is refused."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A record. Numbers must be finite; fields of other versions are kept."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="allow")


class Environment(Record):
    """`environment.json`: everything but the recipe that a result depends on; `train_seconds` after the training."""

    python: str
    platform: str
    processor: str
    cores: int | None
    versions: dict[str, str]
    commit: str | None
    framework: str
    device: str
    threads: int = Field(gt=0)
    precision: Literal["float32", "bfloat16"]
    train_seconds: float | None = Field(None, ge=0)


class Epoch(Record):
    """A line of `history.jsonl`. Losses are in nats; `seconds` count from the start of the training.

    Training figures are means over the epoch so far. Validation figures are measured after an epoch, or after several
    if there are more than 40, if there are validation pictures.
    """

    epoch: float = Field(gt=0)
    step: int = Field(gt=0)
    learning_rate: float = Field(ge=0)
    train_loss: float
    train_accuracy: float = Field(ge=0, le=1)
    seconds: float = Field(ge=0)
    validation_loss: float | None = None
    validation_accuracy: float | None = Field(None, ge=0, le=1)


class Checkpoint(BaseModel):
    """The numbers of a training's state, stored with its tensors. Sums are over the current epoch."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="forbid")

    step: int = Field(gt=0)
    loss_sum: float
    correct: int = Field(ge=0)
    pictures: int = Field(gt=0)
    seconds: float = Field(ge=0)
