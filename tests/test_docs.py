"""What readers are told works: the commands and the Python of README and docs run, page by page, and the pages build.

A fence says what it holds: ```sh (commands), ```python, ```toml, ```text (output), ```json, ```powershell. One that begins
with the name of a file in a comment, `# space.toml`, is saved as that file, and not run. Commands run as they stand, in this process, in a folder of the page's own that
has what `belongings` puts there; `quick` and `standard` are small here, and `SMALLER` cuts what a recipe does not.
"""

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.main import get_command

from tenfold import export, frameworks, networks, recipes, train
from tenfold.__main__ import main
from tenfold.cli import app
from tenfold.data import catalog, download
from tenfold.report.sections import data, errors, models
from tenfold.tune import finalists, search
from tenfold.tune.worker import Worker, train_finalists

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Words that make a command small, after those of the page; of an option that is given twice the last counts.
SMALLER = {
    "baseline": ["--train-size", "2000", "--validation-size", "500"],
    "crossval": ["--folds", "2"],
    "tune": ["--trials", "3", "--jobs", "1"],
}
# What cannot run here: it needs a network, a server, another machine, or an environment of its own.
NOT_RUN = (
    ". ",
    "cd ",
    "code ",
    "export ",
    "git clone ",
    "jupyter ",
    "make ",
    "optuna-dashboard ",
    "pip ",
    "py ",
    "python -m benchmarks.",
    "python -m venv ",
    "sudo ",
    ".venv",
    "tenfold serve",
)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the fences of a page in order, each as its language and its content; not Sphinx' directives."""
    return [block for block in FENCE.findall(page.read_text()) if not block[0].startswith("{")]


def commands(content: str) -> list[str]:
    """Return the commands of a block: lines without comments, those that end in a backslash joined."""
    lines = content.replace("\\\n", " ").splitlines()
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def in_pages(*languages: str) -> list[tuple[str, str]]:
    """Return all blocks in these languages, each with the name of its page."""
    found = [(name, block) for name, page in zip(NAMES, PAGES, strict=True) for block in blocks(page)]
    return [(name, content) for name, (language, content) in found if language in languages]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_fence_says_what_it_holds(page):
    known = {"sh", "powershell", "python", "toml", "text", "json"}
    odd = [content.splitlines()[0] for language, content in blocks(page) if language not in known]
    assert odd == [], f"fences of {page.name} that name none of {sorted(known)}"


def test_commands_that_are_not_run_exist():
    verbs = get_command(app).commands
    for page, content in in_pages("sh", "powershell"):
        for command in map(shlex.split, commands(content)):
            if command[0] == "tenfold":
                known = {option for parameter in verbs[command[1]].params for option in parameter.opts}
                assert {word.partition("=")[0] for word in command if word.startswith("--")} <= known, (page, command)
            elif command[0] == "make":
                assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (page, command)
            elif command[:2] == ["python", "-m"] and command[2] != "venv":
                assert importlib.util.find_spec(command[2]), (page, command)


def small_recipe(name: str, named: recipes.Recipe) -> recipes.Recipe:
    """Return a recipe that trains in a tenth of a second."""
    sizes = ["train_size=500", "validation_size=500", "epochs=1", "averaging=0", "precision=float32", "network.width=4"]
    return recipes.override(named, sizes)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The runs that pages speak of, small."""
    folder = tmp_path_factory.mktemp("docs") / "runs"
    for name, make in recipes.RECIPES.items():
        for seed in range(2):
            small = recipes.replace(small_recipe(name, make()), seed=seed)
            train.train(small, folder / f"{name}-seed{seed}")
    return folder


@pytest.fixture
def belongings(workspace, tmp_path, monkeypatch):
    """The folder that a page's commands run in, with what a reader has who comes to it."""
    folder = tmp_path / "reader"
    for source in workspace.rglob("*"):
        if source.is_file():
            copy = folder / "runs" / source.relative_to(workspace)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    cache, files = tmp_path / "cache" / "mnist", folder / "mnist-files"
    for place in (cache, files):
        place.mkdir(parents=True)
        for file in catalog.MNIST.files:
            (place / file.name).symlink_to(download.cache_folder(catalog.MNIST) / file.name)
    monkeypatch.setenv("TENFOLD_CACHE", str(cache.parent))
    for name in ("TENFOLD_RUNS", "TENFOLD_DEVICE", "TENFOLD_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    return folder


@contextmanager
def _working(orders):
    """In place of worker processes: the work is done here, before anybody waits for it."""
    for one in orders:
        if one.finalists:
            train_finalists(one, lambda: False)
        else:
            Worker(one, lambda: False).work()
    yield []


@pytest.fixture
def small(monkeypatch):
    """Small recipes, searches without processes, reports without their slowest chapters.

    What a page adds to a catalog is gone after it.
    """
    for name, make in dict(recipes.RECIPES).items():
        value = small_recipe(name, make())
        monkeypatch.setitem(recipes.RECIPES, name, lambda value=value: value)
        monkeypatch.setattr(recipes, name, recipes.RECIPES[name])
    monkeypatch.setattr(search, "started", _working)
    monkeypatch.setattr(finalists, "SEEDS", 2)
    for module, chapter in ((data, "data"), (data, "simple_models"), (models, "network"), (errors, "disturbed")):
        monkeypatch.setattr(module, chapter, lambda material: None)  # they take seconds
    monkeypatch.setattr(export, "MOST_LOST", 5.0)  # points: what int8 costs a network of a tenth of a second
    for module, registry in ((networks, "NETWORKS"), (catalog, "CATALOG"), (frameworks, "FRAMEWORKS")):
        monkeypatch.setattr(module, registry, dict(getattr(module, registry)))


def tenfold(words: list[str], monkeypatch) -> int:
    """Run the program in this process and return its exit status."""
    monkeypatch.setattr(sys, "argv", words)
    before = signal.getsignal(signal.SIGTERM)
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_does_what_it_says(page, belongings, small, monkeypatch, capsys):
    names = {"__name__": "__main__"}
    for language, content in blocks(page):
        if file := re.match(r"# ([\w-]+\.\w+)\n", content):
            (belongings / file[1]).write_text(content)
        elif language == "python":
            exec(compile(content, f"{page.name}: {content.splitlines()[0]}", "exec"), names)
        elif language == "sh":
            for command in commands(content):
                if command.startswith(NOT_RUN):
                    continue
                words = shlex.split(command)
                assert words[0] == "tenfold", f"{page.name}: nobody runs `{command}`; see NOT_RUN"
                assert tenfold(words + SMALLER.get(words[1], []), monkeypatch) == 0, command + capsys.readouterr().err
