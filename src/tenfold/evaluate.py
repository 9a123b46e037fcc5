"""Predictions become scores: on validation pictures, and on the sealed test set when that is asked for.

The only stage that may open the test set. Every prediction comes from ONNX Runtime on the graph written from the
run's weights, so what is measured is what is shipped.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tenfold import scores, statistics
from tenfold.data import catalog
from tenfold.data.split import LEDGER, Samples, open_test, openings, record_opening, split
from tenfold.errors import DataError, UsageError
from tenfold.progress import SILENT, Progress
from tenfold.runs import Run
from tenfold.scores import Score
from tenfold.statistics import Comparison, SeedSummary


@dataclass(frozen=True)
class Evaluation:
    """A run's answers to one split: float32 `logits` `[N, classes]`, int64 `labels` `[N]`, and their `score`.

    Two evaluations with the same `pictures` were asked the same questions.
    """

    run: Run
    score: Score
    logits: np.ndarray
    labels: np.ndarray
    pictures: tuple[Any, ...]

    @property
    def right(self) -> np.ndarray:
        """Mask of the right answers, bool `[N]`."""
        result: np.ndarray = self.logits.argmax(1) == self.labels
        return result


def evaluate(
    candidates: Sequence[Run], test: bool = False, who: str = "evaluate", progress: Progress = SILENT
) -> list[Evaluation]:
    """Score runs, write them to their `scores.json`, and return the evaluations in the order of the runs.

    On validation pictures; with `test` on the test set instead, after the temperature is fitted on validation. Opening
    the test set adds a line, with `who` asked, to the ledger beside the run folders. It is opened only for runs that
    have not answered it yet: their answers are kept. Raises `UsageError` for a run with no validation pictures unless
    `test` is set.
    """
    if test:
        return _on_test(candidates, who, progress)
    results = []
    for run in candidates:
        if not run.recipe.validation_size:
            raise UsageError(f"{run.folder} was trained on every picture and has none to validate on; --test scores it")
        results.append(validate(run, progress))
        run.save_score(results[-1].score)
    return results


def _on_test(candidates: Sequence[Run], who: str, progress: Progress) -> list[Evaluation]:
    temperatures = {run.folder: _temperature(run, progress) for run in candidates}
    answers: dict[Path, dict[str, np.ndarray]] = {}
    for (workspace, dataset), members in _by_workspace(candidates).items():
        if not catalog.find(dataset).sealed_size:
            raise DataError(f"{dataset} has no test pictures; `tenfold evaluate` without --test scores it")
        answers |= {run.folder: kept for run in members if (kept := run.test_answers())}
        if unanswered := [run for run in members if run.folder not in answers]:
            samples = open_test(catalog.find(dataset), workspace / LEDGER, who, _asked(unanswered), progress)
            answers |= {run.folder: _answer_test(run, samples) for run in unanswered}
        else:
            progress.line("the test set was opened for these runs before; their answers are kept, it stays closed")
    results = []
    for run in candidates:
        logits, labels = (answers[run.folder][name] for name in ("logits", "labels"))
        score = scores.of_logits("test", logits, labels, temperatures[run.folder])
        run.save_score(score)
        results.append(Evaluation(run, score, logits, labels, questions(run, test=True)))
    return results


def _temperature(run: Run, progress: Progress) -> float | None:
    """Return the temperature fitted on the run's validation pictures, now or before; None if it has none."""
    if not run.recipe.validation_size:
        return None
    known = run.score("validation")
    if known is None:
        known = validate(run, progress).score
        run.save_score(known)
    return known.temperature


def _answer_test(run: Run, samples: Samples) -> dict[str, np.ndarray]:
    """Return and keep the run's answers to the test set."""
    logits = predict(run, samples.images)
    wrong = np.flatnonzero(logits.argmax(1) != samples.labels)
    answers = {"logits": logits, "labels": samples.labels, "index": wrong, "images": samples.images[wrong]}
    run.save_test_answers(answers)
    return answers


def _asked(members: Sequence[Run]) -> list[dict[str, str | None]]:
    """Return what the ledger says of runs."""
    return [{"run": r.name, "recipe": r.recipe.hash, "commit": r.environment.get("commit")} for r in members]


