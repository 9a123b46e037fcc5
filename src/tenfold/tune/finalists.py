"""Retrain the best two trials with seeds that no trial used, and compare them.

The best of many trials owes part of its accuracy to luck; fresh seeds remove that part.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tenfold import evaluate, runs, statistics
from tenfold.errors import UsageError
from tenfold.recipes import Recipe, replace
from tenfold.runs import Run
from tenfold.tune.study import Question, Trial


def trainings(
    question: Question, best: list[Trial], study: str, workspace: Path, seeds: int
) -> list[tuple[Recipe, Path]]:
    """Return the recipe and the folder of each final run, trial by trial, with `seeds` fresh seeds each."""
    first = question.space.base.seed + question.repeats  # the trials used the seeds before
    return [
        (replace(question.space.recipe(trial.point), seed=seed), workspace / f"{study}-trial{trial.number}-seed{seed}")
        for trial in best
        for seed in range(first, first + seeds)
    ]


def unfinished(wanted: list[tuple[Recipe, Path]]) -> list[tuple[Recipe, Path]]:
    """Return the unfinished runs; raise `UsageError` if one of their folders holds another run."""
    for recipe, folder in wanted:
        if (folder / runs.RECIPE).exists() and Run(folder).recipe != recipe:
            raise UsageError(
                f"{folder} holds a run of another search; move it away, and run the same command to resume"
            )
    return [(recipe, folder) for recipe, folder in wanted if not (folder / runs.WEIGHTS).is_file()]


def verdict(question: Question, best: list[Trial], folders: list[Path]) -> dict[str, Any]:
    """Score the finished runs, the same number for each of the `best`, on validation, and return a plain value.

    `models` has one entry per finalist: its trial, recipe, runs, accuracies and their mean, standard deviation and
    interval. With two finalists, `comparison` is the paired test over the seeds.
    """
    scored = evaluate.evaluate([Run(folder) for folder in folders])
    models, seeds = [], len(folders) // len(best)
    for number, trial in enumerate(best):
        mine = scored[number * seeds :][:seeds]
        accuracies = [evaluation.score.accuracy for evaluation in mine]
        summary = statistics.over_seeds(np.array(accuracies))
        models.append(
            {
                "trial": trial.number,
                "point": trial.point,
                "recipe": mine[0].run.recipe.model_dump(),
                "runs": [evaluation.run.name for evaluation in mine],
                "accuracies": accuracies,
                "mean": summary.mean,
                "sd": summary.sd,
                "interval": list(summary.interval),
                "train_seconds": float(np.mean([e.run.environment["train_seconds"] for e in mine])),
            }
        )
    document: dict[str, Any] = {"models": models}
    if len(models) > 1:
        first, second = (np.array(model["accuracies"]) for model in models)
        comparison = statistics.paired(first, second)
        document["comparison"] = vars(comparison) | {"interval": list(comparison.interval)}
    return document
