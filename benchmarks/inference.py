"""ONNX Runtime on what was exported, beside what trained it: how fast. `python -m benchmarks.inference`.

A run (one of `quick` is trained if none is named) is exported in each precision. ONNX Runtime with these files and
PyTorch then answer the same development pictures by turns, in one process: each round asks every engine once, and the
medians over the rounds are printed. ONNX Runtime gives logits and probabilities, PyTorch logits.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import provenance
from tenfold import recipes, train
from tenfold.console import table
from tenfold.data import catalog
from tenfold.data.split import gate_pictures
from tenfold.export import PRECISIONS, export
from tenfold.frameworks import exported, pytorch
from tenfold.runs import Run

SINGLES = 500  # pictures asked one by one in a round
Engine = Callable[[np.ndarray], object]


def onnx_runtime(path: Path, threads: int) -> Engine:
    """Return the exported file as a function of uint8 images `[N, 28, 28]`."""
    session = exported.open_model(path, threads).session
    return lambda images: session.run(None, {"images": images})


def in_pytorch(run: Run, threads: int) -> Engine:
    """Return the run in PyTorch, as a function of uint8 images `[N, 28, 28]`."""
    module = pytorch.build(run.recipe.layers(), run.weights())

    def answer(images: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads)
        return pytorch.logits(module, images, run.recipe.dataset)

    return answer


def rate(engine: Engine, images: np.ndarray, batch: int) -> float:
    """Return the pictures a second in batches."""
    start = time.perf_counter()
    for at in range(0, len(images), batch):
        engine(images[at : at + batch])
    return len(images) / (time.perf_counter() - start)


def latency(engine: Engine, images: np.ndarray) -> float:
    """Return the median of the seconds that one picture takes."""
    seconds = []
    for at in range(SINGLES):
        start = time.perf_counter()
        engine(images[at : at + 1])
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def measure(run: Run, folder: Path, batches: list[int], threads: list[int], rounds: int) -> None:
    """Export the run, measure all engines by turns, and print a table."""
    images = gate_pictures(catalog.find(run.recipe.dataset))
    files = {precision: folder / f"{run.name}-{precision}.onnx" for precision in PRECISIONS}
    for precision, path in files.items():
        export(run, path, precision)
    engines = {
        (f"ONNX Runtime, {precision}", count): onnx_runtime(path, count)
        for precision, path in files.items()
        for count in threads
    } | {("PyTorch, float32", count): in_pytorch(run, count) for count in threads}
    rates = {(engine, batch): [] for engine in engines for batch in batches}
    latencies = {engine: [] for engine in engines}
    for engine in engines.values():  # memory and kernels are found before the clock starts
        engine(images[: max(batches)])
    for _ in range(rounds):
        for name, engine in engines.items():
            latencies[name].append(latency(engine, images))
            for batch in batches:
                rates[name, batch].append(rate(engine, images, batch))
    print(f"\n{run.name}: pictures a second by batch size, median of {rounds} rounds of {len(images):,} pictures")
    rows = [
        [
            name,
            str(count),
            *(f"{np.median(rates[(name, count), batch]):,.0f}" for batch in batches),
            f"{1e3 * np.median(latencies[name, count]):.4f}",
        ]
        for name, count in engines
    ]
    print(table(["engine", "threads", *map(str, batches), "one picture, ms"], rows))
    print("; ".join(f"{precision} {path.stat().st_size:,} bytes" for precision, path in files.items()))
    if run.recipe.network != "quick":
        return
    best = max(np.median(rates[("ONNX Runtime, float32", count), batch]) for count in threads for batch in batches)
    single = min(1e3 * np.median(latencies["ONNX Runtime, float32", count]) for count in threads)
    print(f"asked of quick, float32: {best:,.0f} a second (at least 60,000), {single:.4f} ms (at most 0.15), ", end="")
    print(f"{files['float32'].stat().st_size:,} bytes (less than 100,000)")


def main() -> None:
    """Measure the runs that are named, or a fresh one of `quick`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="run folders")
    parser.add_argument("--batches", nargs="+", type=int, default=[16, 64, 128, 256, 500, 1_000])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    print(provenance())
    with tempfile.TemporaryDirectory() as folder:
        runs = [Run(path) for path in words.runs] or [train.train(recipes.quick(), Path(folder) / "quick-seed0")]
        for run in runs:
            measure(run, Path(folder), words.batches, words.threads, words.rounds)


if __name__ == "__main__":
    main()
