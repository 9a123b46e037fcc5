"""Pack and open an exported model: one ONNX file with metadata.

Anyone can run it with ONNX Runtime alone: `images` uint8 `[N, 28, 28]` -> `logits` and `probabilities`, float32
`[N, classes]`. In the metadata, texts are stored as they are and everything else as JSON.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenfold import files
from tenfold.data.catalog import MOST_CLASSES
from tenfold.errors import TenfoldError
from tenfold.frameworks import bounds
from tenfold.frameworks.onnx import logits, outputs, session
from tenfold.scores import Score, Temperature
from tenfold.statistics import Threshold

OUTPUTS = ("logits", "probabilities")
TEXTS = ("dataset", "network", "recipe_hash", "precision", "licence")  # plain text in the metadata; all else is JSON
Pixel = Annotated[int, Field(ge=0, le=255)]
Picture = Annotated[
    list[Annotated[list[Pixel], Field(min_length=28, max_length=28)]], Field(min_length=28, max_length=28)
]
DESCRIPTION = (
    "images: uint8 [N, 28, 28], white on black, 0 to 255, as MNIST stores them; they are normalised inside. "
    "probabilities: softmax of the logits over the temperature. "
    "test_vector, in the metadata: images, and the logits that this file gave for them when it was made."
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class TestVector(_Part):
    """Pictures, and the model's logits for them, up to `tolerance`."""

    images: list[Picture] = Field(min_length=1, max_length=100)
    logits: list[list[float]]
    tolerance: float = Field(ge=0)


class Reference(_Part):
    """The reference for drift: see `export.reference_of`."""

    shares: dict[str, float] | None
    ink: float = Field(ge=0, le=255)
    confidence: float | None = Field(ge=0, le=1)
    unsure: float | None = Field(ge=0, le=1)


@dataclass(frozen=True)
class Gate:
    """The agreement of a model with the framework that trained it: the same predictions on `pictures` pictures.

    The exceptions are `near_ties`, where the framework's own two largest logits are less than 0.001 apart.
    """

    framework: str
    pictures: int
    near_ties: int
    largest_logit_difference: float


@dataclass(frozen=True)
class Cost:
    """The cost of a lower precision on validation pictures, in points of accuracy: 99.06% to 99.01% is 0.05."""

    pictures: int
    float32_accuracy: float
    points_lost: float
    largest_logit_difference: float


class Metadata(_Part):
    """The metadata of an exported model. Temperature and threshold are None without pictures to fit them on."""

    dataset: str
    classes: tuple[str, ...] = Field(min_length=2, max_length=MOST_CLASSES)
    plain: bool = Field(description="pictures are only resized, as in its training")
    network: str
    recipe_hash: str
    precision: str
    temperature: Temperature | None
    threshold: Threshold | None = Field(description="null: there was not enough evidence, so every answer is unsure")
    reference: Reference
    scores: list[Score]
    gate: Gate | None = Field(description="agreement with the framework that trained it, if it was exported")
    cost: Cost | None = Field(description="accuracy lost by a lower precision")
    licence: str
    test_vector: TestVector

    @model_validator(mode="after")
    def _of_its_classes(self) -> "Metadata":
        count, vector, shares = len(self.classes), self.test_vector, self.reference.shares
        if len(set(self.classes)) < count or (shares and shares.keys() != set(self.classes)):
            raise ValueError("its classes differ between fields")
        if any(len(score.confusion) != count for score in self.scores) or any(
            len(row) != count for row in vector.logits
        ):
            raise ValueError(f"its scores or its test vector must have {count} classes")
        if len(vector.images) != len(vector.logits):
            raise ValueError("its test vector must have one row of logits per picture")
        return self


@dataclass(frozen=True)
class Model:
    """An opened model: its file, session and metadata."""

    proto: onnx.ModelProto
    session: onnxruntime.InferenceSession
    metadata: Metadata

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the logits."""
        return self.metadata.classes

    def answer(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return logits and calibrated probabilities, float32 `[N, classes]` each, for uint8 images `[N, 28, 28]`."""
        both = outputs(self.session, images, OUTPUTS)
        if not all(np.isfinite(array).all() for array in both):
            raise TenfoldError("the model's answers are not finite; use a model whose training did not diverge")
        return both[0], both[1]


