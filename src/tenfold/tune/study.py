"""A study as a plain value, without Optuna: its question, trials, importances and final comparison."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from tenfold import files
from tenfold.data import catalog
from tenfold.errors import UsageError
from tenfold.recipes import Recipe
from tenfold.statistics import Difference
from tenfold.tune import space_file
from tenfold.tune.space import Point, Space

Search = Literal["grid", "random", "tpe"]
State = Literal["waiting", "running", "complete", "pruned", "failed"]
Prune = Literal["none", "median", "hyperband"]
FILE = "study.json"
FORMAT = 2  # version of a study in a storage; version 1 had several writers
CHECKS = 9  # least checks of a training with pruning: 3 x 3, because hyperband divides by 3
FINALISTS, SEEDS = 2, 5  # number of best trials, and of fresh seeds for each


@dataclass(frozen=True)
class Question:
    """The question of a study. Commands with the same question continue the same study.

    The score of a trial is the validation accuracy of a point of the space: the mean over `repeats` consecutive seeds,
    from the recipe's on, or over the `folds` of a cross-validation. `seed` is the random seed of the sampler.
    """

    space: Space
    search: Search = "tpe"
    prune: Prune = "none"
    repeats: int = 1
    folds: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.repeats < 1 or (self.folds is not None and (self.folds < 2 or self.repeats > 1)):
            raise UsageError("--repeats must be at least 1, --folds at least 2, and only one of them may be given")
        pictures = catalog.find(self.space.base.dataset).development_size
        if self.folds and self.folds > pictures:
            raise UsageError(f"--folds must be at most {pictures:,}, the number of pictures, got {self.folds}")
        if self.folds and self.prune != "none":
            raise UsageError("--prune and --folds cannot be combined; leave one of them out")
        if self.space.base.validation_size == 0:
            raise UsageError("a search needs validation pictures; set some aside, as with --set validation_size=5000")
        if self.search == "grid":
            self.space.grid()  # raises for a range without step or points

    @property
    def checks(self) -> int:
        """The number of pruning checks per training: one per epoch of the longest training, but at least `CHECKS`."""
        if self.prune == "none":
            return 0
        sampled = [parameter for parameter in self.space.parameters if parameter.key == "epochs"]
        longest = max([self.space.base.epochs, *(float(v) for p in sampled for v in (p.choices or (p.high,)))])
        return max(CHECKS, math.ceil(longest))

    @property
    def document(self) -> dict[str, Any]:
        """The question as a plain value, for `parse` to read."""
        own = {key: value for key, value in vars(self).items() if key != "space"}
        recipe, space = self.space.base.model_dump(), self.space.document
        document: dict[str, Any] = json.loads(json.dumps({"recipe": recipe, "space": space, **own}))
        return document

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Question":
        """Return the question described by a document."""
        own = dict(_Question.model_validate(document))
        base = own.pop("recipe")
        return cls(space_file.parse(own.pop("space"), base), **own)


class _Question(BaseModel):
    """A question in JSON; see `Question`."""

    recipe: Recipe
    space: dict[str, JsonValue]
    search: Search
    prune: Prune
    repeats: int
    folds: int | None
    seed: int = Field(ge=0)


@dataclass(frozen=True)
class Trial:
    """A point of the space and its result.

    `accuracy` is the latest one, or None before the first; `seconds` is the time of its trainings, on any machine;
    `checks` are the accuracies on which pruning decided. `reused` is True if its trainings came from the cache.
    """

    number: int
    point: Point
    state: State
    accuracy: float | None = None
    seconds: float = 0.0
    checks: Sequence[float] = ()
    reused: bool = False
    reason: str | None = None

    @property
    def finished(self) -> bool:
        """True if the trial has ended."""
        return self.state in ("complete", "pruned", "failed")


@dataclass(frozen=True)
class Result:
    """The state of a study: its folder, question, trials, importances and final comparison.

    `importances` maps parameters to their importance (PED-ANOVA); it is empty if there are too few trials. `final` is
    the result of `finalists.verdict`, or None before it.
    """

    folder: Path
    question: Question
    trials: list[Trial]
    importances: dict[str, float]
    final: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The study's name."""
        return self.folder.resolve().name

    @property
    def document(self) -> dict[str, Any]:
        """The study as a plain value, the content of `study.json`."""
        return {
            "name": self.name,
            "question": self.question.document,
            "trials": [vars(trial) for trial in self.trials],
            "importances": self.importances,
            "final": self.final,
        }

    def write(self) -> None:
        """Write `study.json`."""
        files.write_json(self.folder / FILE, self.document)

    @property
    def final_runs(self) -> list[Path]:
        """The run folders of the final."""
        models = self.final["models"] if self.final else []
        return [self.folder.parent / name for model in models for name in model["runs"]]


class _Finalist(BaseModel):
    """A model of the final in JSON; see `finalists.verdict`."""

    trial: int
    point: Point
    recipe: Recipe
    runs: list[str] = Field(min_length=1)
    accuracies: list[float]
    mean: float
    sd: float
    interval: tuple[float, float]
    train_seconds: float


class _Final(BaseModel):
    """The final in JSON."""

    models: list[_Finalist] = Field(min_length=1, max_length=FINALISTS)
    comparison: Difference | None = None

    @model_validator(mode="after")
    def _compared(self) -> "_Final":
        if self.comparison and len(self.models) < FINALISTS:
            raise ValueError("a comparison needs two models")
        return self

    @property
    def document(self) -> dict[str, Any]:
        """The final as the plain value of `finalists.verdict`."""
        return {key: part for key, part in self.model_dump(mode="json").items() if part is not None}


class _Study(BaseModel):
    """A `study.json`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    question: _Question
    trials: list[Trial]
    importances: dict[str, float]
    final: _Final | None

    @model_validator(mode="after")
    def _measured(self) -> "_Study":
        for trial in self.trials:
            if not 0 <= (trial.accuracy or 0) <= 1 or (trial.state == "complete" and trial.accuracy is None):
                raise ValueError(f"the accuracy of trial {trial.number} is invalid")
        return self


def ranked(of: Sequence[Trial]) -> list[Trial]:
    """Return the complete trials, the best first; of equal trials, the earlier one first."""
    return sorted((t for t in of if t.state == "complete"), key=lambda t: (-(t.accuracy or 0), t.number))


def load(folder: Path) -> Result:
    """Return the study in a folder, from its `study.json`; raise `UsageError` if there is none."""
    path = folder / FILE
    try:
        found = files.read_json(path, _Study, "run the command that made it again to restore it")
    except FileNotFoundError:
        raise UsageError(f"{folder} is not a study: it has no {FILE}") from None
    question = Question.parse(found.question.model_dump())
    final = found.final.document if found.final else None
    return Result(folder, question, found.trials, found.importances, final)
