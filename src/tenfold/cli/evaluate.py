"""`tenfold evaluate`: scores of runs, on validation pictures or on the sealed test set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Figure, Json
from tenfold.cli._output import draw, show, table, wrote

if TYPE_CHECKING:
    import matplotlib.figure

    from tenfold.evaluate import Evaluation
    from tenfold.runs import Run
    from tenfold.scores import Score

WIDEST = 20  # most classes for which the confusion matrix is shown


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs; several runs are compared.")],
    test: Annotated[
        bool, typer.Option("--test", help="Open the sealed test set, and record that in the ledger.")
    ] = False,
    committee: Annotated[
        bool, typer.Option("--committee", help="Also score the runs as one model that averages their probabilities.")
    ] = False,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Score runs on validation pictures, or on the test set.

    Example: tenfold evaluate runs/quick-seed0 runs/standard-seed0
    """
    from tenfold import progress
    from tenfold.runs import find

    opened = [run for path in runs for run in find(path, progress.for_terminal())]
    results = score(opened, test, as_json, committee)
    drawn = draw(figure, lambda: drawing(results))
    wrote(as_json, *(one.folder / "scores.json" for one in opened), *drawn)


def score(opened: "list[Run]", test: bool, as_json: bool, committee: bool = False) -> "list[Evaluation]":
    """Score runs and print the scores; with `committee`, also score all runs as one model."""
    from tenfold import evaluate as stage
    from tenfold import progress

    if committee:  # refused before the test set is opened
        stage.require_committee([stage.questions(run, test) for run in opened])
    who = "tenfold evaluate --test" + (" --committee" if committee else "")
    results = stage.evaluate(opened, test, who, progress.for_terminal())
    documents = [
        {"name": one.run.name, "train_seconds": one.run.environment.get("train_seconds"), **one.score.document()}
        for one in results
    ]
    together = stage.committee(results, who) if committee else None
    if together:
        documents.append({"name": together.scoring, "runs": [run.name for run in opened], **together.document()})
    show(as_json, lambda: text(results, together), documents)
    return results


def text(results: "Sequence[Evaluation]", committee: "Score | None" = None) -> str:
    """Return scores, the classes of a single run, the spread over seeds, and pairwise comparisons.

    The score of the `committee`, if given, is the last row.
    """
    from tenfold import evaluate
    from tenfold.scores import metrics

    named = [(result.run.name, result.score) for result in results]
    if committee:
        named.append((committee.scoring, committee))
    titles, cells = metrics([score for _, score in named])
    rows = [[name, score.split, *row] for (name, score), row in zip(named, cells, strict=True)]
    blocks = [table(["run", "split", *titles], rows)]
    if len(results) == 1:
        blocks.append(_classes(results[0]))
    for members, spread in evaluate.seed_summaries(results):
        low, high = spread.interval
        blocks.append(
            f"{members[0].run.recipe.network}, {spread.n} seeds: mean {spread.mean:.3%} ± {spread.sd:.3%} (sd), "
            f"95% interval of the mean {low:.3%} to {high:.3%}"
        )
    compared = evaluate.comparisons(results)
    if len(results) > 2:  # seeds of one recipe have their spread instead: which seed was luckier says nothing
        compared = [pair for pair in compared if pair[0].run.recipe.family != pair[1].run.recipe.family]
    if compared:
        blocks.append(
            "\n".join(
                f"{first.run.name} is {test.verdict} {'with' if test.verdict == 'tied' else 'than'} {second.run.name}: "
                f"only the first is right on {test.only_first} pictures, only the second on {test.only_second}, "
                f"p = {test.p_value:.2g}"
                for first, second, test in compared
            )
        )
    if len({result.pictures for result in results}) > 1:
        blocks.append("runs that were scored on different pictures are not compared")
    return "\n\n".join(blocks)


def drawing(results: "Sequence[Evaluation]") -> "matplotlib.figure.Figure":
    """Draw the confusion matrix of one run, or the intervals of several with the verdicts."""
    from tenfold import evaluate
    from tenfold.data import catalog
    from tenfold.report.figures import confusion, trust

    if len(results) == 1:
        classes = catalog.find(results[0].run.recipe.dataset).classes
        return confusion.matrix(results[0].score.matrix, classes)
    rows = [trust.Row(one.run.name, one.score.split, one.score.accuracy, one.score.interval) for one in results]
    place = {id(one): at for at, one in enumerate(results)}
    compared = [(place[id(first)], place[id(second)], test) for first, second, test in evaluate.comparisons(results)]
    return trust.forest(rows, compared)


def _classes(result: "Evaluation") -> str:
    from tenfold.data import catalog

    names = catalog.find(result.run.recipe.dataset).classes
    few = len(names) <= WIDEST
    confusion = [
        ["|", *(str(count) if count else "." for count in row)] if few else [] for row in result.score.confusion
    ]
    return table(
        ["true class", "precision", "recall", "F1", "pictures", *(["|", *names] if few else [])],
        [
            [
                name,
                *(f"{value:.4f}" for value in (one.precision, one.recall, one.f1)),
                f"{one.support:,}",
                *row,
            ]
            for name, one, row in zip(names, result.score.per_class, confusion, strict=True)
        ],
    )
