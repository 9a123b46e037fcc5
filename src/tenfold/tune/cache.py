"""The cache of trainings: all trainings of all searches in a workspace, so that none is repeated.

`trained.jsonl`, next to the runs, has one line per training: its identity, the validation accuracy at each check and at
the end, and its seconds.
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
# Files that the weights of a training depend on. Even a changed comment makes the cache miss, which is the safe choice.
SOURCES = (
    "networks.py",
    "architectures.py",
    "recipes.py",
    "augment.py",
    "hardest.py",
    "similarity.py",
    "crossval.py",
    "data/*.py",
    "frameworks/**/*.py",
)


@dataclass(frozen=True)
class Training:
    """The validation accuracies of a training, and its seconds.

    `checks` are the accuracies at the first checks of `planned` ones; `accuracy` is the final one, or None if pruned.
    """

    checks: list[float]
    planned: int
    accuracy: float | None
    seconds: float

    @property
    def length(self) -> tuple[bool, int]:
        """The sort key of trainings of one recipe: a finished one is longer than any pruned one."""
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
            raise ValueError("a training must be pruned or finished")
        return self


def identity(recipe: Recipe, folds: int | None) -> str:
    """Return the SHA-256 of everything that determines a training's result: recipe, data, code, libraries and folds.

    The recipe's precision must not be `auto`, which depends on the machine.
    """
    data = [file.sha256 for file in catalog.find(recipe.dataset).files]
    parts = [recipe.hash, data, code_version(recipe.framework), folds]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def code_version(framework: str) -> str:
    """Return the SHA-256 of the code that a framework's training runs, and of the versions of its libraries."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(PACKAGE.glob(pattern)):
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    versions = runs.environment(frameworks.FRAMEWORKS[framework].packages)["versions"]
    digest.update(json.dumps({k: v for k, v in versions.items() if k != "tenfold"}).encode())
    return digest.hexdigest()


class Cache:
    """The cached trainings of a workspace, shared by all its searches."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / FILE
        self._known: dict[str, Training] = {}
        self._read = 0  # bytes of the file read so far

    def find(self, key: str) -> Training | None:
        """Return the training with that identity, the longest of several, or None."""
        if self.path.is_file() and self.path.stat().st_size > self._read:
            with open(self.path, "rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # incomplete: still being written, or from a killed writer
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
            return  # from a killed writer or another version: that training is repeated
        fields = dict(entry)
        key, training = fields.pop("identity"), Training(**fields)
        if key not in self._known or training.length > self._known[key].length:
            self._known[key] = training
