"""The page: what is in it, what is not, and how it looks to a real browser."""

import json
import os
import re
import shlex
import shutil
import sys
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from tenfold import baselines, evaluate, recipes, runs, train
from tenfold.data import catalog
from tenfold.data.split import Split, split
from tenfold.errors import TenfoldError, UsageError
from tenfold.report.build import again, build
from tenfold.report.material import Material, gather
from tenfold.report.sections.data import data
from tenfold.runs import Run
from tenfold.suited import suited
from tenfold.tune import space_file
from tenfold.tune.study import Question, Result, Trial

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=document.title='owned'> $x_1$ & \"co\""


@pytest.fixture(scope="module")
def workspace(trained_once, tmp_path_factory):
    """A life of two seeds and another recipe with a hostile name, all small; one of them opened the test set."""
    folder = tmp_path_factory.mktemp("report")
    recipe = trained_once.recipe.model_dump()
    members = {
        "life-1-quick-seed0": recipe,
        "life-1-quick-seed1": recipe | {"seed": 1},
        f"life-1-{HOSTILE}": recipe | {"learning_rate": 0.01},
    }
    for name, values in members.items():
        shutil.copytree(trained_once.folder, folder / name)
        (folder / name / runs.RECIPE).write_text(json.dumps(values))
    evaluate.evaluate([Run(folder / "life-1-quick-seed0")], test=True, who=HOSTILE)
    few = split(catalog.MNIST, 1_000, train_size=1_000)
    scores = [model.score.document() for model in baselines.compare(few, ["majority", "ridge", "nearest-centroid"])]
    life = {"dataset": "mnist", "device": "cpu", "baseline_names": [], "report": True}
    (folder / "life-1.json").write_text(json.dumps(life | {"recipes": list(members.values()), "baselines": scores}))
    return folder


@pytest.fixture(scope="module")
def page(workspace):
    return build([workspace / "life-1.json"], workspace / "report.html")


class _Parts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers, self.ids, self.text = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
            if name == "id" and tag == "section":
                self.ids.append(value)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def parts(page):
    parser = _Parts()
    parser.feed(page.read_text())
    return parser


def test_all_chapters_that_the_runs_allow_are_there(parts, workspace, page):
    assert parts.ids == [
        *("scores", "data", "preprocessing", "baselines", "network", "training", "confusion", "trust", "errors"),
        *("robustness", "recipe", "environment", "ledger", "again"),
    ]
    assert len((workspace / "test-ledger.jsonl").read_text().splitlines()) == 1  # that of the fixture


def test_it_is_one_file(page, parts):
    assert page.stat().st_size < 5_000_000
    assert all(address.startswith(("data:", "#")) for address in parts.addresses)
    assert not {"link", "iframe", "object", "embed"} & set(parts.tags)


