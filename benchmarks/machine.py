"""How light it is: commands from start to end, loading, memory. `python -m benchmarks.machine [--commands]`."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks import provenance
from tenfold.data import catalog
from tenfold.data.split import split

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


def _seconds(*words: str, times: int = 9) -> float:
    """Return the median time of a command from its start to its end, imports included."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def commands() -> None:
    """Measure commands as users run them; what a run remembers of itself is there after the first time."""
    print(f"import tenfold: {_seconds('-c', 'import tenfold'):.3f} s (at most 0.1)")
    print(f"tenfold --help: {_seconds('-m', 'tenfold', '--help'):.3f} s (at most 0.15)")
    print(f"tenfold doctor: {_seconds('-m', 'tenfold', 'doctor'):.2f} s (at most 1.5)")
    with tempfile.TemporaryDirectory() as place:
        picture, run = Path(place) / "one.png", Path(place) / "run"
        Image.fromarray(255 - split(catalog.MNIST, 5_000).validation.images[0]).resize((140, 140)).save(picture)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tenfold", "train", "--out", run], capture_output=True, check=True)
        print(f"tenfold train: {time.perf_counter() - start:.2f} s (at most 2.5)")
        print(f"tenfold predict one.png: {_seconds('-m', 'tenfold', 'predict', str(picture)):.2f} s (at most 0.5)")
        print(f"tenfold evaluate RUN: {_seconds('-m', 'tenfold', 'evaluate', str(run)):.2f} s (at most 0.9)")
        report = _seconds("-m", "tenfold", "report", str(run), "--out", f"{place}/page.html", times=1)
        print(f"tenfold report RUN: {report:.1f} s (at most 8)")


def main() -> None:
    """Measure each several times, print medians and the limits that the project set itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", action="store_true", help="the commands alone")
    only_commands = parser.parse_args().commands
    print(provenance())
    commands()
    if only_commands:
        return
    loads = [_python(LOAD) for _ in range(9)]
    print(f"70,000 pictures from the cache, verified: {statistics.median(s for s, _ in loads):.3f} s (less than 0.15)")
    print(f"  memory that adds: {max(mb for _, mb in loads):.0f} MB (at most 150)")
    print(f"development split, memory that adds: {_python(SPLIT)[0]:.0f} MB (at most 150)")
    for recipe in ("quick", "standard"):
        print(f"peak memory of training {recipe}: {_python(TRAIN, recipe)[0]:.0f} MB (at most 1,200)")


if __name__ == "__main__":
    main()
