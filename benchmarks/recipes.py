"""Seeds of a recipe, trained on all 60,000 and scored on the test set: a record in `results.json`.

`python -m benchmarks.recipes standard --seeds 3`. The recipe was chosen on validation pictures; here it is frozen. The
figure is the mean over all seeds at the final epoch; the ledger beside the runs says when the test set was opened: once
all seeds are trained, and never again for those it was opened for.

A seed is a `tenfold train` of its own, so its whole time is that of the command. With `--jobs N`, N run at a time, each
on one core: for accuracies, and the seconds are those of one core. `--resume` continues an interrupted run.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import provenance, results
from tenfold import evaluate, networks, recipes, runs, scores, train
from tenfold.data import catalog
from tenfold.files import append_line, make_folder, write_json
from tenfold.recipes import Recipe
from tenfold.runs import Run
from tenfold.scores import Score
from tenfold.suited import suited

TIMES = "commands.jsonl"  # a line a seed that was trained in one go: the seconds of the whole command
COMMITTEE = "committee.json"  # all seeds as one: an entry of scores for each split


def train_seeds(words: argparse.Namespace, recipe: Recipe, folder: Path, assignments: list[str]) -> list[Run]:
    """Train the seeds that are not trained yet, each by a command of its own, and return the run of each."""
    folders = {seed: folder / f"seed{seed}" for seed in range(recipe.seed, recipe.seed + words.seeds)}
    begun = {seed: Run(place) for seed, place in folders.items() if (place / runs.RECIPE).is_file()}
    if begun and not words.resume:
        raise SystemExit(f"{folder} has seeds already; go on with --resume, or choose another --out")
    asked = ["--recipe", words.recipe, "--data", words.data]
    asked += [word for assignment in assignments for word in ("--set", assignment)]
    make_folder(folder)

    def one(seed: int) -> None:
        new = [*asked, "--seed", str(seed), "--out", str(folders[seed])]
        start = time.perf_counter()
        process = start_training(["--resume", str(folders[seed])] if seed in begun else new, words.jobs)
        started.append(process)
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"seed {seed} was not trained to its end: {(errors or '').strip()[-500:]}")
        if seed not in begun:
            append_line(folder / TIMES, {"seed": seed, "seconds": round(time.perf_counter() - start, 3)})
        print(f"seed {seed}: {Run(folders[seed]).environment['train_seconds']:.2f} s", flush=True)

    started: list[subprocess.Popen[str]] = []
    each(one, [seed for seed in folders if seed not in begun or not begun[seed].finished], words.jobs, started)
    return [Run(place) for place in folders.values()]


def start_training(arguments: list[str], jobs: int) -> "subprocess.Popen[str]":
    """Start `tenfold train`; of several at a time each has one thread, and what they say is kept for errors."""
    alone = jobs == 1
    return subprocess.Popen(
        [sys.executable, "-m", "tenfold", "train", *arguments],
        env=os.environ if alone else os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=None if alone else subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C comes to us alone, and we hand it on once
    )


def each(one: Callable[[int], None], seeds: Sequence[int], jobs: int, started: "list[subprocess.Popen[str]]") -> None:
    """Call `one` with each seed, `jobs` at a time; when that is stopped, stop the processes it `started` too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(one, seeds))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in started:
                process.terminate()  # they leave a checkpoint
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def on_test(trained: Sequence[Run], committee: bool) -> list[Score]:
    """Return each run's scores on the test set, which is opened for those that have none.

    With `committee`, what all score as one is kept beside them; where that is not there yet, the set is opened for all.
    """
    kept = trained[0].folder.parent / COMMITTEE
    asked = list(trained) if committee and not kept.is_file() else [run for run in trained if not run.score("test")]
    if asked:
        answered = evaluate.evaluate(asked, test=True, who="benchmarks.recipes")
        if committee:
            validation = [evaluate.validate(run) for run in trained if run.recipe.validation_size]
            write_json(
                kept, scores.documents([evaluate.committee(results) for results in (validation, answered) if results])
            )
    return [score for run in trained if (score := run.score("test"))]


