"""The course runs: each notebook at its small sizes here, at full size in what is committed."""

import itertools
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from notebooks import build

ROOT = Path(__file__).parents[1]
SOURCES = build.sources()

each = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])


def _committed(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


@pytest.mark.slow
@each
def test_it_runs_at_its_small_sizes(source, tmp_path):
    command = [sys.executable, "-m", "notebooks.build", source.stem, "--small", "--out", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [f"{source.stem}.ipynb"]


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
        last = compile(cell.source, source.name, "exec", flags=0x400).body[-1]  # ast.PyCF_ONLY_AST
        shows = type(last).__name__ == "Expr" or "print(" in cell.source
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
