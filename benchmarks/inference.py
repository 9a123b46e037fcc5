"""PyTorch, TensorFlow and ONNX Runtime answering the same pictures: how fast, in how much memory.

`python -m benchmarks.inference [RUN ...]`; a `quick` is trained if none is named. It is exported in each precision,
and every engine answers the same uint8 development pictures, on so many threads, in a process of its own: TensorFlow
learns its threads only once, and memory shows only where an engine is alone. Each round asks all, so that other work
slows all alike; medians are printed. An engine that predicts something else than PyTorch ends the measurement.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import provenance
from tenfold import recipes
from tenfold.data import catalog
from tenfold.data.split import gate_pictures
from tenfold.errors import TenfoldError
from tenfold.runs import Run

# Engines, and all that imports one, are imported where they are used: what they add to memory is measured.
ROOT = Path(__file__).parents[1]
PICTURES = "pictures.npy"  # in the folder that the processes share, beside the exported files
CALLS = 200  # of one batch size in a round, at most
Engine = Callable[[np.ndarray], np.ndarray]  # uint8 images [N, 28, 28] -> logits [N, classes]
Row = dict[str, Any]


def pytorch(run: Run, folder: Path, threads: int) -> Engine:
    """Return the run in PyTorch."""
    import torch

    from tenfold.frameworks.pytorch.modules import build, normaliser

    torch.set_num_threads(threads)
    module = build(run.recipe.layers(), run.weights()).eval()
    normalise = normaliser(run.recipe.dataset)

    @torch.inference_mode()
    def answer(images: np.ndarray) -> Any:
        return module(normalise(torch.from_numpy(images).unsqueeze(1).float())).numpy()

    return answer


def tensorflow(compiled: bool, run: Run, folder: Path, threads: int) -> Engine:
    """Return the run as an ordinary Keras model on TensorFlow: called, or as one graph for batches of every size."""
    from tenfold.frameworks import keras  # first: it keeps TensorFlow silent

    dataset = run.recipe.dataset
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)  # layers come one after another
    model = keras.build(run.recipe.layers(), run.weights())
    if not compiled:
        return lambda images: keras.logits(model, images, dataset)

    def forward(images: tf.Tensor) -> tf.Tensor:
        return model(keras.modules.normalised(tf.cast(images[..., None], tf.float32), dataset), training=False)

    graph = tf.function(forward).get_concrete_function(tf.TensorSpec([None, 28, 28], tf.uint8))
    return lambda images: graph(tf.constant(images)).numpy()


def onnx_runtime(precision: str, run: Run, folder: Path, threads: int) -> Engine:
    """Return what the run was exported to."""
    from tenfold.frameworks import exported

    session = exported.open_model(folder / f"{precision}.onnx", threads).session
    return lambda images: session.run(["logits"], {"images": images})[0]


ENGINES: dict[str, Callable[[Run, Path, int], Engine]] = {
    "PyTorch": pytorch,
    "Keras, called": partial(tensorflow, False),
    "TensorFlow, compiled": partial(tensorflow, True),
    **{f"ONNX Runtime, {name}": partial(onnx_runtime, name) for name in ("float32", "float16", "int8")},
}


def measure_one(name: str, run: Run, folder: Path, threads: int, batches: list[int]) -> Row:
    """Return what this process measures of one engine: predictions, memory, microseconds a picture by batch size.

    Memory is in MB above that before the engine was imported: `ready` after one picture, and the `peak` after all.
    """
    images = np.load(folder / PICTURES)
    before = psutil.Process().memory_info().rss / 1e6
    engine = ENGINES[name](run, folder, threads)
    engine(images[:1])
    ready = psutil.Process().memory_info().rss / 1e6 - before
    microseconds = {batch: 1e6 * _seconds(engine, images, batch) / batch for batch in batches}
    predictions = [int(each) for at in range(0, len(images), 250) for each in engine(images[at : at + 250]).argmax(1)]
    return {"predictions": predictions, "ready": ready, "peak": _peak() - before, "microseconds": microseconds}


def _seconds(engine: Engine, images: np.ndarray, batch: int) -> float:
    """Return the median of the seconds that a batch takes, after a first one for which kernels are chosen."""
    engine(images[:batch])
    times = [time.perf_counter()]
    for at in range(0, len(images) - batch + 1, batch)[:CALLS]:
        engine(images[at : at + batch])
        times.append(time.perf_counter())
    return float(np.median(np.diff(times)))


def _peak() -> float:
    """Return the largest resident size so far, in MB. On Linux `ru_maxrss` begins with that of the parent process."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) * 1024 / 1e6


def _in_own_process(engine: str, threads: int, run: Run, folder: Path, batches: list[int]) -> Row:
    command = [sys.executable, "-m", "benchmarks.inference", run.folder.absolute(), "--one", engine, "--folder", folder]
    command += ["--threads", threads, "--batches", *batches]
    return dict(json.loads(subprocess.check_output([*map(str, command)], cwd=ROOT)))