def predict(run: Run, images: np.ndarray) -> np.ndarray:
    """Return the run's float32 logits `[N, classes]` for uint8 images `[N, 28, 28]`, from ONNX Runtime."""
    from tenfold.frameworks import onnx  # takes 0.2 s to import, and where it is kept a score needs no answer

    return onnx.answer(run.recipe, run.weights(), images)


def questions(run: Run, test: bool = False) -> tuple[Any, ...]:
    """Return what tells which pictures a run is asked: those of its validation, or with `test` those of the test set.

    It is the `pictures` of its `Evaluation`.
    """
    recipe = run.recipe
    if test:
        return (recipe.dataset, "test")
    return (recipe.dataset, "validation", recipe.validation_size, recipe.split_seed)


def committee(evaluations: Sequence[Evaluation], who: str = "evaluate") -> Score:
    """Return the score, its scoring "committee of 5", of runs that answer with their mean probabilities.

    Each probability is the plain softmax; the committee's own temperature is fitted on validation pictures, with the
    threshold, and there is none for the test set. It is kept nowhere, but for the test set the ledger says that `who`
    asked. Raises `UsageError` as `require_committee` does.
    """
    require_committee([evaluation.pictures for evaluation in evaluations])
    split, labels = evaluations[0].score.split, evaluations[0].labels
    together = statistics.committee([evaluation.logits for evaluation in evaluations])
    if split == "validation":
        score = scores.of_validation(together, labels)
    else:
        members = [evaluation.run for evaluation in evaluations]
        for (workspace, dataset), together_here in _by_workspace(members).items():
            asked, ledger = _asked(together_here), workspace / LEDGER
            if not any((line["who"], line["runs"]) == (who, asked) for line in openings(ledger)):
                record_opening(catalog.find(dataset), ledger, who, asked)
        score = scores.of_logits(split, together, labels)
    return score.model_copy(update={"scoring": f"committee of {len(evaluations)}"})


def require_committee(pictures: Sequence[tuple[Any, ...]]) -> None:
    """Raise `UsageError` unless there are two runs at least, each asked the same `questions`."""
    if len(pictures) < 2:
        raise UsageError("a committee takes two runs at least")
    if len(set(pictures)) > 1:
        raise UsageError(
            "a committee is asked the same pictures: choose runs of one dataset, and of one validation split"
        )


def comparisons(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, Evaluation, Comparison]]:
    """Return McNemar's test for every pair of evaluations that were asked the same questions."""
    return [
        (first, second, statistics.mcnemar(first.right, second.right))
        for first, second in itertools.combinations(evaluations, 2)
        if first.pictures == second.pictures
    ]


def seed_summaries(evaluations: Sequence[Evaluation]) -> list[tuple[list[Evaluation], SeedSummary]]:
    """Return the spread of accuracy over runs that differ in nothing but their seed, where there are two or more."""
    groups: dict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in evaluations:
        groups[evaluation.run.recipe.family].append(evaluation)
    return [
        (members, statistics.over_seeds(np.array([member.score.accuracy for member in members])))
        for members in groups.values()
        if len(members) > 1
    ]


def validate(run: Run, progress: Progress = SILENT) -> Evaluation:
    """Score a run on its validation pictures, and write nothing."""
    samples = validation_pictures(run, progress)
    logits = predict(run, samples.images)
    score = scores.of_validation(logits, samples.labels)
    return Evaluation(run, score, logits, samples.labels, questions(run))


def validation_pictures(run: Run, progress: Progress = SILENT) -> Samples:
    """Return the pictures that the run was not trained on, to choose with."""
    recipe = run.recipe
    dataset = catalog.find(recipe.dataset)
    return split(dataset, recipe.validation_size, recipe.split_seed, progress=progress).validation


def choose(evaluations: Sequence[Evaluation]) -> Run:
    """Return the first run of the recipe whose accuracy, the mean over its seeds, is best."""
    by_recipe: dict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in evaluations:
        by_recipe[evaluation.run.recipe.family].append(evaluation)
    best = max(by_recipe.values(), key=lambda members: np.mean([member.score.accuracy for member in members]))
    return best[0].run


def _by_workspace(candidates: Sequence[Run]) -> dict[tuple[Path, str], list[Run]]:
    groups: dict[tuple[Path, str], list[Run]] = defaultdict(list)
    for run in candidates:
        groups[run.folder.resolve().parent, run.recipe.dataset].append(run)
    return groups
