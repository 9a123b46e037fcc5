"""The cache of trainings: every training of every search in a workspace, so that none is done twice.

`trained.jsonl` beside the runs has a line per training: its identity, the validation accuracy at each check and at the
end, and the seconds that it took.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenfold import files, frameworks, runs
from tenfold.data import catalog
from tenfold.errors import TenfoldError
from tenfold.recipes import Recipe

FILE = "trained.jsonl"
PACKAGE = Path(__file__).parents[1]
Accuracy = Annotated[float, Field(ge=0, le=1)]
# What the weights of a training depend on; a change of a comment pays again, which is the safe side.
SOURCES = (
    "networks.py",
    "architectures.py",
    "recipes.py",
    "augment.py",
    "crossval.py",
    "data/*.py",
    "frameworks/**/*.py",
)


@dataclass(frozen=True)
class Training:
    """A training's validation accuracies, and its seconds.

    `checks` are those on the way, of `planned` ones; `accuracy` is that at its end, None if it was pruned before.
    """

    checks: list[float]
    planned: int
    accuracy: float | None
    seconds: float

    @property
    def length(self) -> tuple[bool, int]:
        """Order of trainings of one recipe: one that came to its end is longer than any that was pruned."""
        return self.accuracy is not None, len(self.checks)


class _Line(BaseModel):
    """A line of `trained.jsonl`: a training and its identity."""

    model_config = ConfigDict(extra="forbid")

    identity: str
    checks: list[Accuracy]
    planned: int
    accuracy: Accuracy | None
    seconds: float = Field(ge=0)

    @model_validator(mode="after")
    def _checked(self) -> "_Line":
        if self.accuracy is None and not self.checks:
            raise ValueError("neither pruned nor finished")
        return self


def identity(recipe: Recipe, folds: int | None) -> str:
    """Return the SHA-256 of all that a training's result follows from: recipe, data, code and libraries, and folds.

    The recipe's precision must be settled: `auto` is not the same everywhere.
    """
    data = [file.sha256 for file in catalog.find(recipe.dataset).files]
    parts = [recipe.hash, data, code_version(recipe.framework), folds]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def code_version(framework: str) -> str:
    """Return the SHA-256 of the code that a framework's trainings run, and of its libraries' versions."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(PACKAGE.glob(pattern)):
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    versions = runs.environment(frameworks.FRAMEWORKS[framework].packages)["versions"]
    digest.update(json.dumps({k: v for k, v in versions.items() if k != "tenfold"}).encode())
    return digest.hexdigest()


class Cache:
    """The trainings of a workspace, shared by all searches there."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / FILE
        self._known: dict[str, Training] = {}
        self._read = 0  # bytes of the file

    def find(self, key: str) -> Training | None:
        """Return the training of that identity, the longest where there are several; None where there is none."""
        if self.path.is_file() and self.path.stat().st_size > self._read:
            with open(self.path, "rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # being written, or cut short
                    self._read += len(line)
                    self._note(line)
        return self._known.get(key)

    def add(self, key: str, training: Training) -> None:
        """Add a training."""
        files.append_line(self.path, {"identity": key} | vars(training))

    def _note(self, line: bytes) -> None:
        try:
            entry = files.parse_json(line, _Line, self.path, "")
        except TenfoldError:
            return  # of a writer that was killed, or an earlier version's: that training is done again
        fields = dict(entry)
        key, training = fields.pop("identity"), Training(**fields)
        if key not in self._known or training.length > self._known[key].length:
            self._known[key] = training
