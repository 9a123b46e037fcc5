"""The error atlas: a description of each picture that a model classifies wrongly.

Each description has the confidence, the next classes, the nearest training pictures, the answers of other models, and
the saliency.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenfold import similarity
from tenfold.data import catalog
from tenfold.data.split import Samples
from tenfold.frameworks import onnx
from tenfold.runs import Run

NEIGHBOURS, TOP = 5, 3


@dataclass(frozen=True)
class Neighbour:
    """A training picture: its index among those given, and its label."""

    index: int
    label: int


@dataclass(frozen=True)
class Answer:
    """The answer of another model: a class and its probability."""

    model: str
    label: int
    probability: float


@dataclass(frozen=True, eq=False)
class Mistake:
    """A picture that the main model got wrong, with its `index` in the split.

    `confidence` is the probability of the wrong class `predicted`; `top` are the most probable classes with their
    probabilities. `saliency` is float32 `[28, 28]`, each pixel's share in the logit of the wrong answer, or None
    without PyTorch.
    """

    index: int
    label: int
    predicted: int
    confidence: float
    top: tuple[tuple[int, float], ...]
    neighbours: tuple[Neighbour, ...]
    others: tuple[Answer, ...]
    saliency: np.ndarray | None


def atlas(
    run: Run, answers: Sequence[tuple[str, np.ndarray]], samples: Samples, train: Samples, limit: int
) -> list[Mistake]:
    """Return at most `limit` mistakes of `run`, the most confident first.

    `answers` maps names of models to their (calibrated) probabilities `[N, classes]` for the N pictures of `samples`;
    `run` itself comes first. Neighbours are searched in `train`. Takes about as long as predicting `train`.
    """
    wrong = errors(answers[0][1], samples.labels)[:limit]
    if not len(wrong):
        return []
    network, weights, dataset = run.recipe.layers(), run.weights(), catalog.find(run.recipe.dataset)
    images = samples.images[wrong]
    known = onnx.features(network, weights, dataset, train.images)
    nearest, _ = similarity.nearest(onnx.features(network, weights, dataset, images), known, NEIGHBOURS)
    saliency = _saliency(run, weights, images)
    (_, main), *others = answers
    mistakes = []
    for at, picture in enumerate(wrong):
        top = np.argsort(-main[picture], kind="stable")[:TOP]
        mistakes.append(
            Mistake(
                index=int(picture),
                label=int(samples.labels[picture]),
                predicted=int(top[0]),
                confidence=float(main[picture, top[0]]),
                top=tuple((int(label), float(main[picture, label])) for label in top),
                neighbours=tuple(Neighbour(int(i), int(train.labels[i])) for i in nearest[at]),
                others=tuple(Answer(name, int(p[picture].argmax()), float(p[picture].max())) for name, p in others),
                saliency=None if saliency is None else saliency[at],
            )
        )
    return mistakes


def errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the int64 indices of the wrong answers among probabilities `[N, classes]`, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    order: np.ndarray = wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")]
    return order


def _saliency(run: Run, weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray | None:
    """Return the shares of the pixels `[Q, 28, 28]`, or None if PyTorch is not installed."""
    try:
        from tenfold.frameworks import pytorch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return None
    return pytorch.integrated_gradients(pytorch.build(run.recipe.layers(), weights), images, run.recipe.dataset)