def measure(run: Run, folder: Path, words: argparse.Namespace) -> list[Row]:
    """Export the run and return a row for each engine and number of threads, measured in turns."""
    from tenfold.export import PRECISIONS, export

    engines = list(ENGINES)
    for precision in PRECISIONS:
        try:
            export(run, folder / f"{precision}.onnx", precision)
        except TenfoldError as error:
            if precision == "float32":
                raise
            print(f"{run.name} is not measured in {precision}: {error}")
            engines.remove(f"ONNX Runtime, {precision}")
    np.save(folder / PICTURES, gate_pictures(catalog.find(run.recipe.dataset))[: words.pictures])
    asked = [(engine, threads) for engine in engines for threads in words.threads]
    rounds = [[_in_own_process(*each, run, folder, words.batches) for each in asked] for _ in range(words.rounds)]
    reference = rounds[0][0]["predictions"]  # PyTorch's
    rows: list[Row] = []
    for (engine, threads), *answers in zip(asked, *rounds, strict=True):
        otherwise = int(np.not_equal(answers[0]["predictions"], reference).sum())
        few = 0.01 if engine.endswith("int8") else 0.001  # coarse products; near ties
        assert otherwise <= few * len(reference), f"{engine} predicts {otherwise} of {len(reference)} otherwise"
        row = {"run": run.name, "engine": engine, "threads": threads, "otherwise": otherwise}
        row |= {key: float(np.median([answer[key] for answer in answers])) for key in ("ready", "peak")}
        costs = np.median([list(answer["microseconds"].values()) for answer in answers], 0).tolist()
        rows.append(row | {"microseconds": dict(zip(words.batches, costs, strict=True))})
    return rows


def report(rows: list[Row]) -> str:
    """Return the rows of one run as two tables."""
    from tenfold.cli._output import table

    speeds, costs = [], []
    for row in rows:
        name, cost = [row["engine"], str(row["threads"])], row["microseconds"]
        best = min(cost, key=cost.get)
        speed = [f"{1e6 / cost[best]:,.0f}", f"{best:,}", f"{cost[1] / 1e3:.4f}"]
        speeds.append([*name, *speed, f"{row['ready']:.0f}", f"{row['peak']:.0f}", str(row["otherwise"])])
        costs.append([*name, *(f"{value:,.1f}" for value in cost.values())])
    header = ["threads", "pictures/s", "in batches of", "one picture, ms", "ready, MB", "peak, MB", "otherwise"]
    batches = (f"{batch:,}" for batch in rows[0]["microseconds"])
    return f"""
{table([rows[0]["run"], *header], speeds)}
MB: above the process before the engine was imported. otherwise: predictions that are not PyTorch's.

{table(["microseconds a picture, in batches of", "threads", *batches], costs)}"""


def goals(rows: list[Row], size: int) -> str:
    """Return what was asked of `quick`, in float32, beside what it reached."""
    costs = [row["microseconds"] for row in rows if row["engine"] == "ONNX Runtime, float32"]
    most, single = 1e6 / min(min(cost.values()) for cost in costs), min(cost[1] for cost in costs) / 1e3
    reached = f"{most:,.0f} a second (at least 60,000), {single:.4f} ms (at most 0.15)"
    return f"asked of quick, float32: {reached}, {size:,} bytes (less than 100,000)"


def draw(rows: list[Row], path: Path) -> None:
    """Draw microseconds a picture against batch size: a panel a run, a line an engine and number of threads."""
    from tenfold.report.figures import style

    panels = {row["run"]: [other for other in rows if other["run"] == row["run"]] for row in rows}
    figure, axes = style.new(4 * len(panels), len(panels))
    for axis, (name, of_run) in zip(axes[:, 0], panels.items(), strict=True):
        threads, batches = sorted({row["threads"] for row in of_run}), list(of_run[0]["microseconds"])
        for row in of_run:
            at, label = list(ENGINES).index(row["engine"]), f"{row['engine']}, threads: {row['threads']}"
            look = {"color": style.COLOURS[at], "marker": style.MARKERS[at], "markersize": 3.5, "label": label}
            look["linestyle"] = ("-", "--", ":", "-.")[threads.index(row["threads"]) % 4]
            axis.loglog(batches, row["microseconds"].values(), **look)
        least, best = min((min(row["microseconds"].values()), row["engine"]) for row in of_run)
        style.panel(axis, f"{style.shown(name)}: {best} is the fastest, {least:.3g} µs a picture")
        axis.set(xlabel="pictures in a batch", ylabel="microseconds a picture")
        axis.set_xticks(batches, [f"{batch:,}" for batch in batches])
        axis.minorticks_off()
        axis.grid(axis="y")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=8, frameon=False)
    style.save(figure, path)


def main() -> None:
    """Measure the runs that are named, or a fresh one of `quick`; print, and write and draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="run folders")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64, 256, 1_000, 4_000])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="a file for all that was measured")
    parser.add_argument("--figure", type=Path, help="a file (png, svg, pdf) for microseconds against batch size")
    parser.add_argument("--one", choices=ENGINES, help="measure this engine alone, in this process, and print JSON")
    parser.add_argument("--folder", type=Path, help="with --one: where the pictures and the exported files are")
    words = parser.parse_args()
    words.batches = sorted({1, *words.batches})
    if words.one:
        print(json.dumps(measure_one(words.one, Run(words.runs[0]), words.folder, words.threads[0], words.batches)))
        return
    if words.batches[-1] > words.pictures:
        parser.error(f"batches of {words.batches[-1]} need as many --pictures")
    from tenfold import train

    print(where := provenance("pytorch", "tensorflow"), flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        for run in [Run(path) for path in words.runs] or [train.train(recipes.quick(), Path(temporary) / "quick")]:
            folder = Path(tempfile.mkdtemp(dir=temporary))
            rows += (of_run := measure(run, folder, words))
            sizes = {path.stem: path.stat().st_size for path in folder.glob("*.onnx")}
            print(report(of_run), "; ".join(f"{name} {size:,} bytes" for name, size in sizes.items()), sep="\n\n")
            if run.recipe.network == "quick":
                print(goals(of_run, sizes["float32"]), flush=True)
    if words.json:
        words.json.write_text(json.dumps({"provenance": where, "rounds": words.rounds, "rows": rows}, indent=1) + "\n")
    if words.figure:
        draw(rows, words.figure)


if __name__ == "__main__":
    main()
