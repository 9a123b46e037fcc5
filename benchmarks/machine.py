"""Seconds and memory of commands, loading and decoding. `python -m benchmarks.machine [--commands] [--large]`."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

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

# `ru_maxrss` would count the memory of the process that starts this one.
DECODE = """
import re, sys, time
from pathlib import Path
import psutil
from tenfold.handwriting import picture
content = Path(sys.argv[1]).read_bytes()
before = psutil.Process().memory_info().rss
start = time.perf_counter()
grey = picture.decode(content)
decoded = time.perf_counter()
peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
picture.read(grey)
print((peak - before) / 1e6, decoded - start, time.perf_counter() - decoded)
"""

LARGE = (  # format, mode, width, height
    ("PNG", "RGBA", 4_000, 4_000),
    ("PNG", "L", 4_000, 4_000),
    ("TIFF", "RGB", 4_000, 4_000),
    ("JPEG", "RGB", 8_000, 8_000),
    ("JPEG", "RGB", 4_032, 3_024),
)


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


def _photograph(mode: str, width: int, height: int) -> Image.Image:
    """Return a page with a 7 on it, and the noise of a camera."""
    page = Image.new("L", (width, height), 215)
    seven = [(0.4 * width, 0.35 * height), (0.6 * width, 0.35 * height), (0.48 * width, 0.65 * height)]
    ImageDraw.Draw(page).line(seven, 60, round(0.02 * height), joint="curve")
    noise = np.random.default_rng(0).integers(0, 12, (height, width), np.uint8)
    return Image.fromarray(np.asarray(page) + noise).convert(mode)


def large() -> None:
    """Print what decoding and reading large pictures takes: the memory that decoding adds at most, and seconds."""
    for name, mode, width, height in LARGE:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photograph"
            _photograph(mode, width, height).save(path, name, compress_level=1, quality=90)
            taken = [_python(DECODE, str(path)) for _ in range(5)]
        memory, decoding, reading = map(statistics.median, zip(*taken, strict=True))
        megapixels = f"{width * height / 1e6:.0f} megapixels, {name} {mode}"
        print(f"{megapixels:28} {memory:4.0f} MB, decoded in {decoding:.2f} s, read in {reading:.2f} s", flush=True)


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
    parser.add_argument("--commands", action="store_true", help="commands from their start to their end, nothing else")
    parser.add_argument("--large", action="store_true", help="decoding large pictures, nothing else")
    words = parser.parse_args()
    print(provenance())
    if words.large:
        large()
        return
    commands()
    if words.commands:
        return
    loads = [_python(LOAD) for _ in range(9)]
    print(f"70,000 pictures from the cache, verified: {statistics.median(s for s, _ in loads):.3f} s (less than 0.15)")
    print(f"  memory that adds: {max(mb for _, mb in loads):.0f} MB (at most 150)")
    print(f"development split, memory that adds: {_python(SPLIT)[0]:.0f} MB (at most 150)")
    for recipe in ("quick", "standard"):
        print(f"peak memory of training {recipe}: {_python(TRAIN, recipe)[0]:.0f} MB (at most 1,200)")


if __name__ == "__main__":
    main()
