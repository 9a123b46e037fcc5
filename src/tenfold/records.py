"""The records beside a run's weights, one model per kind of file; what is not of that kind is refused."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A record: numbers are finite, and fields of another version stay in it."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="allow")


class Environment(Record):
    """`environment.json`: what a result depends on besides the recipe; `train_seconds` once the training is over."""

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
    """A line of `history.jsonl`; losses in nats, `seconds` since the training began.

    Of training, the means over the epoch so far; of validation, those after an epoch, where there are such pictures.
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
    """The numbers of a training's state, beside its tensors; sums are those of the current epoch."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="forbid")

    step: int = Field(gt=0)
    loss_sum: float
    correct: int = Field(ge=0)
    pictures: int = Field(gt=0)
    seconds: float = Field(ge=0)