def pack(
    graph: onnx.ModelProto, temperature: float | None, images: np.ndarray, tolerance: float, metadata: dict[str, Any]
) -> onnx.ModelProto:
    """Return the model to export: a copy of the graph with probabilities, metadata and a test vector.

    The test vector has these uint8 images `[N, 28, 28]`. In a check, logits may differ from it by `tolerance`.
    """
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    model.producer_version = version("tenfold")
    model.doc_string = DESCRIPTION
    _append_probabilities(model.graph, temperature)
    vector = {
        "images": images.tolist(),
        "logits": logits(session(model), images).astype(float).round(5).tolist(),
        "tolerance": tolerance,
    }
    dump = partial(json.dumps, separators=(",", ":"), allow_nan=False)
    everything = metadata | {"temperature": temperature, "test_vector": vector}
    texts = {key: value if isinstance(value, str) else dump(value) for key, value in everything.items()}
    helper.set_model_props(model, texts)
    onnx.checker.check_model(model, full_check=True)
    return model


def open_model(path: Path, threads: int = 0) -> Model:
    """Open a file that `pack` made, and check its test vector; 0 `threads` means one per core.

    Raises `TenfoldError` for anything else: a pickle (never opened), a damaged or foreign file, a file that refers to
    other files, or one that computes other results here than where it was made.
    """
    return opened(_read(path), path, threads)


def opened(model: onnx.ModelProto, path: Path, threads: int = 0) -> Model:
    """Return the opened model after checking its test vector; `path` is for messages.

    Raises `TenfoldError` as `open_model` does.
    """
    says = _metadata(model, path)
    images = np.array(says.test_vector.images, np.uint8)
    try:
        bounds.require(model)
    except Exception as error:  # exceptions of shape inference have no other common type
        reason = str(error).partition("\n")[0]
        raise TenfoldError(f"{path} is not a model from `tenfold export`, and is not opened: {reason}") from None
    try:
        ready = Model(model, session(model, threads), says)
        ports = (*ready.session.get_inputs(), *ready.session.get_outputs())
        expected_ports = [
            ("images", "tensor(uint8)", ["N", 28, 28]),
            *((name, "tensor(float)", ["N", len(says.classes)]) for name in OUTPUTS),
        ]
        if [(port.name, port.type, port.shape) for port in ports] != expected_ports:
            raise TenfoldError(f"{path} is not a model from `tenfold export`: its inputs or outputs differ")
        difference = np.abs(logits(ready.session, images) - np.array(says.test_vector.logits, np.float32)).max()
    except TenfoldError:
        raise
    except Exception as error:  # exceptions of ONNX Runtime have no other common type
        raise TenfoldError(f"{path} is damaged: ONNX Runtime cannot run it ({error})") from None
    tolerance = says.test_vector.tolerance
    if not difference <= tolerance:
        raise TenfoldError(
            f"{path} does not answer as it did when it was made: its logits differ by {difference:.2g}, more than "
            f"{tolerance:.2g}.\nIt is damaged, or ONNX Runtime {onnxruntime.__version__} is wrong on this machine"
        )
    return ready


def _metadata(model: onnx.ModelProto, path: Path) -> Metadata:
    texts = {entry.key: entry.value for entry in model.metadata_props if entry.key in Metadata.model_fields}
    members = [f"{json.dumps(key)}: {json.dumps(text) if key in TEXTS else text}" for key, text in texts.items()]
    return files.parse_json(
        f"{{{', '.join(members)}}}",
        Metadata,
        f"{path} is not a model from `tenfold export`, or its metadata",
        "export it again",
    )


def _read(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError as error:
        raise files.foreign(path, "an ONNX file", error) from None
    if not model.graph.node:
        raise files.foreign(path, "an ONNX file", "it has no graph")
    if any(tensor.external_data or tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise TenfoldError(f"{path} refers to other files, unlike a model from `tenfold export`; it is not opened")
    return model


def _append_probabilities(graph: onnx.GraphProto, temperature: float | None) -> None:
    shape = [d.dim_param or d.dim_value for d in graph.output[0].type.tensor_type.shape.dim]
    scaled = "logits"
    if temperature is not None:
        scaled = "calibrated"
        graph.initializer.append(numpy_helper.from_array(np.array(temperature, np.float32), "temperature"))
        graph.node.append(helper.make_node("Div", ["logits", "temperature"], [scaled], scaled))
    graph.node.append(helper.make_node("Softmax", [scaled], ["probabilities"], "probabilities", axis=1))
    graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape))


def _tensors(message: Message) -> Iterator[TensorProto]:
    """Yield every tensor in a message, however deep: constants of nodes, of subgraphs, of functions."""
    if isinstance(message, TensorProto):
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                yield from _tensors(inner)
