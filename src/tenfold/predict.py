"""Pictures in, answers out: a label with a calibrated confidence, or why there is none.

Every picture is preprocessed by `handwriting.picture` and every answer comes from ONNX Runtime, so the command line,
the service and the page give the same answers.
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
from tenfold.handwriting.line import Box
from tenfold.handwriting.line import page as page_of
from tenfold.handwriting.picture import Reading
from tenfold.networks import INPUT
from tenfold.progress import SILENT, Progress
from tenfold.runs import RECIPE, SCORES, Run
from tenfold.scores import Score
from tenfold.statistics import SURE, Threshold

TOP = 3  # classes that an answer names
MAPS = ("Relu", "Conv")  # nodes whose outputs are shown
# The bundled model, put there by `python -m benchmarks.ship`: a run folder, and one with others like it, a committee.
SHIPPED = Path(__file__).parent / "models" / "hands"
COMMITTEE = Path(__file__).parent / "models" / "committee"
BUNDLED = "bundled model"  # as page, service and commands name the one that answers


@dataclass(frozen=True)
class Reader:
    """A model that answers; sure are those answers whose confidence is at least the threshold.

    The threshold was chosen on validation pictures: of the answers above it, its `level` were right. Where it is None,
    nothing could be shown, and every answer is unsure. `description` says what the model is.
    """

    model: Model
    threshold: Threshold | None
    source: str
    description: dict[str, Any]

    @property
    def best_verdict(self) -> Literal["sure", "likely"]:
        """The verdict on answers from the threshold up."""
        return "sure" if self.threshold is None or self.threshold.level >= SURE else "likely"

    @property
    def kind(self) -> Literal["digit", "character"]:
        """The word for what the model reads."""
        return "digit" if picture.are_digits(self.model.classes) else "character"

    @property
    def nothing(self) -> Literal["no digit found", "no character found"]:
        """The verdict on a picture without ink."""
        return "no digit found" if self.kind == "digit" else "no character found"

    def document(self, answer: Answer) -> dict[str, Any]:
        """Return an answer as JSON values; of a model of digits, the label is there as `digit` too."""
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
        """Return the answers to uint8 images `[N, 28, 28]`, white on black; none is found in one of a single grey."""
        judged = self.judge(images)
        columns = (judged.probabilities, judged.classes, judged.sure, judged.inked)
        return [
            self._answer(row, self.model.classes[at], sure) if ink else Answer(self.nothing)
            for row, at, sure, ink in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def prepare(self, grey: np.ndarray, steps: bool = False, plain: bool = False) -> Reading:
        """Return a picture, uint8 `[H, W]`, preprocessed; only resized with `plain`, or if the model was trained so."""
        if plain or self.model.metadata.plain:
            image = picture.plain(grey)
            return Reading(image, "digit", (("the picture", grey), ("only resized", image)) if steps else ())
        return picture.read(grey, steps, self.kind == "digit")

    def ready(self, greys: np.ndarray, plain: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8 `[N, 28, 28]` as the model is to see them, and bool `[N]`: False for those that need `prepare`.

        For the others `prepare` would return the same.
        """
        if plain or self.model.metadata.plain:
            return greys, np.ones(len(greys), bool)
        return picture.as_mnist(greys)

    def read(self, readings: Sequence[Reading]) -> list[Answer]:
        """Return the answers to pictures that were prepared."""
        images = [reading.image for reading in readings if reading.image is not None]
        answers = iter(self.answer(np.stack(images)) if images else [])
        return [
            Answer(reading.verdict) if reading.verdict != "digit" else next(answers).doubted(reading.doubts)
            for reading in readings
        ]

    def maps(self, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Return the maps of each layer for uint8 `[28, 28]`: (its name, float32 `[channels, height, width]`)."""
        names, session = self._inner
        return [(name, value[0]) for name, value in zip(names, onnx.outputs(session, image[None], names), strict=True)]

    @cached_property
    def _inner(self) -> tuple[list[str], onnxruntime.InferenceSession]:
        """The names of the maps, and a session that returns them."""
        proto = shape_inference.infer_shapes(self.model.proto)
        outputs = {kind: {n for node in proto.graph.node if node.op_type == kind for n in node.output} for kind in MAPS}
        made = outputs["Relu"] or outputs["Conv"]  # in 8 bits, there may be no rectifier of its own
        maps = [
            value
            for value in proto.graph.value_info
            if value.name in made and len(value.type.tensor_type.shape.dim) == 4 and "/" not in value.name
        ]  # of a committee's members the first one's
        proto.graph.output.extend(maps)
        return [value.name for value in maps], onnx.session(proto, threads=1)

    def _answer(self, probabilities: list[float], label: str, sure: bool) -> Answer:
        named = {name: round(p, 6) for name, p in zip(self.model.classes, probabilities, strict=True)}
        top = sorted(named.items(), key=itemgetter(1), reverse=True)[:TOP]
        return Answer(self.best_verdict if sure else "unsure", label, named[label], tuple(top), named)


@dataclass(frozen=True)
class FileResult:
    """The result of one file: its answer; or the answers of its characters, with their boxes and rows; or an error.

    `unread` are boxes of ink that was not read as a character.
    """

    path: Path
    answers: tuple[Answer, ...] = ()
    boxes: tuple[Box, ...] = ()
    rows: tuple[int, ...] = ()
    unread: tuple[Box, ...] = ()
    error: str | None = None

    @property
    def text(self) -> str:
        """The characters in their order, a line of text per row, with a ? where there is none."""
        lines: dict[int, str] = {}
        for row, answer in zip(self.rows or [0] * len(self.answers), self.answers, strict=True):
            lines[row] = lines.get(row, "") + (answer.label or "?")
        return "\n".join(lines.values())

    def document(self, reader: Reader, line: bool) -> dict[str, Any]:
        """Return the result of a reader as JSON values, read as a `line` or as one character."""
        if self.error is not None:
            return {"file": str(self.path), "error": self.error}
        documents = [reader.document(answer) for answer in self.answers]
        if not line:
            return {"file": str(self.path)} | documents[0]
        places = zip(self.boxes, self.rows, documents, strict=True)
        found = [{"box": box, "row": row} | document for box, row, document in places]
        return {"file": str(self.path), "text": self.text, f"{reader.kind}s": found, "unread": list(self.unread)}


def read_files(reader: Reader, paths: Sequence[Path], plain: bool = False, line: bool = False) -> list[FileResult]:
    """Return the results of the files, in their order: a character each, or with `line` rows of them.

    With `plain` they are resized and nothing else. A file that cannot be read has its error for a result.
    """
    return [_read_file(reader, path, plain, line) for path in paths]


def explain(reader: Reader, path: Path) -> tuple[tuple[tuple[str, np.ndarray], ...], Answer]:
    """Return the steps from a file to what the network sees, (title, uint8 `[h, w]`) each, and the answer to it.

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
        page = page_of(grey)
        answers = reader.read([piece.reading for piece in page.pieces])
        boxes, rows = tuple(piece.box for piece in page.pieces), tuple(piece.row for piece in page.pieces)
        return FileResult(path, tuple(answers), boxes, rows, tuple(page.unread))
    return FileResult(path, tuple(reader.read([reader.prepare(grey, plain=plain)])))


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise DataError("it is a folder; name the pictures in it, as in FOLDER/*.png")
    if path.exists() and not path.is_file():
        raise DataError("it is no file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"it cannot be opened: {error.strerror}") from None


def is_model(path: Path) -> bool:
    """Return True if a path names a model: a run folder, or an ONNX file."""
    return path.suffix == ".onnx" or (path / RECIPE).is_file()


def open_reader(model: Path | None = None, threads: int = 0, progress: Progress = SILENT) -> Reader:
    """Open a run folder, an ONNX file from `tenfold export`, or, if none is named, the bundled committee.

    0 `threads` are one per core. Raises `TenfoldError` for what is no model, `UsageError` where nothing is there.
    """
    run = run_of(model)
    path = Path(model or COMMITTEE)
    if model is None:
        opened = _of_committee(threads)
    else:
        opened = _of_run(run, threads, progress) if run else exported.open_model(path, threads)
    return _reader(opened, BUNDLED if model is None else path.resolve().name)


def unpacked(content: bytes, source: str, threads: int = 0) -> Reader:
    """Return the reader whose `model.proto` these bytes are: one that comes over a wire. Raises as `open_reader`."""
    return _reader(exported.opened(ModelProto.FromString(content), Path(source), threads), source)


def run_of(model: Path | None = None) -> Run | None:
    """Return the run of a model, the first of the bundled committee if none is named; None for an exported model."""
    if model is None:
        return default_run()
    return None if model.suffix == ".onnx" and not model.is_dir() else Run(model)


def _reader(opened: Model, source: str) -> Reader:
    digest = hashlib.sha256(opened.proto.SerializeToString()).hexdigest()
    says = opened.metadata.model_dump(mode="json") | {"sha256": digest}
    return Reader(opened, opened.metadata.threshold, source, says)


def _of_run(run: Run, threads: int, progress: Progress) -> Model:
    """Return a run as the model that `tenfold export` would make of it, without the gate."""
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
    """Return runs as one model, with metadata from the first run and the scores that were measured."""
    run, dataset = members[0], catalog.find(members[0].recipe.dataset)
    graphs = [onnx.graph(member.recipe.layers(), member.weights(), dataset) for member in members]
    graph = onnx.committee(graphs) if len(graphs) > 1 else graphs[0]
    says = export.metadata(run, measured)
    noise = np.random.default_rng(0).integers(0, 256, (export.VECTOR, *INPUT[1:]), np.uint8)
    packed = exported.pack(graph, says["temperature"], noise, export.NEAR_TIE, says)
    return exported.opened(packed, run.folder, threads)


def default_run() -> Run:
    """Return the first bundled run; its `scores.json` has temperature and threshold, so it needs no pictures."""
    return Run(SHIPPED)


def committee_members() -> list[Run]:
    """Return the runs that answer together where no model is named: `default_run` and its other seeds."""
    return [default_run(), *(Run(folder) for folder in sorted(COMMITTEE.glob("seed*")))]
