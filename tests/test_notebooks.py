"""The course runs: each notebook at its small sizes here, at full size in what is committed."""

import ast
import base64
import html
import io
import itertools
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from notebooks import build
from PIL import Image

from tenfold.data import catalog, download
from tenfold.report.figures import data, style

ROOT = Path(__file__).parents[1]
SOURCES = build.sources()

each = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])


def _committed(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def _solutions(notebook):
    """The solutions of the exercises, which readers unfold, as cells."""
    found = re.findall(r"<pre><code>(.*?)</code></pre>", "\n".join(cell.source for cell in notebook.cells), re.DOTALL)
    return [nbformat.v4.new_code_cell(html.unescape(text.replace("<br>", ""))) for text in found]


@pytest.mark.slow
@each
def test_it_runs_at_its_small_sizes_and_so_do_the_solutions(source, request):
    if "FASHION_MNIST" in source.read_text() and download.missing_files(catalog.FASHION_MNIST):
        download.adopt(catalog.FASHION_MNIST, request.getfixturevalue("fashion_files"))
    notebook = build.read(source, small=True)
    solutions = _solutions(notebook)
    notebook.cells += solutions
    build.run(notebook)
    assert solutions
    assert all(cell.outputs for cell in solutions)


@pytest.mark.slow
def test_the_program_writes_them_where_it_is_told(tmp_path):
    command = [sys.executable, "-m", "notebooks.build", "01", "--small", "--out", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["01_data.ipynb"]


@each
def test_what_is_committed_was_made_from_the_source(source):
    fresh, committed = build.read(source), _committed(source)
    assert committed.metadata == fresh.metadata
    assert [(cell.id, cell.cell_type, cell.source, cell.metadata) for cell in committed.cells] == [
        (cell.id, cell.cell_type, cell.source, cell.metadata) for cell in fresh.cells
    ]


@each
def test_what_is_committed_can_be_read_on_a_forge(source):
    committed = _committed(source)
    nbformat.validate(committed)
    assert source.with_suffix(".ipynb").stat().st_size < 400_000
    outputs = [output for cell in committed.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs), "a notebook shows its idea"
    assert all(output.output_type in ("stream", "execute_result", "display_data") for output in outputs)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


@each
def test_every_cell_ran_and_shows_what_it_ends_with(source):
    cells = [cell for cell in _committed(source).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        last = ast.parse(cell.source).body[-1]
        shows = (isinstance(last, ast.Expr) and "assert" not in ast.unparse(last)) or "print(" in cell.source
        assert bool(cell.outputs) == shows, cell.source


@each
def test_cells_are_few_and_short(source):
    cells = [cell.source.splitlines() for cell in build.read(source).cells if cell.cell_type == "code"]
    assert len(cells) <= 12
    assert max(map(len, cells)) <= 15


@each
def test_it_asserts_what_it_claims_and_sets_an_exercise(source):
    text = source.read_text()
    assert "\nassert " in text or "\n    assert " in text
    assert "# ## Try it" in text
    assert "<details>" in text


def test_one_leads_to_the_next():
    for source, following in itertools.pairwise(SOURCES):
        assert f"({following.stem}.ipynb)" in source.read_text()
    assert [source.name[:2] for source in SOURCES] == [f"{number:02d}" for number in range(1, len(SOURCES) + 1)]


def test_one_notebook_alone_opens_the_test_set():
    assert [source.stem for source in SOURCES if "test=True" in source.read_text()] in ([], ["06_evaluation"])


def test_the_readme_lists_them():
    readme = (ROOT / "README.md").read_text()
    for source in SOURCES:
        assert f"(notebooks/{source.stem}.ipynb)" in readme


def test_names_choose():
    assert build.sources(["01"]) == SOURCES[:1]
    assert build.sources(["no such"]) == []


@each
def test_no_function_is_defined_that_the_package_has(source):
    def defined(path):
        return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}

    known = set().union(*(defined(path) for path in (ROOT / "src").rglob("*.py")))
    assert defined(source) & known == set()


SIZED = """# %% [markdown]
# # A title

# %% small="size = 2"
size = 20  # what readers get

# %%
print(size)
"""


@pytest.fixture
def written(tmp_path):
    """`written("text")` is the path of a source with that text."""

    def write(text):
        path = tmp_path / "01_source.py"
        path.write_text(text)
        return path

    return write


def test_sizes_are_those_of_readers_unless_small(written):
    full, small = (build.read(written(SIZED), small) for small in (False, True))
    assert [cell.source for cell in full.cells] == ["# A title", "size = 20  # what readers get", "print(size)"]
    assert [cell.source for cell in small.cells] == ["# A title", "size = 2", "print(size)"]
    assert [cell.id for cell in full.cells] == ["cell-1", "cell-2", "cell-3"]
    assert full.cells[1].metadata == {}


def test_a_source_without_headers_is_taken_as_it_is(written):
    assert build.read(written(SIZED)).metadata == build.METADATA


@pytest.mark.slow
def test_the_same_notebook_twice_is_the_same_bytes(written, tmp_path):
    for name in ("one", "two"):
        notebook = build.read(written(SIZED))
        build.run(notebook)
        build.write(notebook, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert nbformat.read(tmp_path / "one", as_version=4).cells[2].outputs[0].text == "20\n"


@pytest.mark.slow
def test_a_cell_that_fails_is_an_error(written):
    with pytest.raises(CellExecutionError, match="1 / 0"):
        build.run(build.read(written("# %%\n1 / 0\n")))


@pytest.mark.slow
def test_what_is_left_lying_about_is_an_error(written):
    with pytest.raises(RuntimeError, match=r"left runs\.txt"):
        build.run(build.read(written("# %%\nopen('runs.txt', 'w').close()\n")))


def test_small_ones_are_not_for_readers():
    command = [sys.executable, "-m", "notebooks.build", "01", "--small"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "another folder" in result.stderr


def test_a_picture_gets_lighter_and_stays_what_it_was(mnist):
    content = style.png(data.examples(mnist.images[:500], mnist.labels[:500], "0123456789"))
    lighter = base64.b64decode(build._lighter(base64.b64encode(content).decode()))
    assert len(lighter) < 0.7 * len(content)
    before, after = (np.asarray(Image.open(io.BytesIO(one)).convert("L"), int) for one in (content, lighter))
    assert np.abs(after - before).max() <= 8
