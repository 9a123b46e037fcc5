"""`tenfold score` from end to end: pictures a second and memory, from ten thousand to ten million pictures.

`python -m benchmarks.score [--model RUN]`; a `quick` is trained if none is named. Pictures are those of development,
tiled, as IDX, as PNG files and as Parquet of PNGs, in a temporary folder. The command runs as users run it, in a
process of its own; its time is that of the whole command. Memory is the largest resident size of all its processes
together, looked at every quarter of a second; what they share counts in each. Decoding alone reads and decodes the
same files in as many processes, and does nothing else: no contract, no model, no output.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks import provenance
from tenfold import machine, recipes
from tenfold.data import catalog, idx
from tenfold.data.split import gate_pictures
from tenfold.handwriting.decode import decode
from tenfold.score import plan

LOOK = 0.25  # seconds between two looks at memory: each takes milliseconds of a core
FOLDER = 10_000  # PNG files in a folder
GROUP = 16_384  # rows in a row group
Row = dict[str, Any]


def tiled(count: int, step: int) -> Iterator[np.ndarray]:
    """Yield uint8 `[step, 28, 28]`, the last one shorter, until there are so many."""
    images = gate_pictures(catalog.MNIST)
    for start in range(0, count, step):
        yield images[np.arange(start, min(start + step, count)) % len(images)]


def pngs() -> list[bytes]:
    """Return the development pictures as PNG files."""
    contents = []
    for image in gate_pictures(catalog.MNIST):
        content = io.BytesIO()
        Image.fromarray(image).save(content, "png")
        contents.append(content.getvalue())
    return contents


def make_idx(folder: Path, count: int) -> Path:
    """Write one IDX file."""
    path = folder / "pictures.idx3-ubyte"
    with open(path, "wb") as file:
        file.write(idx.encode(np.empty((0, 28, 28), np.uint8))[:4] + np.array([count, 28, 28], ">u4").tobytes())
        for images in tiled(count, FOLDER):
            file.write(images.tobytes())
    return path


def make_png(folder: Path, count: int) -> Path:
    """Write a file a picture, ten thousand in a folder."""
    contents = pngs()
    for start in range(0, count, FOLDER):
        place = folder / "pictures" / f"{start // FOLDER:04}"
        place.mkdir(parents=True)
        for at in range(start, min(start + FOLDER, count)):
            (place / f"{at % FOLDER:04}.png").write_bytes(contents[at % len(contents)])
    return folder / "pictures"


def make_parquet(folder: Path, count: int) -> Path:
    """Write one Parquet file with a column of PNGs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, contents = folder / "pictures.parquet", pngs()
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, GROUP):
            rows = [contents[at % len(contents)] for at in range(start, min(start + GROUP, count))]
            writer.write_table(pa.table({"image": pa.array(rows, pa.binary())}, schema))
    return path


NAMES = {"idx": "IDX", "png": "PNG files", "parquet": "Parquet of PNGs"}
KINDS: dict[str, Callable[[Path, int], Path]] = {"idx": make_idx, "png": make_png, "parquet": make_parquet}


def decode_files(paths: list[Path]) -> int:
    """Read and decode files, and return how many."""
    return sum(decode(path.read_bytes()).size > 0 for path in paths)


def decode_groups(path: Path, groups: list[int]) -> int:
    """Read and decode row groups of a Parquet file, and return how many pictures."""
    import pyarrow.parquet as pq

    batches = pq.ParquetFile(path).iter_batches(4_000, row_groups=groups, use_threads=False)
    return sum(decode(content).size > 0 for batch in batches for content in batch.column(0).to_pylist())


def decoding_alone(kind: str, source: Path, jobs: int) -> float:
    """Return the seconds that reading and decoding take, in so many processes that are there already."""
    import pyarrow.parquet as pq

    if kind == "png":
        files = sorted(source.rglob("*.png"))
        work = [partial(decode_files, files[at : at + plan.FILES]) for at in range(0, len(files), plan.FILES)]
    else:
        groups = range(pq.ParquetFile(source).num_row_groups)
        work = [partial(decode_groups, source, list(groups[at : at + 2])) for at in groups[::2]]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for ready in [pool.submit(decode_files, []) for _ in range(8 * jobs)]:  # imports are not decoding
            ready.result()
        start = time.perf_counter()
        for done in [pool.submit(one) for one in work]:
            done.result()
        return time.perf_counter() - start


