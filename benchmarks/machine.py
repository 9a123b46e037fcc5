"""How light it is: start-up, loading, memory. `python -m benchmarks.machine`."""

import statistics
import subprocess
import sys
import time

from benchmarks import provenance

LOAD = """
import time
import numpy, psutil
from tenfold.data import catalog, download, idx, split
process = psutil.Process()
before = process.memory_info().rss
start = time.perf_counter()
known = catalog.MNIST
images, labels, test_images, test_labels = download.contents(known, known.files)
parts = [idx.decode(images, 3, ""), idx.decode(labels, 1, ""), idx.decode(test_images, 3, "")]
seconds = time.perf_counter() - start
print(seconds, (process.memory_info().rss - before) / 1e6)
"""

SPLIT = """
import psutil
from tenfold.data import catalog, split
process = psutil.Process()
before = process.memory_info().rss
parts = split.split(catalog.MNIST, 5_000)
print((process.memory_info().rss - before) / 1e6)
"""

TRAIN = """
import resource, sys, tempfile
from pathlib import Path
from tenfold import recipes, train
with tempfile.TemporaryDirectory() as folder:
    train.train(recipes.override(recipes.find(sys.argv[1]), ["epochs=1"]), Path(folder) / "run")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""


def _python(program: str, *words: str) -> list[float]:
    output = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True).stdout
    return [float(word) for word in output.split()]


def _seconds(*words: str) -> float:
    """Return the median time of a command from its start to its end, imports included."""
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    """Measure each several times, print medians and the limits that the project set itself."""
    print(provenance())
    print(f"import tenfold: {_seconds('-c', 'import tenfold'):.3f} s (at most 0.1)")
    print(f"tenfold --help: {_seconds('-m', 'tenfold', '--help'):.3f} s (at most 0.15)")
    print(f"tenfold doctor: {_seconds('-m', 'tenfold', 'doctor'):.3f} s (at most 1.5)")
    loads = [_python(LOAD) for _ in range(9)]
    print(f"70,000 pictures from the cache, verified: {statistics.median(s for s, _ in loads):.3f} s (less than 0.15)")
    print(f"  memory that adds: {max(mb for _, mb in loads):.0f} MB (at most 150)")
    print(f"development split, memory that adds: {_python(SPLIT)[0]:.0f} MB (at most 150)")
    for recipe in ("quick", "standard"):
        print(f"peak memory of training {recipe}: {_python(TRAIN, recipe)[0]:.0f} MB (at most 1,200)")


if __name__ == "__main__":
    main()
