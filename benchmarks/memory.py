"""Training from a file larger than memory, beside training from memory: `python -m benchmarks.memory`.

Pictures of MNIST's development part, each moved and made noisy, are written as IDX files, 7.8 GB of them as it is. Then
both ways train by turns, each in a process of its own: from the file under a limit on the process's memory (a control
group where one can be made, else the limit on its data), and from memory, with no limit, on the first of the same
pictures. Before each turn the file is dropped from the system's cache (posix_fadvise), so it is read from the disk. The
speed is that of the steps after the first fifth.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import provenance
from tenfold.data import catalog, split

CHUNK = 20_000  # pictures that are made at once
GROUPS = Path("/sys/fs/cgroup")
V1, V2 = "memory/memory.limit_in_bytes", "memory.max"  # what limits the memory of a control group

CHILD = """
import os, resource, sys
from pathlib import Path
import numpy as np
from tenfold import frameworks, recipes, train
from tenfold.data import catalog, folder, mapped, split

way, name, root, steps, count, group, limit, precision = sys.argv[1:]
steps, count, limit = int(steps), int(count), int(limit)
if way == "file" and group:
    (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
pictures = Path(root) / "train-images-idx3-ubyte"
mapped.LARGE = min(mapped.LARGE, pictures.stat().st_size // 2) if way == "file" else sys.maxsize
known, _ = folder.find(root)
recipe = recipes.override(recipes.find(name), [f"dataset={known.name}"])
framework = frameworks.load("pytorch")
if way == "file" and not group:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    limit = max(limit, int(status["VmData"].split()[0]) * 1024)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
if way == "file":
    samples = train.split_for(recipe).train
    assert isinstance(samples.images, mapped.Rows)
else:
    images = np.fromfile(pictures, np.uint8, count * mapped.PICTURE, offset=16).reshape(-1, 28, 28)
    labels = np.fromfile(Path(root) / "train-labels-idx1-ubyte", np.uint8, count, offset=8)
    samples = split.Samples(images, labels.astype(np.int64))
recipe = recipes.replace(recipe, epochs=steps / recipe.steps_per_epoch(len(samples)))
first, *_, last = framework.train(recipe, samples, "cpu", precision, pauses=[steps // 5])
speed = (last.step - first.step) * recipe.batch_size / (last.seconds - first.seconds)
own = {key: value for key, _, value in (line.partition(":") for line in open("/proc/self/status"))}
print(speed, int(own["VmHWM"].split()[0]) / 1e3, int(own["RssAnon"].split()[0]) / 1e3, last.loss_sum / last.pictures)
"""


def make(root: Path, count: int) -> None:
    """Write so many pictures with their true labels as IDX files, the same at each call."""
    known = split.development(catalog.MNIST)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 32, (1_000, 28, 28), np.uint8)
    with open(root / "train-images-idx3-ubyte", "wb") as images, open(root / "train-labels-idx1-ubyte", "wb") as labels:
        images.write(np.array([0x803, count, 28, 28], ">u4").tobytes())
        labels.write(np.array([0x801, count], ">u4").tobytes())
        for start in range(0, count, CHUNK):
            index = rng.integers(0, len(known), min(CHUNK, count - start))
            moved = np.roll(known.images[index], rng.integers(-2, 3, 2), (1, 2))
            noisy = np.maximum(moved, noise[rng.integers(0, len(noise), len(index))])
            images.write(noisy.tobytes())
            labels.write(known.labels[index].astype(np.uint8).tobytes())
        for file in (images, labels):  # what is not on the disk yet cannot be dropped from the cache
            file.flush()
            os.fsync(file.fileno())


def drop(path: Path) -> None:
    """Ask the system to forget what it has of a file in its cache."""
    handle = os.open(path, os.O_RDONLY)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def limited(limit: int) -> Path | None:
    """Return a control group whose processes have so many bytes of memory; None where none can be made."""
    group = GROUPS / ("memory" if (GROUPS / V1).exists() else "") / f"tenfold-{os.getpid()}"
    try:
        group.mkdir()
        (group / Path(V1 if (GROUPS / V1).exists() else V2).name).write_text(str(limit))
    except OSError:
        return None
    return group


def measure(way: str, recipe: str, root: Path, words: argparse.Namespace, group: Path | None) -> list[float]:
    """Train some steps in a process; return pictures a second, peak and own memory at the end in MB, and the loss."""
    drop(root / "train-images-idx3-ubyte")
    count, limit = min(words.in_memory, words.pictures), int(words.limit * 1e9)
    arguments = [way, recipe, root, words.steps, count, group or "", limit, words.precision]
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    environment = os.environ | {"TENFOLD_CACHE": str(root / "cache")}
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    return [float(word) for word in output.split()]


def main() -> None:
    """Make the pictures, measure both ways by turns, print a line a recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["quick", "standard"])
    parser.add_argument("--pictures", type=int, default=10_000_000)
    parser.add_argument(
        "--in-memory", type=int, default=2_000_000, help="pictures of the training from memory, at most"
    )
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--limit", type=float, default=2.0, help="GB of memory for the training from the file")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"), help="the same both ways")
    parser.add_argument("--folder", type=Path, help="where the pictures are made; as it is, where temporary files go")
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or gigabytes would stay behind
    print(provenance())
    with tempfile.TemporaryDirectory(dir=words.folder) as folder:
        root = Path(folder) / "pictures"
        root.mkdir()
        start = time.perf_counter()
        make(root, words.pictures)
        size = (root / "train-images-idx3-ubyte").stat().st_size
        print(f"{words.pictures:,} pictures, {size / 1e9:.2f} GB, made in {time.perf_counter() - start:.0f} s")
        group = limited(int(words.limit * 1e9))
        how = "a control group" if group else "RLIMIT_DATA, which counts a process's own memory but not what it maps"
        print(f"from the file: {words.limit:g} GB of memory, by {how}; both by turns: {words.turns}")
        print("recipe     from memory  from the file  share   peak MB of each  own MB of each  loss of each")
        try:
            for recipe in words.recipes:
                pairs = [
                    (measure("memory", recipe, root, words, None), measure("file", recipe, root, words, group))
                    for _ in range(words.turns)
                ]
                share = statistics.median(file[0] / memory[0] for memory, file in pairs)
                memory, file = (
                    [statistics.median(column) for column in zip(*rows, strict=True)]
                    for rows in zip(*pairs, strict=True)
                )
                print(
                    f"{recipe:<9} {memory[0]:>9,.0f} /s {file[0]:>11,.0f} /s  {share:>5.0%}  {memory[1]:>6,.0f} "
                    f"{file[1]:>7,.0f}  {memory[2]:>6,.0f} {file[2]:>7,.0f}  {memory[3]:>7.4f} {file[3]:.4f}"
                )
            if group and (group / "memory.max_usage_in_bytes").exists():
                used = int((group / "memory.max_usage_in_bytes").read_text()) / 1e6
                print(f"most that the control group held, the system's cache of its files included: {used:,.0f} MB")
        finally:
            if group:
                group.rmdir()


if __name__ == "__main__":
    main()
