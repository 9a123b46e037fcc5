"""What the service answers, as types: the documents that OpenAPI describes."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Step(BaseModel):
    """A picture on the way from what was sent to what the network sees."""

    title: str
    picture: str = Field(description="data URL of a PNG")


class Maps(BaseModel):
    """What a layer makes of the picture: its channels side by side on one sheet."""

    layer: str
    height: int
    width: int
    channels: int
    picture: str = Field(description="data URL of a PNG")


class Prediction(BaseModel):
    """What the model says to one picture; without a digit, only the verdict."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "verdict": "sure",
                "digit": "7",
                "confidence": 0.9991,
                "top": [["7", 0.9991], ["1", 0.0004], ["2", 0.0002]],
                "probabilities": {"0": 0.0, "1": 0.0004, "2": 0.0002, "7": 0.9991},
            }
        }
    )

    verdict: Literal["sure", "unsure", "no digit found", "several digits"]
    digit: str | None = None
    confidence: float | None = Field(None, ge=0, le=1, description="calibrated probability of the digit")
    top: list[tuple[str, float]] = Field([], description="the three likeliest classes")
    probabilities: dict[str, float] | None = None
    image: list[list[int]] | None = Field(None, description="with steps=1: the 28×28 that the network sees")
    steps: list[Step] | None = Field(None, description="with steps=1")
    maps: list[Maps] | None = Field(None, description="with maps=1")


class Predictions(BaseModel):
    """The answers to several pictures, in their order."""

    answers: list[Prediction]


class Health(BaseModel):
    """That the service answers."""

    status: Literal["ok"]


class Description(BaseModel):
    """What the model is; further keys as `tenfold export` wrote them."""

    model_config = ConfigDict(extra="allow")

    name: str
    dataset: str
    classes: list[str]
    network: str
    sha256: str = Field(description="of the model as ONNX")
    threshold: dict[str, Any] | None = Field(
        description="the confidence from which an answer is sure, and what shows it"
    )
    scores: list[dict[str, Any]] = Field(description="a split each: correct of total, accuracy, its 95% interval")
    test_vector: dict[str, Any] = Field(description="images, and the logits that the model gives for them")


class Problem(BaseModel):
    """Why a request was refused, in one line."""

    detail: str
