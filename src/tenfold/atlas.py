"""The error atlas: for every picture that a model got wrong, what one wants to know about it.

How sure the model was, what else it thought of, which training pictures look alike to it, what other models said, and
which pixels spoke for the wrong answer. The answers come as arrays, whichever stage made them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.data import catalog
from tenfold.data.split import Samples
from tenfold.frameworks import onnx
from tenfold.runs import Run

NEIGHBOURS, TOP = 5, 3
BLOCK = 5_000  # training pictures whose features are held at once


@dataclass(frozen=True)
class Neighbour:
    """A training picture: its index among those given, its label, its distance in the features of the network."""

    index: int
    label: int
    distance: float


@dataclass(frozen=True)
class Answer:
    """What a model said: a class and its probability."""

    model: str
    label: int
    probability: float


@dataclass(frozen=True, eq=False)
class Mistake:
    """A picture that the main model got wrong, by its `index` in the split.

    `confidence` is the probability of the class `predicted` in place of `label`; `top` are the classes it thought
    of first, with probabilities; `saliency`, where PyTorch is installed, is float32 `[28, 28]`: each pixel's share
    in the logit of the wrong answer.
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
    """Return the mistakes of `run`, the surest first, `limit` of them at most.

    `answers` are names of models and their (calibrated) probabilities `[N, classes]` for the N pictures of `samples`:
    first those of `run` itself. Neighbours are looked for in `train`. Takes about as long as predicting `train`.
    """
    wrong = errors(answers[0][1], samples.labels)[:limit]
    if not len(wrong):
        return []
    network, weights, dataset = run.recipe.layers(), run.weights(), catalog.find(run.recipe.dataset)
    images = samples.images[wrong]
    blocks = (
        onnx.features(network, weights, dataset, train.images[at : at + BLOCK]) for at in range(0, len(train), BLOCK)
    )
    index, distance = nearest(onnx.features(network, weights, dataset, images), blocks, NEIGHBOURS)
    return mistakes(answers, samples.labels, wrong, index, distance, train.labels, _saliency(run, weights, images))


def errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the int64 indices of the pictures that probabilities `[N, classes]` are wrong about, the surest first."""
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    order: np.ndarray = wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")]
    return order


def nearest(queries: np.ndarray, blocks: Iterable[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` nearest rows of `blocks`, laid one behind the other, to each of `queries` `[Q, D]`, nearest first.

    Indices int64 and Euclidean distances float64, both `[Q, k]` (fewer where there are not as many rows). Exact, with
    no more than one block `[B, D]` in memory.
    """
    queries = queries.astype(np.float64)  # in float32 the differences of squares would lose what is near
    own = np.einsum("qd,qd->q", queries, queries)
    index, squares = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0))
    start = 0
    for block in blocks:
        rows = block.astype(np.float64)
        distances = own[:, None] - 2 * (queries @ rows.T) + np.einsum("bd,bd->b", rows, rows)  # |a - b|², [Q, B]
        few = np.argpartition(distances, min(k, len(rows)) - 1, axis=1)[:, :k]
        index = np.hstack([index, few + start])
        squares = np.hstack([squares, np.take_along_axis(distances, few, 1)])
        kept = np.argsort(squares, axis=1, kind="stable")[:, :k]
        index, squares = np.take_along_axis(index, kept, 1), np.take_along_axis(squares, kept, 1)
        start += len(rows)
    return index, np.sqrt(np.maximum(squares, 0))


def mistakes(
    answers: Sequence[tuple[str, np.ndarray]],
    labels: np.ndarray,
    wrong: np.ndarray,
    neighbours: np.ndarray,
    distances: np.ndarray,
    train_labels: np.ndarray,
    saliency: np.ndarray | None,
) -> list[Mistake]:
    """Put together what is known of the pictures `wrong` int64 `[Q]`, from the arrays of `errors` and `nearest`.

    `answers` and `labels` are of all N pictures; `neighbours`, `distances` `[Q, k]` and `saliency` `[Q, 28, 28]` of
    those that are `wrong`; `train_labels` of what the neighbours were looked for in.
    """
    (_, main), *others = answers
    result = []
    for at, index in enumerate(wrong):
        top = np.argsort(-main[index], kind="stable")[:TOP]
        near = zip(neighbours[at], distances[at], strict=True)
        result.append(
            Mistake(
                index=int(index),
                label=int(labels[index]),
                predicted=int(top[0]),
                confidence=float(main[index, top[0]]),
                top=tuple((int(label), float(main[index, label])) for label in top),
                neighbours=tuple(Neighbour(int(i), int(train_labels[i]), float(d)) for i, d in near),
                others=tuple(Answer(name, int(p[index].argmax()), float(p[index].max())) for name, p in others),
                saliency=None if saliency is None else saliency[at],
            )
        )
    return result


def _saliency(run: Run, weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray | None:
    """Return the shares of the pixels `[Q, 28, 28]`, or None where PyTorch is not installed."""
    try:
        from tenfold.frameworks import pytorch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return None
    return pytorch.integrated_gradients(pytorch.build(run.recipe.layers(), weights), images, run.recipe.dataset)