def test_names_with_html_in_them_stay_inert(page, parts):
    assert parts.handlers == []
    assert "onerror=document.title" in " ".join(parts.text)
    assert "<img src=x" not in page.read_text()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_at_phone_and_desk_width(page, width, scheme):
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("needs Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said, asked = [], []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.as_uri())
        assert tab.title() == f"Tenfold: life-1-{HOSTILE}"  # and not "owned"
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        colour = "getComputedStyle(document.body).backgroundColor"
        assert tab.evaluate(colour) == {"light": "rgb(255, 255, 255)", "dark": "rgb(26, 26, 26)"}[scheme]
        assert said == []
        assert [url for url in asked if not url.startswith(("data:", page.as_uri()))] == []
        rows = "[...document.querySelector('table.atlas').tBodies[0].rows]"
        column = f"{rows}.map(row => parseFloat(row.cells[4].textContent))"
        tab.get_by_role("button", name="confidence").first.click()
        falling = tab.evaluate(column)
        assert falling == sorted(falling, reverse=True)
        tab.get_by_role("button", name="confidence").first.click()
        assert tab.evaluate(column) == sorted(falling)
        wide = "e => (e.scrollWidth > e.clientWidth + 4) === e.matches('.more')"  # what does not fit is seen to go on
        assert tab.evaluate(f"[...document.querySelectorAll('.scroll')].every({wide})")
        tab.get_by_role("button", name="Copy").first.click()
        tab.wait_for_function("/Copied|Selected/.test(document.querySelector('.command button').textContent)")
        heights = "[...document.querySelectorAll('figure svg, figure img')].map(e => e.getBoundingClientRect().height)"
        assert min(tab.evaluate(heights)) > 20
        browser.close()


def test_what_is_half_done_is_shown(trained_once, tmp_path):
    """A run that was killed while it trained, alone: with two points of its history, and with one, hence no chart."""
    folder = tmp_path / "killed"
    shutil.copytree(trained_once.folder, folder)
    (folder / runs.WEIGHTS).unlink()
    history = (folder / runs.HISTORY).read_text().splitlines()
    for points in (2, 1):
        (folder / runs.HISTORY).write_text("".join(f"{line}\n" for line in history[:points]))
        text = build([folder], tmp_path / "report.html").read_text()
        assert "killed is not finished" in text
        assert ('id="training"' in text) == (points > 1)
        assert 'id="trust"' not in text


def _trained_by(command):
    """The recipe that `tenfold train` makes of its words."""
    words = shlex.split(command)
    assert words[:3] == ["tenfold", "train", "--recipe"]
    settings = [value for word, value in pairwise(words) if word == "--set"]
    settings += [f"seed={value}" for word, value in pairwise(words) if word == "--seed"]
    return suited(recipes.find(words[3]), catalog.MNIST, settings)


@pytest.mark.parametrize("settings", [[], ["epochs=12"], ["epochs=12", "rotation=0", "train_size=500", "seed=7"]])
def test_the_command_to_make_it_again_trains_the_same_recipe(run, settings):
    used = recipes.override(recipes.quick(), settings)
    (run.folder / runs.RECIPE).write_text(json.dumps(used.model_dump()))
    train_again, write_again = again(gather([run.folder]), "tenfold report").commands
    assert _trained_by(train_again) == used
    assert write_again == "tenfold report"


def test_a_run_without_the_arguments_of_its_recipe_today_can_be_made_again(tmp_path):
    """Runs of an older `quick` have none."""
    sizes = {"train_size": 500, "validation_size": 500, "epochs": 1}
    used = train.train(recipes.replace(recipes.quick(), network_arguments={}, **sizes), tmp_path / "run").recipe
    train_again, _ = again(gather([tmp_path / "run"]), "tenfold report").commands
    assert _trained_by(train_again) == used


def test_every_chapter_begins_with_words(page):
    for chapter in page.read_text().split("<section ")[1:]:
        before, _, _ = re.split(r"<table|<figure|<dl|<pre", chapter)[0].partition("</section>")
        assert before.count("<p>") >= 1


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("[]")
    for name, kind in (("nowhere", UsageError), ("x.json", TenfoldError)):
        with pytest.raises(TenfoldError) as refused:
            build([tmp_path / name], tmp_path / "report.html")
        assert type(refused.value) is kind
    assert not (tmp_path / "report.html").exists()


def _study(folder, search, seed, final=None):
    """A study as its folder keeps it, with made-up accuracies: the learning rate matters, the warm-up does not."""
    document = {
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True, "points": 4},
        "warmup": {"low": 0.1, "high": 0.5, "points": 4},
    }
    space = space_file.parse(document, recipes.quick())
    rng = np.random.default_rng(seed)
    chance = [{"learning_rate": 10 ** (2 * x - 3), "warmup": 0.1 + 0.4 * y} for x, y in rng.random((16, 2)).tolist()]
    points = space.grid() if search == "grid" else chance
    trials = [
        Trial(number, point, "complete", float(0.98 - point["learning_rate"] ** 2 / 9), 1.5)
        for number, point in enumerate(points)
    ]
    trials.append(Trial(len(trials), points[0], "failed", reason="the loss stopped being <a number>"))
    trials.append(Trial(len(trials), points[0], "pruned", 0.9, 0.3))
    shares = {"learning_rate": 0.9, "warmup": 0.1}
    result = Result(folder / f"{search}-{seed}", Question(space, search, seed=seed), trials, shares, final)
    result.folder.mkdir()
    result.write()
    return result.folder


def test_searches_make_a_chapter_of_their_own(tmp_path):
    """Grid and random, two seeds each: set side by side, with what a grid wastes; no run is needed for it."""
    folders = [_study(tmp_path, search, seed) for search in ("grid", "random") for seed in (0, 1)]
    text = build(folders, tmp_path / "page.html").read_text()
    assert "the loss stopped being &lt;a number&gt;" in text
    row = ["grid-0", "grid", "2", "16", "1", "1", "98.00%", "24"]
    assert re.search(r"\s*".join(f"<td>{cell}</td>" for cell in row), text)


def test_without_optuna_its_figures_are_left_out_and_the_page_says_so(tmp_path, monkeypatch):
    folder = _study(tmp_path, "random", 0)
    whole = build([folder], tmp_path / "whole.html").read_text()
    monkeypatch.setitem(sys.modules, "optuna", None)
    text = build([folder], tmp_path / "page.html").read_text()
    assert text.count("<svg") == 1
    assert whole.count("<svg") == 5
    assert text.count("they need optuna") == 1


def test_the_final_of_a_search_brings_its_runs(run):
    recipe = recipes.quick().model_dump(mode="json")
    model = {"trial": 3, "point": {}, "recipe": recipe, "accuracies": [0.981], "mean": 0.981, "sd": 0.001}
    model |= {"interval": [0.98, 0.982], "train_seconds": 1.0}
    other = shutil.copytree(run.folder, run.folder.with_name("other"))
    comparison = {"mean": 0.0, "interval": [-0.1, 0.1], "p_value": 0.5, "n": 5, "verdict": "tied"}
    models = [model | {"runs": [run.name]}, model | {"trial": 5, "runs": [other.name]}]
    folder = _study(run.folder.parent, "random", 0, {"models": models, "comparison": comparison})
    assert sorted(one.name for one in gather([folder]).runs) == sorted([run.name, other.name])


def test_every_copy_of_a_training_picture_in_validation_is_found(mnist):
    train, validation = mnist.take(np.arange(600)), mnist.take(np.arange(590, 640))
    pictures = Split(catalog.MNIST, train, validation)
    section = data(Material([], [], [], [], [], pictures, []))
    assert any("10 of 50" in picture.finding for picture in section.pictures)
