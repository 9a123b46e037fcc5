"""The material of a report: runs, lives, cross-validations and studies, scored on validation pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenfold import crossval, evaluate, life, runs, train
from tenfold.baselines import BaselineScore
from tenfold.crossval import CrossValidation
from tenfold.data.split import LEDGER, Split, openings
from tenfold.errors import TenfoldError, UsageError
from tenfold.evaluate import Evaluation
from tenfold.progress import SILENT, Progress
from tenfold.runs import Run
from tenfold.tune import study
from tenfold.tune.study import Result


@dataclass(frozen=True)
class Material:
    """All that the given paths hold.

    `evaluations` are on the validation pictures of `main`, the best run; `pictures` are those of its training and
    validation; `openings` the lines of the ledgers beside the runs. `notes` say what is missing.
    """

    runs: list[Run]
    baselines: list[BaselineScore]
    crossvalidations: list[CrossValidation]
    studies: list[Result]
    evaluations: list[Evaluation]
    pictures: Split | None
    openings: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def main(self) -> Evaluation | None:
        """The evaluation of the run that validation chooses."""
        if not self.evaluations:
            return None
        chosen = evaluate.choose(self.evaluations)
        return next(evaluation for evaluation in self.evaluations if evaluation.run is chosen)

    @property
    def by_recipe(self) -> list[Evaluation]:
        """One evaluation per recipe, of its first seed, `main` first: models to compare."""
        first = {evaluation.run.recipe.family: evaluation for evaluation in reversed(self.evaluations)}
        return sorted(first.values(), key=lambda evaluation: evaluation is not self.main)


def gather(paths: Sequence[Path], progress: Progress = SILENT) -> Material:
    """Read runs, folders of runs, `life-N.json` files, cross-validations and studies; score what is finished.

    Raises `UsageError` for a path that is none of them, or where nothing is left to show.
    """
    members: list[Run] = []
    classical: list[BaselineScore] = []
    crossvalidations: list[CrossValidation] = []
    studies: list[Result] = []
    notes: list[str] = []
    for path in paths:
        if path.is_file():
            classical += life.read(path).baselines or []
            found = path.parent.glob(f"{path.stem}-*/{runs.RECIPE}")
            members += [Run(file.parent) for file in sorted(found)]
        elif (path / crossval.CROSSVAL).is_file():
            crossvalidations.append(crossval.load(path))
        elif (path / study.FILE).is_file():
            studies.append(study.load(path))
            members += [Run(folder) for folder in studies[-1].final_runs]
        else:
            members += runs.find(path, progress)
    if not members and not crossvalidations and not studies:
        raise UsageError("there is no run to report on yet; train one first: tenfold train")
    evaluations = _evaluations(members, notes, progress)
    parts: list[Run | CrossValidation | Result] = [*members, *crossvalidations, *studies]
    folders = [part.folder for part in parts]
    pictures = train.split_for(evaluations[0].run.recipe, progress) if evaluations else None
    return Material(members, classical, crossvalidations, studies, evaluations, pictures, _openings(folders), notes)


def _evaluations(members: list[Run], notes: list[str], progress: Progress) -> list[Evaluation]:
    """Score the runs that can be scored; note the reason for the others."""
    finished = []
    for run in members:
        if not run.finished:
            notes.append(
                f"{run.name} is not finished: {run.history[-1]['epoch'] if run.history else 0:g} of "
                f"{run.recipe.epochs:g} epochs are written down; "
                f"resume with: tenfold train --resume {run.folder}"
            )
        elif not run.recipe.validation_size:
            notes.append(f"{run.name} was trained on every picture: there are none to validate it on")
        else:
            finished.append(run)
    results: list[Evaluation] = []
    for run in finished:
        try:
            results += evaluate.evaluate([run], progress=progress)
        except TenfoldError as error:
            notes.append(f"{run.name} cannot be scored: {error}")
    if not results:
        return []
    first = results[0]
    notes.extend(
        f"{other.run.name} was validated on other pictures than {first.run.name}; it is left out"
        for other in results
        if other.pictures != first.pictures
    )
    same = [other for other in results if other.pictures == first.pictures]
    if len(same) == 1:
        notes.append("one finished run: there is no spread over seeds and no other model to compare with")
    return same


def _openings(folders: list[Path]) -> list[dict[str, Any]]:
    ledgers = {folder.resolve().parent / LEDGER for folder in folders}
    lines = [line for ledger in sorted(ledgers) for line in openings(ledger)]
    return sorted(lines, key=lambda opening: str(opening["when"]))
