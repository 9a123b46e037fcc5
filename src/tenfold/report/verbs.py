"""The figure that a verb draws with `--figure`: from what its stage returned to a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tenfold import evaluate
from tenfold.crossval import CrossValidation
from tenfold.data import catalog
from tenfold.data.catalog import Dataset
from tenfold.data.split import development
from tenfold.evaluate import Evaluation
from tenfold.report.figures import baselines, confusion, data, doubt, search, training, trust
from tenfold.report.sections.tuning import figure_trials
from tenfold.runs import Run
from tenfold.tune.study import Result


def of_dataset(counts: Mapping[str, Sequence[int]], known: Dataset) -> Figure:
    """Draw the pictures a class."""
    return data.class_distribution(counts, known.classes)


def of_baselines(scores: Sequence[dict[str, Any]]) -> Figure:
    """Draw accuracy against the seconds that it takes to fit."""
    return baselines.accuracy_against_seconds(scores)


def of_training(trained: Sequence[Run]) -> Figure:
    """Draw the histories of one recipe's seeds."""
    return training.history([run.history for run in trained], [run.finished for run in trained])


def of_evaluations(results: Sequence[Evaluation]) -> Figure:
    """Draw the confusion of one run, or the intervals of several with the verdicts."""
    if len(results) == 1:
        classes = catalog.find(results[0].run.recipe.dataset).classes
        return confusion.matrix(np.array(results[0].entry["confusion"]), classes)
    rows = [
        trust.Row(one.run.name, one.entry["split"], one.entry["accuracy"], tuple(one.entry["interval"]))
        for one in results
    ]
    place = {id(one): at for at, one in enumerate(results)}
    compared = [(place[id(first)], place[id(second)], test) for first, second, test in evaluate.comparisons(results)]
    return trust.forest(rows, compared)


def of_search(found: Result) -> Figure:
    """Draw the best so far."""
    return search.progress({found.name: figure_trials(found)})


def of_crossvalidation(crossed: CrossValidation) -> Figure:
    """Draw the labels most in doubt."""
    known, doubts = catalog.find(crossed.recipe.dataset), crossed.doubts
    images = development(known).images[doubts.pictures]
    return doubt.doubtful(images, doubts.given, doubts.suggested, known.classes)
