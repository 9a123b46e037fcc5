"""The run that comes along, put in its place: `python -m benchmarks.ship runs/best`.

It is what `predict` and `serve` use where no model is named. From nothing, it is made by

    tenfold train --recipe best --out runs/best
    tenfold evaluate --test runs/best
    python -m benchmarks.ship runs/best

Only a finished run of the recipe `best`, whatever its seed, with scores on validation pictures and on the test set, is
taken. What export and the report need besides stays behind; of these files each is copied byte by byte.
"""

import argparse
from pathlib import Path

from tenfold import files, recipes
from tenfold.errors import TenfoldError, UsageError
from tenfold.predict import SHIPPED
from tenfold.runs import ENVIRONMENT, HISTORY, RECIPE, SCORES, WEIGHTS, Run

FILES = (WEIGHTS, HISTORY, SCORES, ENVIRONMENT, RECIPE)


def require_shippable(run: Run) -> None:
    """Raise `UsageError` for a run that may not come along, `TenfoldError` for one that is damaged."""
    if run.recipe.family != recipes.find("best").family:
        raise UsageError(f"{run.folder} is of another recipe than best; only the seed may differ")
    run.weights()
    steps = [epoch["step"] for epoch in run.history]
    if not steps or steps != sorted(set(steps)):
        raise UsageError(f"the history of {run.folder} is not that of one training: its steps are {steps}")
    scores = {entry["split"]: entry for entry in run.scores if entry["scoring"] == "plain"}
    if "threshold" not in scores.get("validation", {}) or "test" not in scores:
        raise UsageError(f"{run.folder} lacks scores; first: tenfold evaluate --test {run.folder}")


def copy(run: Run, out: Path) -> dict[str, int]:
    """Copy what comes along of a run to the folder `out`, leave nothing else there, and return the bytes of each."""
    contents = {name: (run.folder / name).read_bytes() for name in FILES}
    files.make_folder(out)
    for name, content in contents.items():
        with files.atomic(out / name) as file:
            file.write(content)
    for path in out.iterdir():
        if path.name not in FILES:
            path.unlink()
    return {name: len(content) for name, content in contents.items()}


def main() -> None:
    """Check, copy, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    words = parser.parse_args()
    try:
        run = Run(words.run)
        require_shippable(run)
    except TenfoldError as error:
        raise SystemExit(str(error)) from None
    sizes = copy(run, SHIPPED)
    for name, size in (sizes | {"all of it": sum(sizes.values())}).items():
        print(f"{size:>10,} bytes  {name}")
    for entry in run.scores:
        print(f"{entry['split']}: {entry['correct']:,} of {entry['total']:,} right")
    print(f"wrote {SHIPPED}")


if __name__ == "__main__":
    main()
