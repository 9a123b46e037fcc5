"""The requests and answers of the service as types, for OpenAPI."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tenfold.scores import Score
from tenfold.serve.intake import BATCH, FIELD
from tenfold.statistics import Threshold


class Step(BaseModel):
    """A picture on its way from the request to the network."""

    title: str
    picture: str = Field(description="data URL of a PNG")


class Maps(BaseModel):
    """The maps of a layer side by side, in rows of ⌈√channels⌉."""

    layer: str
    height: int
    width: int
    channels: int
    picture: str = Field(description="data URL of a PNG")


class Prediction(BaseModel):
    """The answer to one picture; where there is no single character, the verdict alone."""

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

    verdict: Literal["sure", "likely", "unsure", "no digit found", "several digits", "no character found"] = Field(
        description="sure: of such answers to validation pictures, 99.9% were right; likely: 99% or 95%, as the "
        "model's threshold says, where these were too few to show more"
    )
    label: str | None
    digit: str | None = Field(None, description="the label, of models of digits")
    confidence: float | None = Field(ge=0, le=1, description="the calibrated probability of the label")
    top: list[tuple[str, float]] = Field(description="the three likeliest, with their probabilities")
    probabilities: dict[str, float] | None
    doubts: list[str] = Field([], description="reasons in the picture not to be sure")
    image: list[list[int]] | None = Field(None, description="with steps=1: the 28×28 pixels that the network sees")
    steps: list[Step] | None = Field(None, description="with steps=1: how they came about")
    maps: list[Maps] | None = Field(None, description="with maps=1: what the layers make of them")


class Predictions(BaseModel):
    """The answers to several pictures, in their order."""

    answers: list[Prediction]


class Health(BaseModel):
    """Sent while the service answers."""

    status: Literal["ok"]


class TestVector(BaseModel):
    """Pictures, and the logits that the model gives for them, as near as `tolerance`."""

    images: list[list[list[int]]]
    logits: list[list[float]]
    tolerance: float


class Description(BaseModel):
    """The model, as `tenfold export` describes it."""

    name: str
    dataset: str
    classes: list[str]
    plain: bool = Field(False, description="pictures are only resized: it learnt from them as they are")
    network: str
    recipe_hash: str
    precision: str
    sha256: str = Field(description="of the model as ONNX")
    temperature: float | None
    threshold: Threshold | None = Field(description="null: it could not be shown, and every answer is unsure")
    scores: list[Score]
    gate: dict[str, Any] | None = Field(
        description="how it agrees with the framework that trained it, if it was exported"
    )
    cost: dict[str, Any] | None = Field(description="what a smaller precision costs")
    licence: str
    test_vector: TestVector


class Problem(BaseModel):
    """Why a request was refused, in a line."""

    detail: str


_REASONS = {
    400: "no HTTP, or no JSON",
    403: "asked by the page of another site",
    404: "there is no such drawing",
    408: "the body was too slow",
    409: "not now: it is learning, there is nothing to learn from or to go back to, or the folder is full",
    413: "more than 12 MB (JSON: 1 MB), or more than 64 million pixels (16 million if it is no JPEG)",
    415: "not PNG, JPEG, WebP, BMP, TIFF or GIF",
    421: "for a host that is not served",
    422: "damaged, or not as described here",
    503: "busy; Retry-After says when to come back",
    507: "the disk is full, or cannot be written",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return these refusals as OpenAPI describes them."""
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
    "description": "numbers of another range, [black, white]: [0, 1], or [255, 0] for black on white",
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
