"""The gate: a run becomes one ONNX file for others that is proved to be the same, or there is no file.

The proof is against the framework that trained the run. What it answered at the end of the training lies in the run
folder, so no framework is needed here; only where that is missing is it asked again.
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
NEAR_TIE = 1e-3  # between two logits: which of them is larger may differ
FURTHEST = 1e-2  # that a logit may differ; rounding makes 0.00001 of it, a mistake more
MOST_LOST = 0.05  # points of accuracy that a smaller precision may cost
CALIBRATION = 1_000  # training pictures on which the ranges of 8-bit values are measured
VECTOR = 5  # pictures of the test vector


@dataclass(frozen=True)
class Export:
    """A file that was written, and what it says of itself."""

    path: Path
    bytes: int
    precision: str
    temperature: float | None
    threshold: Threshold | None
    scores: list[Score]
    gate: Gate
    cost: Cost | None

    def document(self) -> dict[str, Any]:
        """Return all of it as what JSON can hold."""
        return asdict(self) | {"path": str(self.path), "scores": scores.documents(self.scores)}


def export(run: Run, out: Path, precision: str = "float32", progress: Progress = SILENT) -> Export:
    """Write the run as an ONNX file to `out`, in float32, float16 or int8, and return what is known of it.

    On 10,000 development pictures the float32 model must predict what the framework predicts, and the file, loaded
    again, what the model did. A smaller precision may cost 0.05 points of accuracy on validation pictures. Raises
    `TenfoldError`, and writes nothing, where that is not so; `UsageError` where `out` is there already, or where the
    run kept no pictures to measure the cost on.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; move it away, or choose another --out")
    recipe = run.recipe
    if precision != "float32" and not recipe.validation_size:
        raise UsageError(
            f"{run.folder} was trained on every picture: none is left to measure what {precision} costs on"
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
    if precision == "float32" and (test := run.score("test")):  # the test set was opened for this one alone
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

    Temperature and threshold are those of the validation score, and None where there is none.
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
    """Return the reference of drift: how the model answered validation pictures, from their score.

    `shares` of the answers by class, their mean calibrated `confidence`, the share that is `unsure`, and the mean `ink`
    of the pictures it learnt from, 0 to 255. What the score does not tell is None.
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
    """Return how logits `[N, classes]` agree with those of the framework; `TenfoldError` where they do not."""
    predicted, expected = logits.argmax(1), reference.argmax(1)
    each = np.arange(len(reference))
    wrong = reference[each, expected] - reference[each, predicted] > NEAR_TIE
    near_ties = int(((predicted != expected) & ~wrong).sum())
    difference = float(np.abs(logits - reference).max())
    if wrong.any() or not difference <= FURTHEST:
        raise TenfoldError(
            f"this model is not what {framework} trained: {wrong.sum():,} of {len(wrong):,} predictions differ, logits "
            f"by up to {difference:.2g}; nothing was written.\n"
            "If the run folder was changed after the training, take it as it was; if not, please report this"
        )
    return Gate(framework, len(wrong), near_ties, difference)


def _answers(run: Run, pictures: int) -> np.ndarray:
    """Return what the framework that trained the run answers to the gate's pictures, float32 `[pictures, classes]`."""
    answers = run.answers()
    if answers is None:
        try:
            return train.answers(run.recipe, run.weights())
        except TenfoldError as error:
            raise TenfoldError(f"{run.folder} has no {ANSWERS}, so the framework must be asked: {error}") from None
    if answers.shape != (pictures, len(catalog.find(run.recipe.dataset).classes)):
        raise TenfoldError(
            f"{run.folder / ANSWERS} holds answers to something else; without it, the framework is asked"
        )
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
    """Return the validation score of the graph that is shipped, and what it costs beside the full one."""
    if not run.recipe.validation_size:
        return None, None
    validation = evaluate.validation_pictures(run, progress)
    logits = onnx.logits(onnx.session(graph), validation.images)
    score = scores.of_validation(logits, validation.labels)
    if precision == "float32":
        return score, None
    return score, cost_of(onnx.logits(onnx.session(full), validation.images), logits, validation.labels, precision)


def cost_of(before: np.ndarray, after: np.ndarray, labels: np.ndarray, precision: str) -> Cost:
    """Return what going from logits `before` to those `after` costs; `TenfoldError` where it is too much."""
    right_before, right_after = (int((logits.argmax(1) == labels).sum()) for logits in (before, after))
    lost = 100 * (right_before - right_after) / len(labels)
    if lost > MOST_LOST:
        raise TenfoldError(
            f"{precision} costs {lost:.2f} points: {right_after:,} of {len(labels):,} validation pictures right, not "
            f"{right_before:,}; at most {MOST_LOST} are allowed, so nothing was written"
        )
    return Cost(len(labels), right_before / len(labels), lost, float(np.abs(after - before).max()))


def _licence(dataset: Dataset) -> str:
    source = f"{dataset.title} by {dataset.credit}"
    return f"learnt from {source}, whose licence is {dataset.licence}; made with Tenfold, which is MIT licensed"


def _check_file(path: Path, pictures: np.ndarray, reference: np.ndarray, framework: str) -> None:
    """Load the file again; raise `TenfoldError` where it is not what was measured."""
    model = exported.open_model(path)
    logits, probabilities = model.answer(pictures)
    compare(reference, logits, framework)
    error = np.abs(probabilities - statistics.probabilities(logits, model.metadata.temperature or 1)).max()
    if not error <= NEAR_TIE:
        raise TenfoldError("the probabilities in the file are not those of its logits; please report this")
