"""An exported model: one ONNX file with its metadata, packed and opened here.

Anyone can run it with ONNX Runtime alone: `images` uint8 `[N, 28, 28]` -> `logits` and `probabilities`, float32
`[N, classes]`. In its metadata, texts stand as they are and everything else as JSON.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, helper, numpy_helper

from tenfold import files
from tenfold.errors import TenfoldError
from tenfold.frameworks.onnx import logits, outputs, session
from tenfold.networks import INPUT

OUTPUTS = ("logits", "probabilities")
TEXTS = ("dataset", "network", "recipe_hash", "precision", "licence")  # in the metadata; all else there is JSON
DESCRIPTION = (
    "images: uint8 [N, 28, 28], white on black, 0 to 255, as MNIST stores them; they are normalised inside. "
    "probabilities: softmax of the logits over the temperature. "
    "test_vector, in the metadata: images, and the logits that this file gave for them when it was made."
)


@dataclass(frozen=True)
class Model:
    """An exported model, opened: its file, session, classes in the order of the logits, temperature and metadata.

    The temperature is None where there were no pictures to fit it on: the probabilities are the plain softmax.
    """

    proto: onnx.ModelProto
    session: onnxruntime.InferenceSession
    classes: tuple[str, ...]
    temperature: float | None
    metadata: dict[str, str]

    def answer(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return logits and calibrated probabilities, float32 `[N, classes]` each, of uint8 images `[N, 28, 28]`."""
        both = outputs(self.session, images, OUTPUTS)
        return both[0], both[1]


def pack(
    graph: onnx.ModelProto, temperature: float | None, images: np.ndarray, tolerance: float, metadata: dict[str, Any]
) -> onnx.ModelProto:
    """Return the model to export: a copy of the graph with probabilities, metadata and a test vector.

    The test vector is of these uint8 images `[N, 28, 28]`; whoever checks it allows logits to differ by `tolerance`.
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
    """Open a file that `pack` made, and check its test vector; 0 `threads` are one per core.

    Raises `TenfoldError` for anything else: a pickle (never opened), a damaged or foreign file, one that refers to
    other files, one that computes something else on this machine than on that where it was made.
    """
    return opened(_read(path), path, threads)


def opened(model: onnx.ModelProto, path: Path, threads: int = 0) -> Model:
    """Return the opened model once it has passed its test vector; `path` is for messages.

    Raises `TenfoldError` as `open_model` does.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    try:
        classes = tuple(map(str, json.loads(metadata["classes"])))
        temperature = None if metadata["temperature"] == "null" else float(metadata["temperature"])
        vector = json.loads(metadata["test_vector"])
        images = np.uint8(vector["images"]).reshape(-1, *INPUT[1:])
        expected = np.float32(vector["logits"]).reshape(len(images), len(classes))
        tolerance = float(vector["tolerance"])
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise TenfoldError(f"{path} is not a model from `tenfold export`: its metadata is missing or damaged") from None
    try:
        ready = Model(model, session(model, threads), classes, temperature, metadata)
        ports = (*ready.session.get_inputs(), *ready.session.get_outputs())
        expected_ports = [
            ("images", "tensor(uint8)", ["N", 28, 28]),
            *((name, "tensor(float)", ["N", len(classes)]) for name in OUTPUTS),
        ]
        if [(port.name, port.type, port.shape) for port in ports] != expected_ports:
            raise TenfoldError(f"{path} is not a model from `tenfold export`: its inputs or outputs are others")
        difference = np.abs(ready.answer(images)[0] - expected).max()
    except TenfoldError:
        raise
    except Exception as error:  # the exceptions of ONNX Runtime have nothing else in common
        raise TenfoldError(f"{path} is damaged: ONNX Runtime cannot run it ({error})") from None
    if not difference <= tolerance:
        raise TenfoldError(
            f"{path} does not answer as it did when it was made: its logits differ by {difference:.2g}, more than "
            f"{tolerance:.2g}.\nIt is damaged, or ONNX Runtime {onnxruntime.__version__} computes it wrong here"
        )
    return ready


def _read(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError as error:
        raise files.foreign(path, "an ONNX file", error) from None
    if not model.graph.node:
        raise files.foreign(path, "an ONNX file", "it has no graph")
    if any(tensor.external_data or tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise TenfoldError(f"{path} refers to other files, which a model from `tenfold export` never does; not opened")
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
