"""The commands and the Python of README and docs run, page by page, and the pages build.

A fence has a language: ```sh (commands), ```python, ```toml, ```text (output), ```json, ```yaml, ```powershell. A block
that begins with a file's name in a comment, `# space.toml`, is saved as that file. The commands and programs of a page
run in order and as they stand, in a folder that has only what `reader` puts there. `smaller` appends options of the
program that make long commands short.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import pytest
from benchmarks import curve, pictures
from PIL import Image
from typer.main import get_command

import tenfold
from tenfold import architectures, baselines, evaluate, export, frameworks, recipes, runs
from tenfold.cli import app
from tenfold.data import catalog, download, idx, split

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def smaller(words: list[str]) -> list[str]:
    """Return the options that make a command short, to stand after its own; of one given twice the last counts."""
    few = ["--set", "train_size=1000", "--set", "validation_size=500", "--set", "epochs=1"]
    if words[0] == "train":
        return [] if "--resume" in words else ["--set", "epochs=1"] if "--data" in words else few
    if words[0] == "tune":
        return ["--trials", "1", "--jobs", "1", *few]
    if words[0] == "baseline" and "--data" not in words:
        return ["--train-size", "1000"]
    return {"run": ["--minutes", "0.05"], "crossval": ["--folds", "2", "--set", "epochs=0.1"]}.get(words[0], [])


# These commands need a network, a server, another machine, or an environment of their own.
NOT_RUN = (
    *(". ", "cd ", "curl ", "dask ", "export ", "git clone ", "jupyter ", "kubectl ", "make ", "optuna-dashboard "),
    *("pip ", "py ", "python -m benchmarks.", "python -m venv ", "ssh ", "sudo ", ".venv"),
    *("tenfold data synthetic-digits", "tenfold train --data synthetic-digits"),  # draw 20,000 pictures
    "tenfold train --recipe quick --set extra=synthetic-digits",
    *("tenfold score --scheduler tcp:", "tenfold serve"),
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


def test_every_command_is_run_or_named_in_not_run():
    found = [(page, command) for page, content in in_pages("sh") for command in commands(content)]
    assert [one for one in found if not one[1].startswith(("tenfold ", *NOT_RUN))] == []


def test_commands_that_are_not_run_exist():
    verbs = get_command(app).commands
    for page, content in in_pages("sh", "powershell"):
        for command in map(shlex.split, commands(content)):
            if command[0] == "tenfold":
                known = {option for parameter in verbs[command[1]].params for option in parameter.opts} | {"--help"}
                assert {word.partition("=")[0] for word in command if word.startswith("--")} <= known, (page, command)
            elif command[0] == "make":
                assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (page, command)
            elif command[:2] == ["python", "-m"] and command[2] != "venv":
                assert importlib.util.find_spec(command[2]), (page, command)


def scan(images: list[np.ndarray]) -> Image.Image:
    """Return digits in a row as a scan of paper: black on white, larger."""
    row = 255 - np.hstack(images)
    return Image.fromarray(row).resize((row.shape[1] * 6, row.shape[0] * 6))


@pytest.fixture(scope="module")
def own(mnist, tmp_path_factory):
    """The pictures and files of a reader, and a cache with MNIST."""
    folder, cache = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("cache")
    for place in (cache / "mnist", folder / "mnist-files", folder / "my-idx"):
        place.mkdir()
    for file in catalog.MNIST.files:
        for place in (cache / "mnist", folder / "mnist-files"):
            (place / file.name).symlink_to(download.cache_folder(catalog.MNIST) / file.name)
    digits = {str(digit): mnist.images[mnist.labels == digit] for digit in range(10)}
    for place, each in (("my-digits", 7), ("my-hand", 2)):
        for digit, images in digits.items():
            (folder / place / digit).mkdir(parents=True)
            for number, image in enumerate(images[:each]):
                scan([image]).save(folder / place / digit / f"{number}.png")
    for file, array in zip(catalog.MNIST.files, (mnist.images, mnist.labels.astype(np.uint8)), strict=False):
        (folder / "my-idx" / file.name).write_bytes(idx.encode(array[:2_000]))
    for name, number in (("seven.png", "7"), ("seven.jpg", "7"), ("four.jpg", "4"), ("postcode.jpg", "31415")):
        scan([digits[digit][-1] for digit in number]).save(folder / name)
    return folder, cache


@pytest.fixture
def reader(own, tmp_path, monkeypatch):
    """The folder of a reader, in which `cli` runs too: nothing but pictures and files of the reader's own."""
    folder, cache = own
    shutil.copytree(folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    for name in [name for name in os.environ if name.startswith("TENFOLD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TENFOLD_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with ExitStack() as stack:
        for entries in (architectures.NETWORKS, catalog.CATALOG, frameworks.FRAMEWORKS):
            stack.enter_context(patch.dict(entries))  # pages add to them
        yield tmp_path


def does_something(page: Path) -> bool:
    """Return whether a page has Python or a command that runs here."""
    told = blocks(page)
    ran = [command for language, content in told if language == "sh" for command in commands(content)]
    return any(language == "python" for language, _ in told) or any(not one.startswith(NOT_RUN) for one in ran)


@pytest.mark.slow
@pytest.mark.parametrize("page", [*filter(does_something, PAGES)], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says_from_nothing(page, reader, cli):
    names = {"__name__": "__main__"}
    for language, content in blocks(page):
        if file := re.match(r"# ([\w-]+\.\w+)\n", content):
            (reader / file[1]).write_text(content)
        elif language == "python":
            exec(compile(content, f"{page.name}: {content.splitlines()[0]}", "exec"), names)
        elif language == "sh":
            for command in commands(content):
                if not command.startswith(NOT_RUN):
                    words = shlex.split(command)[1:]
                    result = cli(*words, *smaller(words))
                    assert result.returncode == 0, f"{command}\n{result.stderr[-3_000:]}"


@pytest.mark.slow
def test_the_check_for_those_who_receive_a_model_needs_no_tenfold_and_notices_another(run, tmp_path):
    program = next(content for language, content in blocks(ROOT / "docs" / "export.md") if language == "python")
    program += "\nimport sys\nassert 'tenfold' not in sys.modules\nprint('the same')"

    def check():
        return subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)

    export.export(run, tmp_path / "model.onnx")
    assert check().stdout == "the same\n"
    model = onnx.load(tmp_path / "model.onnx")
    bias = next(one for one in model.graph.initializer if one.name == "dense2.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.01), bias.name))
    onnx.save(model, tmp_path / "model.onnx")
    assert "AssertionError" in check().stderr


# What pages say of the program


def test_the_format_of_a_run_folder_is_the_one_that_is_described(run):
    page = (ROOT / "docs" / "run-folder.md").read_text()
    evaluate.evaluate([run])
    (entry,) = run.scores
    document = entry.document()
    told = {*run.environment, *run.history[-1], *document, *document["per_class"][0]}
    texts = {value for name, value in vars(runs).items() if name.isupper() and isinstance(value, str)}
    constants = {text for text in texts if " " not in text}  # names of files
    assert {name for name in told | constants if f"`{name}`" not in page} == set()


def test_every_environment_variable_and_exit_status_is_told():
    page = (ROOT / "docs" / "environment.md").read_text()
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert set(re.findall(r"TENFOLD_[A-Z]+", source)) == set(re.findall(r"TENFOLD_[A-Z]+", page))
    statuses = {str(kind.status) for kind in vars(tenfold.errors).values() if hasattr(kind, "status")}
    assert {"0", *statuses} == set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_within_the_repository_lead_somewhere(page):
    """What is committed counts: folders that a build of the documentation made are missing where a reader browses."""
    committed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in committed.split("\0")]
    present = {*files, *(folder for file in files for folder in file.parents)}
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", FENCE.sub("", page.read_text()))
    local = [target for target in targets if "://" not in target and not target.startswith("api/")]
    assert [target for target in local if (page.parent / target).resolve() not in present] == []


@pytest.mark.slow
def test_the_pictures_of_readme_and_benchmarks_are_made_of_a_life(run, tmp_path, monkeypatch):
    """Those in the pages come from `python -m benchmarks.pictures` and a `tenfold run` at full size."""
    if not any(map(shutil.which, pictures.BROWSERS)) and "CI" not in os.environ:
        pytest.skip("needs Chromium")
    life = run.folder.with_name("life-1.json")
    run.folder.rename(run.folder.with_name("life-1-quick-seed0"))
    few = split.split(catalog.MNIST, 500, train_size=500)
    scores = [model.score.document() for model in baselines.compare(few, ["majority", "ridge"])]
    asked = {"dataset": "mnist", "device": "cpu", "baseline_names": ["majority", "ridge"], "report": True}
    life.write_text(json.dumps(asked | {"recipes": [run.recipe.model_dump()], "baselines": scores}))
    monkeypatch.setattr(sys, "argv", ["pictures", str(life), "--out", str(tmp_path / "pictures")])
    pictures.main()
    made = {path.name for path in (tmp_path / "pictures").iterdir()} | {curve.BY_SECONDS, curve.BY_PARAMETERS}
    pages = [(ROOT / name).read_text() for name in ("README.md", "docs/index.md", "docs/benchmarks.md")]
    shown = re.findall(r"!\[[^]]+\]\((?:docs/)?pictures/([^)]+)\)", "".join(pages))
    assert shown
    assert set(shown) <= made


# The pages


class _Requests(HTMLParser):
    """Return the URLs that a browser would fetch to show a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag != "a":
            self.addresses += [named[key] for key in ("src", "href", "srcset", "data") if named.get(key)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages, built as `make docs` builds them, and where it can be had without a network."""
    out = tmp_path_factory.mktemp("pages")
    flags = re.search(r"-m sphinx (.*) docs docs/_build/html", (ROOT / "Makefile").read_text())[1].split()
    command = [sys.executable, "-m", "sphinx", *flags, "-d", str(out / "trees"), str(ROOT / "docs"), str(out / "html")]
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") and subprocess.run([*alone, "true"], capture_output=True).returncode == 0:
        command = alone + command
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return out / "html"


@pytest.mark.slow
def test_the_pages_ask_for_nothing_from_elsewhere(built):
    pages = list(built.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        parser = _Requests()
        parser.feed(page.read_text())
        assert [a for a in parser.addresses if re.match(r"(\w+:)?//", a)] == [], page
    for sheet in built.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:\w+:)?//[^)\s]*", sheet.read_text()) == [], sheet


@pytest.mark.slow
def test_the_reference_has_every_verb_option_field_and_public_module(built):
    told = set(re.findall(r'id="cmdoption-tenfold-([\w-]+)', (built / "verbs.html").read_text()))
    for name, command in get_command(app).commands.items():
        options = {option.lstrip("-") for one in command.params for option in one.opts if option.startswith("-")}
        assert {f"{name}-{option}" for option in options} - told == set()
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        assert sum(identity.startswith(f"{name}-arg-") for identity in told) == len(arguments)
    fields = (built / "recipe.html").read_text()
    assert all(f">{name}</span>" in fields for name in recipes.Recipe.model_fields)
    for path in (ROOT / "src").rglob("*.py"):
        package = path.parent / "__init__.py"
        if path != package and "__all__" in package.read_text():
            continue  # what it offers is on the page of its package
        name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        internal = name.startswith(("tenfold.cli", "tenfold.serve", "tenfold.report.sections"))  # as in conf.py
        assert internal or path.name.startswith("_") or (built / "api" / f"{name}.html").is_file(), name