def records_of(key: str, title: str, trained: Sequence[Run], committee: bool = False) -> list[results.Record]:
    """Return the record of the seeds of one recipe, and with `committee`, behind it, that of all of them as one.

    A committee takes the seconds, the parameters and the multiply-adds of all its members.
    """
    recipe, environments = trained[0].recipe, [run.environment for run in trained]
    machine = results.machine(environments[0])
    for name in ("processor", "threads"):
        if len(found := {environment[name] for environment in environments}) > 1:
            raise SystemExit(f"the seeds were trained with other {name}: {found}; choose another --out for one of them")
    machine["precision"] = " and ".join(sorted({environment["precision"] for environment in environments}))
    folder = trained[0].folder.parent
    lines = read_lines(folder / TIMES)
    seconds = {line["seed"]: line["seconds"] for line in lines}
    measured = on_test(trained, committee)
    took = [environment["train_seconds"] for environment in environments]

    def record(
        name: str, accuracies: list[float], train: list[float], whole: list[float], members: int
    ) -> results.Record:
        return results.make(
            f"{key} {name}".strip(),
            recipe.dataset,
            f"{title}, {name}" if name else title,
            accuracies=accuracies,
            train_seconds=train,
            command_seconds=whole,
            parameters=members * networks.parameter_count(recipe.layers()),
            multiply_adds=members * networks.multiply_adds(recipe.layers()),
            training_multiply_adds=members * networks.training_multiply_adds(recipe.layers()),
            pictures=pictures_trained_on(recipe),
            commit=" and ".join(sorted({str(environment["commit"]) for environment in environments})),
            machine=machine,
        )

    whole = [seconds[run.recipe.seed] for run in trained if run.recipe.seed in seconds]
    made = [record("", [score.accuracy for score in measured], took, whole, 1)]
    if committee:
        score = scores.read(folder / COMMITTEE, len(catalog.find(recipe.dataset).classes))[-1]
        made.append(record(score.scoring, [score.accuracy], [sum(took)], [], len(trained)))
    return made


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return what each line of a file of JSON lines holds; nothing where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def pictures_trained_on(recipe: Recipe) -> int:
    """Return how many pictures all steps take together."""
    count = len(train.split_for(recipe).train)
    whole, steps = divmod(recipe.steps(count), recipe.steps_per_epoch(count))
    return whole * count + min(steps * recipe.batch_size, count)


def main() -> None:
    """Train, evaluate, record, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=recipes.RECIPES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", choices=catalog.CATALOG, default=catalog.MNIST.name)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time, each on one core")
    parser.add_argument("--resume", action="store_true", help="continue after an interruption")
    parser.add_argument("--committee", action="store_true", help="also score all seeds as one, in a record of its own")
    parser.add_argument("--key", help="name of the record (default: DATASET/RECIPE and the changes by --set)")
    parser.add_argument("--title", help="title of the record (default: the recipe's name)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--results", type=Path, default=results.FILE)
    words = parser.parse_args()
    print(provenance())
    assignments = ["validation_size=0", *words.assignments]
    recipe = suited(recipes.find(words.recipe), catalog.find(words.data), assignments)
    try:
        trained = train_seeds(words, recipe, words.out / recipe.hash[:12], assignments)
    except KeyboardInterrupt:
        print("stopped; to continue, run the same command with --resume", file=sys.stderr)
        sys.exit(130)
    key = words.key or results.named(f"{words.data}/{words.recipe}", words.assignments)
    title = words.title or results.named(words.recipe, words.assignments)
    for record in records_of(key, title, trained, words.committee):
        results.save(record, words.results)
        print(results.told(record))


if __name__ == "__main__":
    main()
