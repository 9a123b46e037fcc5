"""Classify pictures: a label with a calibrated confidence, or the reason why there is none.

`handwriting.picture` preprocesses every picture and ONNX Runtime gives every answer, so the command line, the service
and the page give the same answers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from onnx import ModelProto, shape_inference

from tenfold import evaluate, export, scores
from tenfold.answers import Answer, Judged
from tenfold.data import catalog
from tenfold.errors import DataError
from tenfold.frameworks import exported, onnx
from tenfold.frameworks.exported import Model
from tenfold.handwriting import picture
from tenfold.handwriting.picture import Box, Reading
from tenfold.networks import INPUT
from tenfold.progress import SILENT, Progress
from tenfold.runs import RECIPE, SCORES, Run
from tenfold.scores import Score
from tenfold.statistics import SURE, Threshold

TOP = 3  # classes in an answer
MAPS = ("Relu", "Conv")  # nodes whose outputs are shown
# The bundled model, written by `python -m benchmarks.ship`: a run folder, and a folder with the rest of the committee.
SHIPPED = Path(__file__).parent / "models" / "hands"
COMMITTEE = Path(__file__).parent / "models" / "committee"
BUNDLED = "bundled model"  # its name on the page, in the service and in the commands


@dataclass(frozen=True)
class Reader:
    """A model that classifies pictures. Answers are sure if their confidence reaches the threshold.

    The threshold was chosen on validation pictures: of the answers above it, a share `level` was right. If it is None,
    there was not enough evidence, and every answer is unsure. `description` describes the model.
    """

    model: Model
    threshold: Threshold | None
    source: str
    description: dict[str, Any]

    @property
    def best_verdict(self) -> Literal["sure", "likely"]:
        """The verdict on answers that reach the threshold."""
        return "sure" if self.threshold is None or self.threshold.level >= SURE else "likely"

    @property
    def kind(self) -> Literal["digit", "character"]:
        """The word for the characters that the model knows."""
        return "digit" if picture.are_digits(self.model.classes) else "character"

    @property
    def nothing(self) -> Literal["no digit found", "no character found"]:
        """The verdict on a picture without ink."""
        return "no digit found" if self.kind == "digit" else "no character found"

    def document(self, answer: Answer) -> dict[str, Any]:
        """Return an answer as JSON values; a model of digits repeats the label as `digit`."""
        return vars(answer) | ({"digit": answer.label} if self.kind == "digit" else {})

    def judge(self, images: np.ndarray) -> Judged:
        """Return the answers to uint8 images `[N, 28, 28]`, white on black, as arrays."""
        _, probabilities = self.model.answer(images)
        confidence = probabilities.max(1)
        enough = self.threshold.confidence if self.threshold else np.inf
        sure = confidence.astype(np.float64) >= enough
        inked = images.max((1, 2), initial=0) > images.min((1, 2), initial=255)
        return Judged(probabilities, probabilities.argmax(1), confidence, sure, inked)

    def answer(self, images: np.ndarray) -> list[Answer]:
        """Return the answers to uint8 images `[N, 28, 28]`, white on black; uniform images have no character."""
        judged = self.judge(images)
        columns = (judged.probabilities, judged.classes, judged.sure, judged.inked)
        return [
            self._answer(row, self.model.classes[at], sure) if ink else Answer(self.nothing)
            for row, at, sure, ink in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def prepare(self, grey: np.ndarray, steps: bool = False, plain: bool = False) -> Reading:
        """Preprocess a picture, uint8 `[H, W]`; with `plain`, or for a model trained that way, only resize it."""
        if plain or self.model.metadata.plain:
            image = picture.plain(grey)
            return Reading(image, "digit", (("the picture", grey), ("only resized", image)) if steps else ())
        return picture.read(grey, steps, self.kind == "digit")

    def ready(self, greys: np.ndarray, plain: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8 `[N, 28, 28]` as input of the model, and bool `[N]`: False for pictures that need `prepare`.

        For the others, `prepare` would return the same.
        """
        if plain or self.model.metadata.plain:
            return greys, np.ones(len(greys), bool)
        return picture.as_mnist(greys)

    def read(self, readings: Sequence[Reading]) -> list[Answer]:
        """Return the answers to prepared pictures."""
        images = [reading.image for reading in readings if reading.image is not None]
        answers = iter(self.answer(np.stack(images)) if images else [])
        return [
            Answer(reading.verdict) if reading.verdict != "digit" else next(answers).doubted(reading.doubts)
            for reading in readings
        ]

    def maps(self, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Return the feature maps of each layer for uint8 `[28, 28]`: (name, float32 `[channels, height, width]`)."""
        names, session = self._inner
        return [(name, value[0]) for name, value in zip(names, onnx.outputs(session, image[None], names), strict=True)]

    @cached_property
    def _inner(self) -> tuple[list[str], onnxruntime.InferenceSession]:
        """The names of the feature maps, and a session that returns them."""
        proto = shape_inference.infer_shapes(self.model.proto)
        outputs = {kind: {n for node in proto.graph.node if node.op_type == kind for n in node.output} for kind in MAPS}
        made = outputs["Relu"] or outputs["Conv"]  # an 8-bit model may have no separate ReLU
        maps = [
            value
            for value in proto.graph.value_info
            if value.name in made and len(value.type.tensor_type.shape.dim) == 4 and "/" not in value.name
        ]  # for a committee, those of the first member
        proto.graph.output.extend(maps)
        return [value.name for value in maps], onnx.session(proto, threads=1)

    def _answer(self, probabilities: list[float], label: str, sure: bool) -> Answer:
        named = {name: round(p, 6) for name, p in zip(self.model.classes, probabilities, strict=True)}
        top = sorted(named.items(), key=itemgetter(1), reverse=True)[:TOP]
        return Answer(self.best_verdict if sure else "unsure", label, named[label], tuple(top), named)


@dataclass(frozen=True)
class FileResult:
    """The result of one file: an answer; or answers to its characters, with their boxes and rows; or an error.

    `unread` are the boxes of ink that was not read as a character.
    """

    path: Path
    answers: tuple[Answer, ...] = ()
    boxes: tuple[Box, ...] = ()
    rows: tuple[int, ...] = ()
    unread: tuple[Box, ...] = ()
    error: str | None = None

    @property
    def text(self) -> str:
        """The characters in order, one line of text per row, with a ? for each one without a label."""
        lines: dict[int, str] = {}
        for row, answer in zip(self.rows or [0] * len(self.answers), self.answers, strict=True):
            lines[row] = lines.get(row, "") + (answer.label or "?")
        return "\n".join(lines.values())

    def document(self, reader: Reader, line: bool) -> dict[str, Any]:
        """Return the result as JSON values: rows of characters with `line`, otherwise one character."""
        if self.error is not None:
            return {"file": str(self.path), "error": self.error}
        documents = [reader.document(answer) for answer in self.answers]
        if not line:
            return {"file": str(self.path)} | documents[0]
        places = zip(self.boxes, self.rows, documents, strict=True)
        found = [{"box": box, "row": row} | document for box, row, document in places]
        return {"file": str(self.path), "text": self.text, f"{reader.kind}s": found, "unread": list(self.unread)}


def read_files(reader: Reader, paths: Sequence[Path], plain: bool = False, line: bool = False) -> list[FileResult]:
    """Return the results of the files, in order: one character each, or with `line` rows of characters.

    With `plain`, pictures are only resized. The result of a file that cannot be read is its error.
    """
    return [_read_file(reader, path, plain, line) for path in paths]


def explain(reader: Reader, path: Path) -> tuple[tuple[tuple[str, np.ndarray], ...], Answer]:
    """Return the steps from a file to the network's input, (title, uint8 `[h, w]`) each, and the answer.

    Raises `DataError` for a file that cannot be read.
    """
    grey = picture.decode(_content(path))
    reading = reader.prepare(grey, steps=True)
    return reading.steps, reader.read([reading])[0]


def _read_file(reader: Reader, path: Path, plain: bool, line: bool) -> FileResult:
    try:
        grey = picture.decode(_content(path))
    except DataError as error:
        return FileResult(path, error=str(error))
    if line:
        from tenfold.handwriting.line import page as page_of  # takes 0.3 s to import

        page = page_of(grey)
        answers = reader.read([piece.reading for piece in page.pieces])
        boxes, rows = tuple(piece.box for piece in page.pieces), tuple(piece.row for piece in page.pieces)
        return FileResult(path, tuple(answers), boxes, rows, tuple(page.unread))
    return FileResult(path, tuple(reader.read([reader.prepare(grey, plain=plain)])))


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise DataError("is a folder; name the pictures in it, as in FOLDER/*.png")
    if path.exists() and not path.is_file():
        raise DataError("not a file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}") from None


def is_model(path: Path) -> bool:
    """Return True if a path is a model: a run folder or an ONNX file."""
    return path.suffix == ".onnx" or (path / RECIPE).is_file()


def open_reader(model: Path | None = None, threads: int = 0, progress: Progress = SILENT) -> Reader:
    """Open a run folder, an ONNX file from `tenfold export` or, without a path, the bundled committee.

    0 `threads` means one per core. Raises `TenfoldError` if the file is not a model, `UsageError` if it does not exist.
    """
    run = run_of(model)
    path = Path(model or COMMITTEE)
    if model is None:
        opened = _of_committee(threads)
    else:
        opened = _of_run(run, threads, progress) if run else exported.open_model(path, threads)
    return _reader(opened, BUNDLED if model is None else path.resolve().name)


def unpacked(content: bytes, source: str, threads: int = 0) -> Reader:
    """Return the reader of a serialised `model.proto`, as sent to workers. Raises the errors of `open_reader`."""
    return _reader(exported.opened(ModelProto.FromString(content), Path(source), threads), source)


def run_of(model: Path | None = None) -> Run | None:
    """Return the run of a model, None for an exported model; by default the first run of the bundled committee."""
    if model is None:
        return default_run()
    return None if model.suffix == ".onnx" and not model.is_dir() else Run(model)


def _reader(opened: Model, source: str) -> Reader:
    digest = hashlib.sha256(opened.proto.SerializeToString()).hexdigest()
    says = opened.metadata.model_dump(mode="json") | {"sha256": digest}
    return Reader(opened, opened.metadata.threshold, source, says)


def _of_run(run: Run, threads: int, progress: Progress) -> Model:
    """Return a run as the model that `tenfold export` would write, without the gate."""
    measured = [score for score in run.scores if score.scoring == scores.ALONE]
    if run.recipe.validation_size and not run.score("validation"):
        measured.insert(0, evaluate.validate(run, progress).score)
    return _packed([run], measured, threads)


def _of_committee(threads: int) -> Model:
    """Return the bundled committee as one model."""
    members = committee_members()
    classes = len(catalog.find(members[0].recipe.dataset).classes)
    return _packed(members, scores.read(COMMITTEE / SCORES, classes), threads)


def _packed(members: Sequence[Run], measured: list[Score], threads: int) -> Model:
    """Return runs as one model, with the metadata of the first run and the measured scores."""
    run, dataset = members[0], catalog.find(members[0].recipe.dataset)
    graphs = [onnx.graph(member.recipe.layers(), member.weights(), dataset) for member in members]
    graph = onnx.committee(graphs) if len(graphs) > 1 else graphs[0]
    says = export.metadata(run, measured)
    noise = np.random.default_rng(0).integers(0, 256, (export.VECTOR, *INPUT[1:]), np.uint8)
    packed = exported.pack(graph, says["temperature"], noise, export.NEAR_TIE, says)
    return exported.opened(packed, run.folder, threads)


def default_run() -> Run:
    """Return the first bundled run. Its `scores.json` has temperature and threshold, so it needs no pictures."""
    return Run(SHIPPED)


def committee_members() -> list[Run]:
    """Return the runs of the bundled committee: `default_run` and its other seeds."""
    return [default_run(), *(Run(folder) for folder in sorted(COMMITTEE.glob("seed*")))]
