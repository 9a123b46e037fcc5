"""The file of a life, `life-N.json`: what was asked, the plan, and what of it is done."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tenfold import files
from tenfold.baselines import BaselineScore
from tenfold.errors import UsageError
from tenfold.recipes import Recipe


class LifeFile(BaseModel):
    """A life: names of baselines, recipes of the runs, if a report is written; later scores and the chosen run."""

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
        """Return True if both were asked the same, whatever of it is done; what a budget fits is no part of that."""
        asked = ["dataset", "device", "minutes"]
        asked += ["baseline_names", "recipes", "report"] if self.minutes is None else []
        return all(getattr(self, name) == getattr(other, name) for name in asked)

    def write(self, file: Path) -> None:
        """Write it, atomically."""
        files.write_json(file, self.model_dump(mode="json"))


def read(file: Path) -> LifeFile:
    """Return the life that a file describes; `UsageError` where there is none, `TenfoldError` where it is damaged."""
    try:
        return files.read_json(file, LifeFile, "give a life-N.json that `tenfold run` wrote")
    except FileNotFoundError:
        raise UsageError(f"there is no {file}; leave --resume out to begin a new life") from None
