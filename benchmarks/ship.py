"""The runs that come along, put in their place: `python -m benchmarks.ship FOLDER`.

They are what `predict` and `serve` use where no model is named. From nothing, they are made by

    python -m benchmarks.recipes best --seeds 5 --committee --set validation_size=5000 --jobs 2
    python -m benchmarks.ship runs/benchmarks/…

the folder that the first one names. Only finished runs of the recipe `best` that differ in nothing but the seed, with
scores on validation pictures and on the test set, each its own and those of the committee, are taken. The first comes
along for itself, too. What export and the report need besides stays behind; all is copied byte by byte.
"""

import argparse
import json
from pathlib import Path

from benchmarks.recipes import COMMITTEE as SCORES_OF_ALL
from tenfold import files, recipes
from tenfold.errors import TenfoldError, UsageError
from tenfold.predict import COMMITTEE, SHIPPED
from tenfold.runs import ENVIRONMENT, HISTORY, RECIPE, SCORES, WEIGHTS, Run
from tenfold.scores import Score

FILES = (WEIGHTS, HISTORY, SCORES, ENVIRONMENT, RECIPE)


def require_shippable(run: Run) -> None:
    """Raise `UsageError` for a run that may not come along, `TenfoldError` for one that is damaged."""
    if run.recipe.family != recipes.find("best").family:
        raise UsageError(f"{run.folder} is of another recipe than best; only the seed may differ")
    run.weights()
    steps = [epoch["step"] for epoch in run.history]
    if not steps or steps != sorted(set(steps)):
        raise UsageError(f"the history of {run.folder} is not that of one training: its steps are {steps}")
    if not run.score("validation") or not run.score("test"):
        raise UsageError(f"{run.folder} lacks scores; first: tenfold evaluate --test {run.folder}")


def copy(contents: dict[Path, bytes], out: Path) -> None:
    """Write files below the folder `out`, and leave nothing else there."""
    for name, content in contents.items():
        files.make_folder((out / name).parent)
        with files.atomic(out / name) as file:
            file.write(content)
    for path in sorted(out.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(out) not in contents:
            path.unlink()


def main() -> None:
    """Check, copy, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with a run folder a seed, and the scores of all as one")
    words = parser.parse_args()
    try:
        members = sorted((Run(folder) for folder in words.folder.glob("seed*")), key=lambda run: run.recipe.seed)
        for run in members:
            require_shippable(run)
        if len(members) < 2 or not (words.folder / SCORES_OF_ALL).is_file():
            raise UsageError(f"{words.folder} holds no committee: {len(members)} runs, and {SCORES_OF_ALL}")
    except TenfoldError as error:
        raise SystemExit(str(error)) from None
    first, *others = members
    copy({Path(name): (first.folder / name).read_bytes() for name in FILES}, SHIPPED)
    together = {Path(run.name) / name: (run.folder / name).read_bytes() for run in others for name in FILES}
    copy(together | {Path(SCORES): (words.folder / SCORES_OF_ALL).read_bytes()}, COMMITTEE)
    for place in (SHIPPED, COMMITTEE):
        print(f"{sum(path.stat().st_size for path in place.rglob('*') if path.is_file()):>10,} bytes  {place.name}")
        for score in Score.read(json.loads((place / SCORES).read_text()), place / SCORES):
            print(f"  {score.split}, {score.scoring}: {score.correct:,} of {score.total:,} right")


if __name__ == "__main__":
    main()
