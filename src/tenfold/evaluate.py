"""Score runs on validation pictures or, if requested, on the sealed test set.

This is the only stage that may open the test set. Every prediction comes from ONNX Runtime on the graph of the run's
weights, so the measured model is the exported one.
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

    Two evaluations with equal `pictures` are about the same pictures.
    """

    run: Run
    score: Score
    logits: np.ndarray
    labels: np.ndarray
    pictures: tuple[Any, ...]

    @property
    def right(self) -> np.ndarray:
        """The mask of right answers, bool `[N]`."""
        result: np.ndarray = self.logits.argmax(1) == self.labels
        return result


def evaluate(
    candidates: Sequence[Run], test: bool = False, who: str = "evaluate", progress: Progress = SILENT
) -> list[Evaluation]:
    """Score runs, write the scores to each run's `scores.json`, and return the evaluations in the order of the runs.

    Uses validation pictures, or with `test` the test set, after fitting the temperature on validation. Opening the test
    set adds a line with `who` to the ledger next to the run folders. It is opened only for runs that have not answered
    it yet; answers are kept. Raises `UsageError` for a run without validation pictures unless `test` is set.
    """
    if test:
        return _on_test(candidates, who, progress)
    results = []
    for run in candidates:
        if not run.recipe.validation_size:
            raise UsageError(f"{run.folder} was trained on every picture; score it with --test")
        results.append(validate(run, progress))
        run.save_score(results[-1].score)
    return results


def _on_test(candidates: Sequence[Run], who: str, progress: Progress) -> list[Evaluation]:
    temperatures = {run.folder: _temperature(run, progress) for run in candidates}
    answers: dict[Path, dict[str, np.ndarray]] = {}
    for (workspace, dataset), members in _by_workspace(candidates).items():
        if not catalog.find(dataset).sealed_size:
            raise DataError(f"{dataset} has no test pictures; leave --test out to score on validation pictures")
        answers |= {run.folder: kept for run in members if (kept := run.test_answers())}
        if unanswered := [run for run in members if run.folder not in answers]:
            samples = open_test(catalog.find(dataset), workspace / LEDGER, who, _asked(unanswered), progress)
            answers |= {run.folder: _answer_test(run, samples) for run in unanswered}
        else:
            progress.line("using the answers kept from an earlier opening of the test set; it stays closed")
    results = []
    for run in candidates:
        logits, labels = (answers[run.folder][name] for name in ("logits", "labels"))
        score = scores.of_logits("test", logits, labels, temperatures[run.folder])
        run.save_score(score)
        results.append(Evaluation(run, score, logits, labels, questions(run, test=True)))
    return results


def _temperature(run: Run, progress: Progress) -> float | None:
    """Return the temperature fitted on the run's validation pictures, now or earlier, or None."""
    if not run.recipe.validation_size:
        return None
    known = run.score("validation")
    if known is None:
        known = validate(run, progress).score
        run.save_score(known)
    return known.temperature


def _answer_test(run: Run, samples: Samples) -> dict[str, np.ndarray]:
    """Compute, store and return the run's answers to the test set."""
    logits = predict(run, samples.images)
    wrong = np.flatnonzero(logits.argmax(1) != samples.labels)
    answers = {"logits": logits, "labels": samples.labels, "index": wrong, "images": samples.images[wrong]}
    run.save_test_answers(answers)
    return answers


def _asked(members: Sequence[Run]) -> list[dict[str, str | None]]:
    """Return the description of runs for the ledger."""
    return [{"run": r.name, "recipe": r.recipe.hash, "commit": r.environment.get("commit")} for r in members]


def predict(run: Run, images: np.ndarray) -> np.ndarray:
    """Return the run's float32 logits `[N, classes]` for uint8 images `[N, 28, 28]`, from ONNX Runtime."""
    from tenfold.frameworks import onnx  # takes 0.2 s to import, and kept answers do not need it

    return onnx.answer(run.recipe, run.weights(), images)


def questions(run: Run, test: bool = False) -> tuple[Any, ...]:
    """Return the identity of a run's validation pictures, or with `test` of its test set.

    It is the field `pictures` of its `Evaluation`.
    """
    recipe = run.recipe
    if test:
        return (recipe.dataset, "test")
    return (recipe.dataset, "validation", recipe.validation_size, recipe.split_seed)


def committee(evaluations: Sequence[Evaluation], who: str = "evaluate") -> Score:
    """Return the score of runs that answer together with their mean probabilities; its scoring is "committee of N".

    The probabilities are plain softmax. On validation pictures, the committee's own temperature and threshold are
    fitted; its test score has neither. The score is not stored. For the test set, a line with `who` is added to the
    ledger. Raises the errors of `require_committee`.
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
    """Raise `UsageError` unless there are at least two runs, all with the same `questions`."""
    if len(pictures) < 2:
        raise UsageError("a committee needs at least two runs")
    if len(set(pictures)) > 1:
        raise UsageError(
            "a committee must answer the same pictures: choose runs of one dataset and one validation split"
        )


def comparisons(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, Evaluation, Comparison]]:
    """Return McNemar's test for every pair of evaluations on the same pictures."""
    return [
        (first, second, statistics.mcnemar(first.right, second.right))
        for first, second in itertools.combinations(evaluations, 2)
        if first.pictures == second.pictures
    ]


def seed_summaries(evaluations: Sequence[Evaluation]) -> list[tuple[list[Evaluation], SeedSummary]]:
    """Return the spread of accuracy for each group of two or more runs that differ only in their seed."""
    groups: dict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in evaluations:
        groups[evaluation.run.recipe.family].append(evaluation)
    return [
        (members, statistics.over_seeds(np.array([member.score.accuracy for member in members])))
        for members in groups.values()
        if len(members) > 1
    ]


def validate(run: Run, progress: Progress = SILENT) -> Evaluation:
    """Score a run on its validation pictures without writing anything."""
    samples = validation_pictures(run, progress)
    logits = predict(run, samples.images)
    score = scores.of_validation(logits, samples.labels)
    return Evaluation(run, score, logits, samples.labels, questions(run))


def validation_pictures(run: Run, progress: Progress = SILENT) -> Samples:
    """Return the run's validation pictures."""
    recipe = run.recipe
    dataset = catalog.find(recipe.dataset)
    return split(dataset, recipe.validation_size, recipe.split_seed, progress=progress).validation


def choose(evaluations: Sequence[Evaluation]) -> Run:
    """Return the first run of the recipe with the highest mean accuracy over its seeds."""
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
