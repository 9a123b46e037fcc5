"""Training beside other work: how OpenMP's threads should wait. `python -m benchmarks.busy [--seeds 3]`.

Seconds of training `quick`, first on a quiet machine, then beside one process that keeps a core busy; each setting in
a process of its own, ended after a minute. Run it on two cores with nothing else on them.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import provenance

LIMIT = 60.0  # seconds
SETTINGS: dict[str, dict[str, str]] = {
    "Tenfold's default": {},
    "OpenMP's default": {"GOMP_SPINCOUNT": "300000"},  # in the manual of libgomp
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "no spinning": {"GOMP_SPINCOUNT": "0"},
    "10,000 turns": {"GOMP_SPINCOUNT": "10000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
TRAIN = """
import sys, tempfile, tenfold
from pathlib import Path
from tenfold import recipes, train
for seed in range(int(sys.argv[1])):
    with tempfile.TemporaryDirectory() as folder:
        run = train.train(recipes.replace(recipes.quick(), seed=seed), Path(folder) / "run")
        print(f"{run.environment['train_seconds']:.2f}", flush=True)
"""


@contextmanager
def neighbour() -> Iterator[None]:
    """Keep one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def seconds(setting: dict[str, str], seeds: int) -> str:
    """Return the seconds of each training, as far as they ended in time."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(seeds)], env=unset | setting, stdout=subprocess.PIPE, text=True
    )
    try:
        out, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
    done = out.split()
    return ", ".join(done) + ("" if len(done) == seeds else f" ({seeds - len(done)} not done in {LIMIT:.0f} s)")


def main() -> None:
    """Print a row per setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    print(provenance())
    print(f"{'setting':<20}{'quiet':<30}one busy process")
    for name, setting in SETTINGS.items():
        quiet = seconds(setting, seeds)
        with neighbour():
            beside = seconds(setting, seeds)
        print(f"{name:<20}{quiet:<30}{beside}", flush=True)


if __name__ == "__main__":
    main()
