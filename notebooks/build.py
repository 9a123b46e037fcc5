"""Run notebooks and write them with their outputs: `python -m notebooks.build`, or `… 01 04`.

The source is `NN_name.py` in jupytext's percent format: text and cells, no outputs. The
`.ipynb` beside it is made here and never edited. Each runs in an empty folder, by this Python.
After the title comes a cell that installs the package where it is missing.
The cell that sets sizes says what they are with `--small`: `# %% small="trials = 4"`.
"""

import argparse
import base64
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from tenfold.files import atomic

FOLDER = Path(__file__).parent
INSTALL = """\
# Where the package is missing (Colab, Binder): install it from the clone of the repository.
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("tenfold") is None:
    folders = [Path.cwd().parent, *Path.cwd().iterdir()]
    clones = [folder for folder in folders if (folder / "src" / "tenfold").is_dir()]
    assert clones, "clone your fork first, in a new cell: !git clone ADDRESS"
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"{clones[0]}[all]"], check=True)
    importlib.invalidate_caches()
"""
METADATA = {  # what Jupyter and VS Code need to open it; nothing of the machine that ran it
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def sources(names: Sequence[str] = ("",)) -> list[Path]:
    """Return the sources whose names begin with one of `names`, in order; by default all."""
    found = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
    return [path for path in found if path.name.startswith(tuple(names))]


def read(source: Path, small: bool = False) -> NotebookNode:
    """Return the notebook of a source, without outputs; with `small`, at its small sizes."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.cells.insert(1, nbformat.v4.new_code_cell(INSTALL.strip()))
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number}"  # by place: running it again changes nothing but outputs
        sizes = cell.metadata.pop("small", None)
        if small and sizes:
            cell.source = sizes
    document = {
        "cells": notebook.cells,
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return nbformat.from_dict(document)


def run(notebook: NotebookNode) -> None:
    """Run the cells and keep what they put out; one that fails raises `CellExecutionError`."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],  # it warns that programs here could reach it
            coalesce_streams=True,  # what is printed in pieces is one output
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute()
        if left := [path.name for path in Path(folder).iterdir()]:
            raise RuntimeError(
                f"it left {', '.join(left)} where it ran; use a temporary folder"
            )
    notebook.metadata = nbformat.from_dict(METADATA)  # the kernel has put its version there


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a valid notebook, its pictures in 256 colours, whole or not at all."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = _lighter(output.data["image/png"])
    nbformat.validate(notebook)
    with atomic(path) as file:
        file.write(nbformat.writes(notebook).encode() + b"\n")


def _lighter(encoded: str) -> str:
    """Return a PNG, in base64, with a palette: half the bytes, and no difference one sees."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    content = io.BytesIO()
    picture.quantize(256).save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def main() -> None:
    """Run what is named, print how long each took."""
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("names", nargs="*", default=[""], help="how their file names begin")
    parser.add_argument(
        "--small", action="store_true", help="at the small sizes, as the tests do"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the notebooks")
    words = parser.parse_args()
    if words.small and words.out == FOLDER:
        parser.error("readers get the full sizes: with --small give another folder as --out")
    for source in sources(words.names) or parser.error("there is no such notebook"):
        notebook = read(source, words.small)
        start = time.perf_counter()
        run(notebook)
        seconds = time.perf_counter() - start
        path = words.out / f"{source.stem}.ipynb"
        write(notebook, path)
        print(f"{path}: {seconds:.1f} s, {path.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
