"""The bundled runs, put in their place: `python -m benchmarks.ship FOLDER`.

They are what `predict`, `score` and `serve` use where no model is named. docs/reproduce.md has the commands that make
them from nothing. Only finished runs of the recipe `hands`, trained from zero or fine-tuned, that differ in nothing but
the seed are taken, with scores on validation pictures and on the test set. The first is bundled for itself, too. What
export and the report need besides stays behind; all is copied byte by byte, and the scores of the committee are added.
"""

import argparse
import json
from pathlib import Path

from tenfold import evaluate, files, recipes, scores
from tenfold.data import catalog
from tenfold.errors import TenfoldError, UsageError
from tenfold.predict import COMMITTEE, SHIPPED
from tenfold.runs import ENVIRONMENT, HISTORY, RECIPE, SCORES, WEIGHTS, Run

WHO = "benchmarks.hands"  # opened the test set before
FILES = (WEIGHTS, HISTORY, SCORES, ENVIRONMENT, RECIPE)
TUNED = ("epochs", "learning_rate", "muon", "averaging", "initial_weights")  # are others in a run that is fine-tuned


def require_shippable(run: Run) -> None:
    """Raise `UsageError` for a run that may not be bundled, `TenfoldError` for one that is damaged."""
    hands = recipes.find("hands")
    recipe = run.recipe
    if recipe.initial_weights:
        recipe = recipes.replace(recipe, **{name: getattr(hands, name) for name in TUNED})
    if recipe.family != hands.family:
        raise UsageError(f"{run.folder} is of another recipe than hands; only the seed may differ")
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
    parser.add_argument("folder", type=Path, help="with a run folder for each seed: seed0, seed1, …")
    words = parser.parse_args()
    try:
        members = sorted((Run(folder) for folder in words.folder.glob("seed*")), key=lambda run: run.recipe.seed)
        for run in members:
            require_shippable(run)
        if len(members) < 2:
            raise UsageError(f"{words.folder} holds no committee: {len(members)} runs")
        answered = [[evaluate.validate(run) for run in members], evaluate.evaluate(members, test=True, who=WHO)]
        together = scores.documents([evaluate.committee(results, WHO) for results in answered])
    except TenfoldError as error:
        raise SystemExit(str(error)) from None
    first, *others = members
    copy({Path(name): (first.folder / name).read_bytes() for name in FILES}, SHIPPED)
    rest = {Path(run.name) / name: (run.folder / name).read_bytes() for run in others for name in FILES}
    copy(rest | {Path(SCORES): json.dumps(together, indent=2).encode() + b"\n"}, COMMITTEE)
    for place in (SHIPPED, COMMITTEE):
        print(f"{sum(path.stat().st_size for path in place.rglob('*') if path.is_file()):>10,} bytes  {place.name}")
        for score in scores.read(place / SCORES, len(catalog.find(first.recipe.dataset).classes)):
            print(f"  {score.split}, {score.scoring}: {score.correct:,} of {score.total:,} right")


if __name__ == "__main__":
    main()
