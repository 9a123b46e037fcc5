"""Export a run to one ONNX file, written only if it passes the gate: the same predictions as the trained model.

The reference is the framework that trained the run. Its answers at the end of the training are in the run folder, so
the framework is needed only if they are missing.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from tenfold import evaluate, files, scores, statistics, train
from tenfold.data import catalog
from tenfold.data.catalog import Dataset
from tenfold.data.split import gate_pictures
from tenfold.errors import TenfoldError, UsageError
from tenfold.frameworks import exported, onnx
from tenfold.frameworks.exported import Cost, Gate
from tenfold.progress import SILENT, Progress
from tenfold.runs import ANSWERS, Run
from tenfold.scores import Score
from tenfold.statistics import Threshold

PRECISIONS = ("float32", "float16", "int8")
NEAR_TIE = 1e-3  # difference of two logits below which either may be the larger
FURTHEST = 1e-2  # largest allowed difference of a logit; rounding causes about 0.00001, a mistake more
MOST_LOST = 0.05  # points of accuracy that a lower precision may cost
CALIBRATION = 1_000  # training pictures on which the ranges of 8-bit values are measured
VECTOR = 5  # pictures in the test vector


@dataclass(frozen=True)
class Export:
    """An exported file and its metadata."""

    path: Path
    bytes: int
    precision: str
    temperature: float | None
    threshold: Threshold | None
    scores: list[Score]
    gate: Gate
    cost: Cost | None

    def document(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return asdict(self) | {"path": str(self.path), "scores": scores.documents(self.scores)}


def export(run: Run, out: Path, precision: str = "float32", progress: Progress = SILENT) -> Export:
    """Write the run as an ONNX file to `out`, in float32, float16 or int8, and return its description.

    On 10,000 development pictures the float32 model must predict the same as the framework, and the written file the
    same as the model. A lower precision may cost at most 0.05 points of accuracy on validation pictures. Otherwise
    nothing is written and `TenfoldError` is raised. Raises `UsageError` if `out` exists, or if the run has no
    validation pictures to measure the cost on.
    """
    if out.exists():
        raise UsageError(f"{out} already exists; move it away, or choose another --out")
    recipe = run.recipe
    if precision != "float32" and not recipe.validation_size:
        raise UsageError(
            f"{run.folder} was trained on every picture, so the cost of {precision} cannot be measured; "
            "export it in float32"
        )
    dataset = catalog.find(recipe.dataset)
    pictures = gate_pictures(dataset, progress)
    graph = onnx.graph(recipe.layers(), run.weights(), dataset)
    reference = _answers(run, len(pictures))
    gate = compare(reference, onnx.logits(onnx.session(graph), pictures), recipe.framework)
    full = graph
    if precision != "float32":
        graph = _smaller(run, full, precision)
        reference = onnx.logits(onnx.session(graph), pictures)
    validation, cost = _measure(run, full, graph, precision, progress)
    measured = [validation] if validation else []
    if precision == "float32" and (test := run.score("test")):  # the test set was opened only for float32
        measured.append(test)
    says = metadata(run, measured) | {
        "precision": precision,
        "gate": asdict(gate),
        "cost": asdict(cost) if cost else None,
    }
    model = exported.pack(
        graph,
        says["temperature"],
        pictures[:VECTOR],
        tolerance=max(NEAR_TIE, cost.largest_logit_difference if cost else 0),
        metadata=says,
    )
    content = model.SerializeToString()
    with files.atomic(out) as file:
        file.write(content)
        file.flush()
        _check_file(Path(file.name), pictures, reference, recipe.framework)
    threshold = validation.threshold if validation else None
    return Export(out, len(content), precision, says["temperature"], threshold, measured, gate, cost)


def metadata(run: Run, measured: list[Score]) -> dict[str, Any]:
    """Return the metadata of a run's model, with the scores that were `measured`.

    Temperature and threshold are those of the validation score, or None without one.
    """
    recipe, dataset = run.recipe, catalog.find(run.recipe.dataset)
    validation = next((score for score in measured if score.split == "validation"), None)
    return {
        "dataset": dataset.name,
        "classes": dataset.classes,
        "plain": dataset.plain,
        "network": recipe.network,
        "recipe_hash": recipe.hash,
        "precision": "float32",
        "temperature": validation and validation.temperature,
        "threshold": asdict(validation.threshold) if validation and validation.threshold else None,
        "reference": reference_of(dataset, validation),
        "scores": scores.documents(measured),
        "gate": None,
        "cost": None,
        "licence": _licence(dataset),
    }


def reference_of(dataset: Dataset, validation: Score | None) -> dict[str, Any]:
    """Return the reference for drift: statistics of the answers to validation pictures, from their score.

    These are the `shares` of the classes, the mean calibrated `confidence`, the `unsure` share, and the mean `ink` of
    the training pictures, 0 to 255. Values that the score lacks are None.
    """
    if validation is None:
        return {"shares": None, "ink": dataset.mean, "confidence": None, "unsure": None}
    answers, threshold = validation.matrix.sum(0) / validation.total, validation.threshold
    return {
        "shares": dict(zip(dataset.classes, answers.tolist(), strict=True)),
        "ink": dataset.mean,
        "confidence": validation.calibrated and validation.calibrated.confidence,
        "unsure": 1 - threshold.answered / threshold.total if threshold else 1.0,
    }


def compare(reference: np.ndarray, logits: np.ndarray, framework: str) -> Gate:
    """Compare logits `[N, classes]` with those of the framework; raise `TenfoldError` if they disagree."""
    predicted, expected = logits.argmax(1), reference.argmax(1)
    each = np.arange(len(reference))
    wrong = reference[each, expected] - reference[each, predicted] > NEAR_TIE
    near_ties = int(((predicted != expected) & ~wrong).sum())
    difference = float(np.abs(logits - reference).max())
    if wrong.any() or not difference <= FURTHEST:
        raise TenfoldError(
            f"this model is not what {framework} trained: {wrong.sum():,} of {len(wrong):,} predictions differ, logits "
            f"by up to {difference:.2g}; nothing was written.\n"
            "If the run folder was changed after the training, restore it; if not, report this as a bug"
        )
    return Gate(framework, len(wrong), near_ties, difference)


def _answers(run: Run, pictures: int) -> np.ndarray:
    """Return the framework's logits for the gate's pictures, float32 `[pictures, classes]`."""
    answers = run.answers()
    if answers is None:
        try:
            return train.answers(run.recipe, run.weights())
        except TenfoldError as error:
            raise TenfoldError(f"{run.folder} has no {ANSWERS}, so the framework must answer again: {error}") from None
    if answers.shape != (pictures, len(catalog.find(run.recipe.dataset).classes)):
        raise TenfoldError(f"{run.folder / ANSWERS} does not fit this run; delete it, and the framework answers again")
    return answers


def _smaller(run: Run, graph: ModelProto, precision: str) -> ModelProto:
    recipe = run.recipe
    if precision == "float16":
        return onnx.graph(recipe.layers(), run.weights(), catalog.find(recipe.dataset), dtype=np.float16)
    images = train.split_for(recipe).train.images
    return onnx.quantised(graph, images[:: max(1, len(images) // CALIBRATION)])


def _measure(
    run: Run, full: ModelProto, graph: ModelProto, precision: str, progress: Progress
) -> tuple[Score | None, Cost | None]:
    """Return the validation score of the exported graph, and its cost compared with float32."""
    if not run.recipe.validation_size:
        return None, None
    validation = evaluate.validation_pictures(run, progress)
    logits = onnx.logits(onnx.session(graph), validation.images)
    score = scores.of_validation(logits, validation.labels)
    if precision == "float32":
        return score, None
    return score, cost_of(onnx.logits(onnx.session(full), validation.images), logits, validation.labels, precision)


def cost_of(before: np.ndarray, after: np.ndarray, labels: np.ndarray, precision: str) -> Cost:
    """Return the cost of replacing logits `before` by `after`; raise `TenfoldError` if it is too high."""
    right_before, right_after = (int((logits.argmax(1) == labels).sum()) for logits in (before, after))
    lost = 100 * (right_before - right_after) / len(labels)
    if lost > MOST_LOST:
        raise TenfoldError(
            f"{precision} costs {lost:.2f} points: {right_after:,} of {len(labels):,} validation pictures right, not "
            f"{right_before:,}; at most {MOST_LOST} points are allowed, so nothing was written"
        )
    return Cost(len(labels), right_before / len(labels), lost, float(np.abs(after - before).max()))


def _licence(dataset: Dataset) -> str:
    source = f"{dataset.title} by {dataset.credit}"
    return f"trained on {source}, whose licence is {dataset.licence}; made with Tenfold, which has the MIT licence"


def _check_file(path: Path, pictures: np.ndarray, reference: np.ndarray, framework: str) -> None:
    """Load the written file; raise `TenfoldError` if it differs from the measured model."""
    model = exported.open_model(path)
    logits, probabilities = model.answer(pictures)
    compare(reference, logits, framework)
    error = np.abs(probabilities - statistics.probabilities(logits, model.metadata.temperature or 1)).max()
    if not error <= NEAR_TIE:
        raise TenfoldError("the probabilities in the file do not follow from its logits; report this as a bug")
