"""The hardest training pictures, for short trainings.

Most digits of MNIST are easy, and a network learns little from them: 110 steps on the harder half were worth 180 on
all (EXPERIMENTS.md). A wrong label makes a picture hard, too, so this is for clean labels only.
"""

import numpy as np

from tenfold import machine, similarity
from tenfold.data.split import Samples, stratified
from tenfold.recipes import Recipe

PENALTY = 10.0  # on the squares of the weights, because some pixels are always black
FITTED = 15_000  # pictures, drawn at random; more change little and take longer


def chosen(recipe: Recipe, samples: Samples) -> np.ndarray | None:
    """Return the indices of the pictures to train on, sorted int64; None if the recipe asks for all of them."""
    if not recipe.selects:
        return None
    count = max(1, round(recipe.hardest * len(samples)))
    return np.sort(stratified(samples.labels, margins(samples).argsort(kind="stable"), count))


def margins(samples: Samples) -> np.ndarray:
    """Return how far ridge regression puts each picture's label above the best other class, float32 `[N]`.

    The model is fitted to at most `FITTED` of these samples, at 14×14 pixels. Below 0 it classifies a picture wrongly.
    """
    some = samples.take(np.sort(np.random.default_rng(0).permutation(len(samples))[:FITTED]))
    pixels = similarity.halved(some.images)
    wanted = np.eye(samples.labels.max() + 2, dtype=np.float32)[some.labels]  # one class more: there are always two
    means = pixels.mean(0), wanted.mean(0)
    scores = np.empty((len(samples), wanted.shape[1]), np.float32)
    with machine.one_blas_thread():
        products, targets = pixels.T @ pixels, pixels.T @ wanted
        for sums, mean in ((products, means[0]), (targets, means[1])):
            sums -= len(some) * np.outer(means[0], mean)
        products[np.diag_indices_from(products)] += PENALTY
        weights = np.linalg.solve(products, targets)
        for start in range(0, len(samples), similarity.BLOCK):  # 14×14 pixels of all pictures would be 47 MB
            block = slice(start, start + similarity.BLOCK)
            scores[block] = similarity.halved(samples.images[block]) @ weights
    scores += means[1] - means[0] @ weights
    at = np.arange(len(samples)), samples.labels
    own = scores[at]
    scores[at] = -np.inf
    result: np.ndarray = own - scores.max(1)
    return result
