"""Scores as text: of runs, over folds, before and after learning a hand."""

import itertools
from collections.abc import Sequence
from typing import Any

from tenfold import evaluate
from tenfold.console.tables import interval, percent, table
from tenfold.crossval import DOUBTFUL, CrossValidation
from tenfold.data import catalog
from tenfold.evaluate import Evaluation
from tenfold.personal import Personal

WIDEST = 20  # classes whose confusion matrix is shown
MOST_DOUBTFUL = 10  # labels that are shown; the file has all


def evaluations(results: Sequence[Evaluation], committee: dict[str, Any] | None = None) -> str:
    """Return scores, the classes of a single run, the spread over seeds, and who is better than whom.

    Beneath the scores stand those of all runs as one, if they are given.
    """
    together = [_scores(committee["scoring"], committee)] if committee else []
    blocks = [
        table(
            ["run", "split", "correct", "accuracy", "95% interval", "top 2", "NLL", "ECE", "ECE calibrated"],
            [_scores(result.run.name, result.entry) for result in results] + together,
        )
    ]
    if len(results) == 1:
        blocks.append(_classes(results[0]))
    for members, spread in evaluate.seed_summaries(results):
        low, high = spread.interval
        blocks.append(
            f"{members[0].run.recipe.network}, {spread.n} seeds: mean {spread.mean:.3%} ± {spread.sd:.3%} (sd), "
            f"95% interval of the mean {low:.3%} to {high:.3%}"
        )
    compared = evaluate.comparisons(results)
    if len(results) > 2:  # seeds of one recipe have their spread; that one is luckier than another says nothing
        compared = [pair for pair in compared if pair[0].run.recipe.family != pair[1].run.recipe.family]
    if compared:
        blocks.append(
            "\n".join(
                f"{first.run.name} is {test.verdict} {'with' if test.verdict == 'tied' else 'than'} {second.run.name}: "
                f"right alone {test.only_first} to {test.only_second}, p = {test.p_value:.2g}"
                for first, second, test in compared
            )
        )
    return "\n\n".join(blocks)


def personal(result: Personal) -> str:
    """Return what learning a hand brought, and what it cost."""
    changes = [("your pictures, each by a model that never saw it", result.own)]
    if result.known:
        changes.append((f"validation pictures of {result.run.recipe.dataset}", result.known))
    rows = [
        [title, f"{change.after['total']:,}", percent(change.before), percent(change.after), interval(change.after)]
        for title, change in changes
    ]
    return table(["", "pictures", "before", "after", "95% interval"], rows) + f"\n\nin {result.seconds:.1f} s"


def crossvalidation(result: CrossValidation) -> str:
    """Return the accuracy over all folds, and the labels most in doubt."""
    classes, doubts = catalog.find(result.recipe.dataset).classes, result.doubts
    folds = result.fold_accuracies
    ranked = zip(doubts.pictures, doubts.given, doubts.suggested, doubts.margin, strict=True)
    rows = [
        [f"{picture:,}", classes[given], classes[suggested], f"{margin:.3f}"]
        for picture, given, suggested, margin in itertools.islice(ranked, MOST_DOUBTFUL)
    ]
    return "\n".join(
        [
            f"{result.entry['correct']:,} of {result.entry['total']:,} development pictures right, each by a model "
            f"that never saw it: {percent(result.entry)} ({interval(result.entry)}), in {result.seconds:.0f} s",
            f"{len(folds)} folds: {min(folds):.2%} to {max(folds):.2%}",
            f"{len(doubts)} labels are in doubt, all of them in {result.folder / DOUBTFUL}; the most doubtful:",
            "",
            table(["picture", "label", "looks like", "margin"], rows),
        ]
    )


def _scores(name: str, entry: dict[str, Any]) -> list[str]:
    calibrated = entry.get("calibrated")
    return [
        name,
        entry["split"],
        f"{entry['correct']:,}/{entry['total']:,}",
        percent(entry),
        interval(entry),
        f"{entry['top2_accuracy']:.2%}",
        f"{entry['negative_log_likelihood']:.4f}",
        f"{entry['expected_calibration_error']:.4f}",
        f"{calibrated['expected_calibration_error']:.4f}" if calibrated else "-",
    ]


def _classes(result: Evaluation) -> str:
    names = catalog.find(result.run.recipe.dataset).classes
    few = len(names) <= WIDEST
    confusion = [
        ["|", *(str(count) if count else "." for count in row)] if few else [] for row in result.entry["confusion"]
    ]
    return table(
        ["true class", "precision", "recall", "F1", "pictures", *(["|", *names] if few else [])],
        [
            [
                name,
                *(f"{scores[key]:.4f}" for key in ("precision", "recall", "f1")),
                f"{scores['support']:,}",
                *row,
            ]
            for name, scores, row in zip(names, result.entry["per_class"], confusion, strict=True)
        ],
    )
