"""Searching: how fast, what two processes gain, what bookkeeping costs, and which search gets further.

`python -m benchmarks.search speed` (4 min): trials per minute, two processes against one, and the seconds per trial
that are neither training nor validating. `python -m benchmarks.search hyperband --seeds 3` (10 min): the time hyperband
needs to reach what 60 unpruned random trials find. `python -m benchmarks.search race --seeds 5` (3 min): grid, random
and TPE at equal trials on a space in which one of two dimensions hardly matters; its studies make a chapter of a
report.

All look at validation pictures alone.
"""

import argparse
import os
import tempfile
import time
from itertools import accumulate
from pathlib import Path

import numpy as np

from benchmarks import provenance
from tenfold import recipes
from tenfold.tune import space, space_file
from tenfold.tune.search import tune
from tenfold.tune.study import Prune, Question, Search, Trial

RACE = {  # six values of each make a grid of 36
    "learning_rate": {"low": 0.0005, "high": 0.5, "log": True, "points": 6},
    "warmup": {"low": 0.05, "high": 0.65, "points": 6},
}
RACE_TRIALS = 36
SMALL_TRIALS = 100


def default_space() -> space.Space:
    """Return the space that `tenfold tune` searches by default."""
    return space_file.load(space_file.default("random"), recipes.quick())


def speed() -> None:
    """Measure trials per minute with two processes and with one on one core, and the overhead per trial."""
    question, count = Question(default_space(), "random"), 30
    cores = os.sched_getaffinity(0)
    seconds = {}
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            os.sched_setaffinity(0, sorted(cores)[:jobs])  # a thread a process
            start = time.perf_counter()
            result = tune(question, trials=count, jobs=jobs, workspace=Path(folder), seeds=0)
            seconds[jobs] = time.perf_counter() - start
            os.sched_setaffinity(0, cores)
            trained = sum(trial.seconds for trial in result.trials)
            print(
                f"{jobs} process(es) of one thread: {count} trials in {seconds[jobs]:.1f} s, "
                f"{60 * count / seconds[jobs]:.1f} per minute; {trained:.1f} s of them in trials' trainings"
            )
    print(f"two processes are {seconds[1] / seconds[2]:.2f} times as fast as one")
    overheads: tuple[tuple[Search, Prune], ...] = (("random", "none"), ("tpe", "none"), ("tpe", "hyperband"))
    for kind, prune in overheads:
        with tempfile.TemporaryDirectory() as folder:
            each = overhead(kind, prune, Path(folder))
            print(f"overhead, {kind}, pruning {prune}: {1000 * each:.1f} ms per trial")


def overhead(kind: Search, prune: Prune, workspace: Path) -> float:
    """Return the seconds per trial that are neither training nor validating, from many short ones in this process."""
    base = recipes.override(recipes.quick(), ["train_size=1000", "validation_size=1000", "precision=float32"])
    question = Question(space_file.load(space_file.default(kind), base), kind, prune)
    tune(question, "first", 1, jobs=1, workspace=workspace, seeds=0)  # imports and reads
    start = time.perf_counter()
    result = tune(question, "short", SMALL_TRIALS, jobs=1, workspace=workspace, seeds=0)
    whole = time.perf_counter() - start
    return (whole - sum(trial.seconds for trial in result.trials)) / SMALL_TRIALS


def hyperband(seeds: int, jobs: int) -> None:
    """Measure the time to the best of 60 random trials, with hyperband and without, both counted in trials' seconds."""
    shares = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Path(folder)
            plain = tune(
                Question(default_space(), "random", seed=seed), "plain", 60, jobs=jobs, workspace=workspace, seeds=0
            )
            target = max(trial.accuracy or 0 for trial in plain.trials)
            whole = sum(trial.seconds for trial in plain.trials)
            pruned = Question(default_space(), "tpe", "hyperband", seed=seed)
            spent, reached, trials = 0.0, None, 0
            while reached is None and spent < 1.5 * whole:
                trials += 10
                result = tune(pruned, "pruned", trials, jobs=jobs, workspace=workspace, seeds=0)
                spent = sum(trial.seconds for trial in result.trials)
                reached = _reached(result.trials, target)
            shares.append((reached if reached is not None else spent) / whole)
            best = max(trial.accuracy or 0 for trial in result.trials if trial.state == "complete")
            cut = np.mean([trial.state == "pruned" for trial in result.trials])
            print(
                f"seed {seed}: 60 random trials found {target:.2%} in {whole:.0f} s; hyperband reached {best:.2%} "
                f"after {shares[-1]:.0%} of that ({len(result.trials)} trials, {cut:.0%} pruned)"
                + ("" if reached is not None else ", and did not reach it"),
                flush=True,
            )
    print(f"mean over {seeds} seeds: {np.mean(shares):.0%} of the time of 60 random trials")


def _reached(trials: list[Trial], target: float) -> float | None:
    """Return the seconds spent when a complete trial first was as good as the target."""
    clock = accumulate(trial.seconds for trial in trials)
    there = (at for at, best in zip(clock, _best_so_far(trials), strict=True) if best >= target)
    return next(there, None)


def _best_so_far(trials: list[Trial]) -> list[float]:
    return list(accumulate(((t.accuracy or 0) if t.state == "complete" else 0 for t in trials), max))


def race(seeds: int, jobs: int, workspace: Path) -> None:
    """Search one space by grid, at random and with TPE, several times with other draws and training seeds."""
    base = recipes.override(recipes.quick(), ["train_size=6000", "epochs=1"])
    searches: tuple[Search, ...] = ("grid", "random", "tpe")
    for kind in searches:
        best = []
        for seed in range(seeds):
            seeded = recipes.replace(base, seed=100 * seed)
            question, name = Question(space_file.parse(RACE, seeded), kind, seed=seed), f"race-{kind}-{seed}"
            result = tune(question, name, RACE_TRIALS, jobs=jobs, workspace=workspace, seeds=0)
            best.append(_best_so_far(result.trials))
        at = [len(best[0]) // 4, len(best[0]) // 2, len(best[0])]
        found = ", ".join(f"after {n}: {np.mean([b[n - 1] for b in best]):.2%}" for n in at)
        print(f"{kind:8s} best so far, mean of {seeds} seeds: {found} (sd {np.std([b[-1] for b in best], ddof=1):.2%})")
    print(f"tenfold report {workspace}/race-* --out race.html")


def main() -> None:
    """Measure what is named, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "hyperband", "race"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/race"))
    words = parser.parse_args()
    print(provenance())
    if words.what == "speed":
        speed()
    elif words.what == "hyperband":
        hyperband(words.seeds, words.jobs)
    else:
        race(words.seeds, words.jobs, words.out)


if __name__ == "__main__":
    main()
