"""The file of a `tenfold run`, `life-N.json`: its settings, its plan, and the results so far."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tenfold import files
from tenfold.baselines import BaselineScore
from tenfold.errors import UsageError
from tenfold.recipes import Recipe


class LifeFile(BaseModel):
    """A life: baselines, recipes, and whether to write a report; later also scores and the chosen run."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    device: str
    minutes: float | None = None
    baseline_names: list[str]
    recipes: list[Recipe] = Field(min_length=1)
    report: bool
    baselines: list[BaselineScore] | None = None
    chosen: str | None = None

    def same(self, other: "LifeFile") -> bool:
        """Return True if both have the same settings. Results and the plan made for a time limit are ignored."""
        asked = ["dataset", "device", "minutes"]
        asked += ["baseline_names", "recipes", "report"] if self.minutes is None else []
        return all(getattr(self, name) == getattr(other, name) for name in asked)

    def write(self, file: Path) -> None:
        """Write the file atomically."""
        files.write_json(file, self.model_dump(mode="json"))


def read(file: Path) -> LifeFile:
    """Return the life that a file describes; raise `UsageError` if it is missing, `TenfoldError` if it is damaged."""
    try:
        return files.read_json(file, LifeFile, "give a life-N.json that `tenfold run` wrote")
    except FileNotFoundError:
        raise UsageError(f"{file} does not exist; leave --resume out to start a new life") from None