def measure(kind: str, count: int, model: Path, jobs: int, decoding: bool) -> Row:
    """Return what the command takes for so many pictures of a kind, in seconds and MB."""
    with tempfile.TemporaryDirectory() as temporary:
        source, out = KINDS[kind](Path(temporary), count), Path(temporary) / "scores"
        command = [sys.executable, "-m", "tenfold", "score", str(model), str(source), "--out", str(out)]
        start = time.perf_counter()
        command += ["--jobs", str(jobs), "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            peak = watched(process)
            seconds = time.perf_counter() - start
            assert process.stdout is not None
            said = json.loads(process.stdout.read())
        assert said["summary"]["pictures"] == count, said
        size = sum(path.stat().st_size for path in (out / "parts").iterdir()) / count
        row = {"kind": kind, "pictures": count, "jobs": jobs, "seconds": seconds, "peak": peak, "bytes": size}
        return row | {"decoding": decoding_alone(kind, source, jobs) if decoding and kind != "idx" else None}


def watched(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process, and return the largest resident size, in MB, that it and its children had together."""
    peak, parent = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.Error):
            peak = max(peak, sum(resident(one) for one in (parent, *parent.children(recursive=True))))
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
    return peak / 1e6


def resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process; none of one that has just ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def report(rows: list[Row]) -> str:
    """Return the rows as a table."""
    from tenfold.cli._output import table

    lines = []
    for row in rows:
        alone = row["decoding"]
        decoding = [f"{alone:.1f}", f"{row['seconds'] / alone:.2f}"] if alone else ["-", "-"]
        speed = f"{row['pictures'] / row['seconds']:,.0f}"
        cells = [f"{row['pictures']:,}", f"{row['seconds']:.1f}", speed, *decoding]
        lines.append([row["kind"], *cells, f"{row['peak']:.0f}", f"{row['bytes']:.1f}"])
    header = ["", "pictures", "seconds", "a second", "decoding alone, s", "times that", "peak, MB", "bytes a picture"]
    return table(header, lines)


def fitted(rows: list[Row], kind: str) -> tuple[float, float]:
    """Return the straight line through the jobs of a kind: seconds to begin with, and seconds a picture.

    Each job weighs alike, whatever its size: what is least is the sum of squared relative errors.
    """
    counts, seconds = np.array([(row["pictures"], row["seconds"]) for row in rows if row["kind"] == kind], float).T
    line = np.linalg.lstsq(np.stack([1 / seconds, counts / seconds], 1), np.ones(len(seconds)), rcond=None)[0]
    return float(line[0]), float(line[1])


def finding(rows: list[Row]) -> str:
    """Return how fast the largest job of the fastest kind was, and how straight the line is that its jobs lie on."""
    fastest = max(rows, key=lambda row: row["pictures"] / row["seconds"])
    mine = [row for row in rows if row["kind"] == fastest["kind"]]
    speed = f"{NAMES[fastest['kind']]}: {fastest['pictures'] / fastest['seconds']:,.0f} pictures a second"
    if len(mine) < 3:
        return speed
    begin, each = fitted(rows, fastest["kind"])
    off = max(abs(begin + each * row["pictures"] - row["seconds"]) / row["seconds"] for row in mine)
    return f"{speed}; {begin:.1f} s to begin, {1e6 * each:.1f} s a million: off by {off:.0%} at most"


def draw(rows: list[Row], path: Path) -> None:
    """Draw seconds against pictures, both logarithmic, and for each kind its straight line, which is bent there."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    from tenfold.report.figures import style

    figure, axes = style.new(4)
    axis = axes[0, 0]
    for at, kind in enumerate(kind for kind in KINDS if any(row["kind"] == kind for row in rows)):
        mine = [row for row in rows if row["kind"] == kind]
        counts, seconds = [row["pictures"] for row in mine], [row["seconds"] for row in mine]
        look = {"color": style.COLOURS[at], "marker": style.MARKERS[at]}
        axis.loglog(counts, seconds, linestyle="none", label=NAMES[kind], **look)
        if len(mine) > 1:
            begin, each = fitted(rows, kind)
            along = np.geomspace(min(counts), max(counts), 50)
            axis.loglog(along, begin + each * along, color=style.COLOURS[at])
    style.panel(axis, finding(rows))
    axis.set(xlabel="pictures", ylabel="seconds, the whole command")
    counts = sorted({row["pictures"] for row in rows})
    axis.set_xticks(counts, [f"{count:,}" for count in counts])
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.minorticks_off()
    axis.grid(axis="y")
    axis.legend()
    style.save(figure, path)


def main() -> None:
    """Measure each kind at each size; print, and write and draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a run folder or ONNX file")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000, 10_000_000], help="of IDX")
    parser.add_argument(
        "--most-encoded", type=int, default=1_000_000, help="PNGs at most: ten million take hours to make"
    )
    parser.add_argument("--jobs", type=int, default=machine.cores())
    parser.add_argument("--json", type=Path, help="a file for all that was measured")
    parser.add_argument("--figure", type=Path, help="a file (png, svg, pdf) for seconds against pictures")
    words = parser.parse_args()
    print(where := provenance(), flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        model = words.model
        if model is None:
            from tenfold import train

            model = train.train(recipes.quick(), Path(temporary) / "quick").folder
        for kind in words.kinds:
            for count in words.sizes:
                if kind == "idx" or count <= words.most_encoded:
                    rows.append(measure(kind, count, model.absolute(), words.jobs, decoding=True))
                    print(report(rows[-1:]), flush=True)
    print("", report(rows), sep="\n")
    if words.json:
        words.json.write_text(json.dumps({"provenance": where, "rows": rows}, indent=1) + "\n")
    if words.figure:
        draw(rows, words.figure)


if __name__ == "__main__":
    main()
