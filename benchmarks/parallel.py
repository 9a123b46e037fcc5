"""One process with all threads beside several with one each, through torchrun: `python -m benchmarks.parallel`.

Both train the same recipe by the command line, by turns. The speed is that of the epochs after the first, by the clock
of the training, without validation; the loss is that of the last epoch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import provenance

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def train(recipe: str, out: Path, processes: int, threads: int, words: list[str]) -> tuple[float, dict[str, Any]]:
    """Train a run; return its pictures a second after the first epoch, and the last line of its history."""
    how = [*TORCHRUN, str(processes), "-m"] if processes > 1 else ["-m"]
    command = [sys.executable, *how, "tenfold", "train", "--recipe", recipe, "--out", str(out), *words]
    subprocess.run(command, capture_output=True, check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    first, *_, last = map(json.loads, (out / "history.jsonl").read_text().splitlines())
    pictures = json.loads((out / "recipe.json").read_text())["train_size"] * (last["epoch"] - first["epoch"])
    return pictures / (last["seconds"] - first["seconds"]), last


def main() -> None:
    """Measure each recipe both ways by turns, print a line a recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["quick", "standard", "strong"])
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--pictures", type=int, default=55_000)
    parser.add_argument("--epochs", type=int, default=3, help="two at least")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--precision", default="float32", help="the same both ways; auto would be chosen by each")
    given = parser.parse_args()
    changes = {"epochs": given.epochs, "train_size": given.pictures, "precision": given.precision}
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    count = given.processes
    print(provenance())
    print(f"{given.pictures:,} pictures, {given.epochs} epochs, by turns: {given.turns}; medians")
    print(f"recipe     1 process, {count} threads  {count} processes, 1 thread   gain  loss of each")
    for recipe in given.recipes:
        turns = []
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(given.turns):
                alone = train(recipe, Path(folder) / f"alone{turn}", 1, count, words)
                turns.append((alone, train(recipe, Path(folder) / f"shared{turn}", count, 1, words)))
        one, several = (statistics.median(pair[way][0] for pair in turns) for way in (0, 1))
        gain = statistics.median(shared[0] / alone[0] for alone, shared in turns)
        losses = "  ".join(f"{last['train_loss']:.4f}" for _, last in turns[-1])
        print(f"{recipe:<9} {one:>18,.0f} /s {several:>21,.0f} /s  {gain:>5.2f}  {losses}")


if __name__ == "__main__":
    main()
