"""The course runs: each notebook at small sizes here; its committed outputs are those of full sizes."""

import ast
import html
import re

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from notebooks import build

from tenfold.data import catalog, download

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
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    cells = [cell.source.splitlines() for cell in build.read(source).cells if cell.cell_type == "code"]
    assert cells.pop(0) == build.INSTALL.splitlines()
    assert len(cells) <= 12
    assert max(map(len, cells)) <= 15
    for part in ("**After this notebook you can**", "**You need** ", "**Time:** ", "\n# ## Try it", "solution"):
        assert part.lower() in source.read_text().lower()


@each
def test_every_cell_ran_and_shows_what_it_ends_with(source):
    cells = [cell for cell in _committed(source).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        last = ast.parse(cell.source).body[-1]
        shows = (isinstance(last, ast.Expr) and "assert" not in ast.unparse(last)) or "print(" in cell.source
        assert bool(cell.outputs) == shows, cell.source


GLOSSARY = (build.FOLDER.parent / "docs" / "glossary.md").read_text()


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_to_the_glossary_lead_to_its_headings():
    headings = {_anchor(heading) for heading in re.findall(r"^### (.+)$", GLOSSARY, re.MULTILINE)}
    for source in SOURCES:
        assert set(re.findall(r"glossary\.md#([\w-]+)", source.read_text())) <= headings


@pytest.mark.parametrize(
    ("term", "anchor"),
    [
        ("weight decay", "weight-decay"),
        ("dropout", "dropout"),
        ("momentum", "momentum"),
        ("AdamW", "adamw"),
        ("Muon", "muon"),
        ("NLL", "negative-log-likelihood-nll"),
        ("top 2", "top-2-accuracy"),
        ("nat", "nat"),
        ("label smoothing", "label-smoothing"),
        ("temperature", "temperature"),
        ("ECE", "expected-calibration-error-ece"),
        ("McNemar", "mcnemars-test"),
        ("Wilson", "wilson-interval"),
        ("stride", "stride"),
        ("convolution", "convolution"),
        ("softmax", "softmax"),
    ],
)
def test_a_term_is_linked_where_it_comes_first(term, anchor):
    """The first paragraph of the course with the term, after the objectives of its notebook, has the link."""
    paragraphs = []
    for source in SOURCES:
        text = source.read_text().partition("**Time:**")[2]
        text = "\n".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
        paragraphs += [" ".join(part.split()) for part in text.split("\n\n")]
    word = re.compile(rf"(?<![\w#-]){term}(?![\w-])", re.IGNORECASE)
    first = next(part for part in paragraphs if word.search(part))
    assert f"glossary.md#{anchor})" in first


def test_one_notebook_alone_opens_the_test_set():
    assert [source.stem for source in SOURCES if "test=True" in source.read_text()] in ([], ["06_evaluation"])


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
    title, install, *cells = full.cells
    assert (title.source, install.source + "\n") == ("# A title", build.INSTALL)
    assert [cell.source for cell in cells] == ["size = 20  # what readers get", "print(size)"]
    assert [cell.source for cell in small.cells[2:]] == ["size = 2", "print(size)"]
    assert [cell.id for cell in full.cells] == ["cell-1", "cell-2", "cell-3", "cell-4"]
    assert cells[0].metadata == {}


@pytest.mark.slow
def test_the_same_notebook_twice_is_the_same_bytes(written, tmp_path):
    for name in ("one", "two"):
        notebook = build.read(written(SIZED))
        build.run(notebook)
        build.write(notebook, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert nbformat.read(tmp_path / "one", as_version=4).cells[3].outputs[0].text == "20\n"


@pytest.mark.slow
def test_a_cell_that_fails_or_leaves_files_is_an_error(written):
    with pytest.raises(CellExecutionError, match="1 / 0"):
        build.run(build.read(written("# %%\n1 / 0\n")))
    with pytest.raises(RuntimeError, match=r"runs\.txt"):
        build.run(build.read(written("# %%\nopen('runs.txt', 'w').close()\n")))
