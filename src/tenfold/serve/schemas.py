"""Types of the requests and answers of the service, for OpenAPI."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tenfold.answers import Verdict
from tenfold.frameworks.exported import Metadata
from tenfold.serve.intake import BATCH, FIELD


class Step(BaseModel):
    """One step of the preprocessing, from the request to the network."""

    title: str
    picture: str = Field(description="data URL of a PNG")


class Maps(BaseModel):
    """The feature maps of a layer side by side, in rows of ⌈√channels⌉."""

    layer: str
    height: int
    width: int
    channels: int
    picture: str = Field(description="data URL of a PNG")


class Prediction(BaseModel):
    """The answer to one picture; without a single character, only the verdict."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "verdict": "sure",
                "label": "7",
                "digit": "7",
                "confidence": 0.9991,
                "top": [["7", 0.9991], ["1", 0.0004], ["2", 0.0002]],
                "probabilities": {"0": 0.0001, "1": 0.0004, "2": 0.0002, "3": 0.0001, "7": 0.9991, "9": 0.0001},
            }
        },
    )

    verdict: Verdict = Field(
        description="sure: 99.9% of such answers to validation pictures were correct; likely: 99% or 95%, see the "
        "model's threshold, because there were too few validation pictures to show more"
    )
    label: str | None
    digit: str | None = Field(None, description="the label, only for models of digits")
    confidence: float | None = Field(ge=0, le=1, description="the calibrated probability of the label")
    top: list[tuple[str, float]] = Field(description="the three most probable labels with their probabilities")
    probabilities: dict[str, float] | None
    doubts: list[str] = Field([], description="properties of the picture that make the answer unsure")
    image: list[list[int]] | None = Field(None, description="with steps=1: the 28×28 input of the network")
    steps: list[Step] | None = Field(None, description="with steps=1: the steps of the preprocessing")
    maps: list[Maps] | None = Field(None, description="with maps=1: the feature maps of each layer")


class Predictions(BaseModel):
    """The answers to several pictures, in order."""

    answers: list[Prediction]


class Health(BaseModel):
    """The health of the service."""

    status: Literal["ok"]


class Description(Metadata):
    """The metadata of the model, its name, and whether this service keeps drawings."""

    name: str
    sha256: str = Field(description="SHA-256 of the ONNX model")
    handwriting: bool


class Problem(BaseModel):
    """The reason for refusing a request, in one line."""

    detail: str


_REASONS = {
    400: "not valid HTTP, or not JSON",
    403: "sent by the page of another site",
    404: "the drawing does not exist",
    408: "the body was too slow",
    409: "not possible now: the model is learning, has nothing to learn from or to go back to, or the folder is full",
    413: "more than 12 MB (JSON: 1 MB), or more than 64 million pixels as JPEG (16 million in other formats)",
    415: "not PNG, JPEG, WebP, BMP, TIFF or GIF",
    421: "the host is not served here",
    422: "damaged, or not in the format described here",
    503: "busy; Retry-After says when to try again",
    507: "the disk is full or cannot be written",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of these refusals."""
    return {status: {"model": Problem, "description": _REASONS[status]} for status in statuses}


PROBLEMS = problems(400, 403, 408, 413, 415, 421, 422, 503)

_ROW = {"type": "array", "minItems": 28, "maxItems": 28, "items": {"type": "integer", "minimum": 0, "maximum": 255}}
_ROWS = {"type": "array", "minItems": 28, "maxItems": 28, "items": _ROW}
_NUMBERS = {"type": "array", "minItems": 28, "maxItems": 28, "items": {"type": "number"}}
_RANGED = {
    "type": "object",
    "required": ["image", "range"],
    "properties": {
        "image": {"type": "array", "minItems": 28, "maxItems": 28, "items": _NUMBERS},
        "range": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
    },
    "description": "numbers in another range, [black, white]: [0, 1], or [255, 0] for black on white",
}
_ARRAY = {"oneOf": [_ROWS, _RANGED]}
_FILE = {"type": "string", "format": "binary"}
_MANY = {"type": "array", "minItems": 1, "maxItems": BATCH}


def _body(**schemas: dict[str, Any]) -> dict[str, Any]:
    types = {"file": "image/*", "form": "multipart/form-data", "json": "application/json"}
    content = {types[kind]: {"schema": schema} for kind, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _object(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: schema}}


ONE = _body(file=_FILE, form=_object(FIELD, _FILE), json=_ARRAY)
SEVERAL = _body(form=_object(FIELD, _MANY | {"items": _FILE}), json=_object("images", _MANY | {"items": _ARRAY}))
