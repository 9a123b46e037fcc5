"""The command line as users run it: what it prints where, and its exit status."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tenfold import recipes, runs
from tenfold.runs import Run

pytestmark = pytest.mark.slow  # each test starts the program
SMALL = ["--set", "train_size=2000", "--set", "validation_size=1000", "--set", "epochs=0.5"]
TINY = ["--set", "train_size=500", "--set", "validation_size=500", "--set", "epochs=0.5", "--set", "network.width=4"]
VERBS = [
    "run",
    "data",
    "baseline",
    "train",
    "tune",
    "evaluate",
    "crossval",
    "report",
    "export",
    "predict",
    "score",
    "serve",
    "doctor",
]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(cli, verb):
    result = cli(verb, "--help")
    assert result.returncode == 0
    assert f"Example: tenfold {verb}" in result.stdout


def test_help_shows_each_description_whole(cli):
    shown = cli("--help", COLUMNS="80").stdout
    assert "..." not in shown.partition("Commands:")[2]
    assert max(map(len, shown.splitlines())) <= 80
    assert cli("--version").stdout == f"tenfold {version('tenfold')}\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
def test_nothing_fails_for_the_encoding_of_the_terminal(cli, run, encoding):
    for words in (["--help"], ["doctor"], ["data"], ["evaluate", run.folder], ["evaluate", "é→\udcff"]):
        result = cli(*words, PYTHONUTF8="0", PYTHONIOENCODING=encoding)
        assert "Traceback" not in result.stderr
        assert result.returncode == (2 if "→" in str(words[-1]) else 0)


def test_a_folder_of_runs_stands_for_its_runs(cli, run, sibling, tmp_path):
    other = sibling("other", seed=1)
    (sibling("unfinished", seed=2).folder / runs.WEIGHTS).unlink()
    workspace = run.folder.parent
    result = cli("evaluate", workspace, "--json")
    assert [entry["name"] for entry in json.loads(result.stdout)] == [other.name, run.name]
    assert "unfinished is not finished" in result.stderr
    assert cli("report", workspace).returncode == 0
    for path in run.folder.parent.rglob(runs.WEIGHTS):
        path.unlink()
    assert cli("evaluate", workspace).returncode == 2


def test_help_loads_nothing_heavy():
    program = """
import sys
sys.argv = ["tenfold", "--help"]
from tenfold.__main__ import main
try:
    main()
finally:
    heavy = "numpy torch tensorflow keras sklearn scipy onnx onnxruntime pydantic requests".split()
    print("heavy:", sorted(set(heavy) & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "heavy: []" in result.stdout


def test_data_describes(cli):
    result = cli("data", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert sum(document["counts"]["train"]) == 55_000
    assert sum(document["counts"]["validation"]) == 5_000
    assert document["files"]["train-images-idx3-ubyte"]["sha256"].startswith("ba891046")
    text = cli("data", "--validation-size", 1000).stdout
    assert "MNIST handwritten digits" in text
    assert "59,000" in text


def test_train_evaluate_and_compare(cli, tmp_path):
    trained = cli("train", *SMALL, "--seeds", 2, "--json")
    assert trained.returncode == 0, trained.stderr
    first, second = json.loads(trained.stdout)
    assert (first["name"], second["name"]) == ("quick-seed0", "quick-seed1")
    assert first["split"] == "validation"
    assert first["train_seconds"] > 0
    assert "epoch 0.50 of 0.5" in trained.stderr
    assert trained.stderr.rstrip().endswith("wrote runs/quick-seed1")

    result = cli("evaluate", "runs/quick-seed0", "runs/quick-seed1")
    assert "quick, 2 seeds: mean" in result.stdout
    assert "quick-seed0 is " in result.stdout
    assert not (tmp_path / "runs" / "test-ledger.jsonl").exists()

    (entry,) = json.loads(cli("evaluate", "--json", "--test", "runs/quick-seed0").stdout)
    assert (entry["split"], entry["total"]) == ("test", 10_000)
    assert len((tmp_path / "runs" / "test-ledger.jsonl").read_text().splitlines()) == 1

    table = cli("evaluate", "runs/quick-seed0").stdout
    assert "true class" in table
    assert table.rstrip().endswith("wrote runs/quick-seed0/scores.json")


def test_a_committee_is_scored_beneath_its_members(cli, run, sibling):
    other = sibling("other", seed=1)
    result = cli("evaluate", "--committee", run.folder, other.folder)
    assert result.returncode == 0, result.stderr
    names = [line.split()[0] for line in result.stdout.splitlines()[1:4]]
    assert names == ["small", "other", "committee"]
    *single, together = json.loads(cli("evaluate", run.folder, other.folder, "--committee", "--test", "--json").stdout)
    assert (together["name"], together["scoring"]) == ("committee of 2", "committee of 2")
    assert together["runs"] == [one["name"] for one in single] == ["small", "other"]
    assert (together["split"], together["correct"]) == ("test", single[0]["correct"])  # both have the same weights
    assert {entry.scoring for one in (run, other) for entry in one.scores} == {"plain"}
    ledger = run.folder.parent / "test-ledger.jsonl"
    assert len(ledger.read_text().splitlines()) == 1

    clothes = sibling("clothes", dataset="fashion-mnist")
    for words, reason in (([run.folder], "two runs at least"), ([run.folder, clothes.folder], "the same pictures")):
        refused = cli("evaluate", "--committee", "--test", *words)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert reason in refused.stderr
    assert len(ledger.read_text().splitlines()) == 1  # not opened to be refused then


def test_baseline_writes_what_it_prints(cli, tmp_path):
    words = ["baseline", "majority", "ridge", "--train-size", 1000, "--validation-size", 1000]
    result = cli(*words, "--out", "scores.json", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == json.loads((tmp_path / "scores.json").read_text())
    text = cli(*words).stdout
    assert "ridge regression" in text
    assert "88.0" in text


def test_run_ends_with_one_table_and_where_all_lies(cli, tmp_path):
    code_page = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}  # it has no arrow
    result = cli("run", "--minutes", 0.02, **code_page)
    assert result.returncode == 0, result.stderr
    assert "? life-1-quick-seed0" in result.stdout
    assert result.stdout.rstrip().endswith("wrote runs/life-1-quick-seed0")
    same, resumed = cli("run", "--minutes", 0.02), cli("run", "--resume", "runs/life-1.json", "--json")
    assert "→ life-1-quick-seed0" in same.stdout
    document = json.loads(resumed.stdout)
    assert document["chosen"] == "life-1-quick-seed0"
    assert document["table"][-1]["test"]["total"] == 10_000
    assert len((tmp_path / "runs" / "test-ledger.jsonl").read_text().splitlines()) == 1
    assert not (tmp_path / "runs" / "life-2.json").exists()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["trian"], 2, "Did you mean 'train'"),
        (["train", "--sed", "1"], 2, "--seed"),
        (["train", "--recipe", "quikc"], 2, "did you mean 'quick'"),
        (["train", "--set", "learning_rat=1"], 2, "did you mean 'learning_rate'"),
        (["train", "--set", "learning_rate=nan"], 2, "finite"),
        (["train", "--set", "batch_size=0"], 2, "batch_size=0"),
        (["train", "--set", "epochs=0"], 2, "epochs=0"),
        (["train", "--set", "validation_size=60000"], 2, "nothing to train on"),
        (["train", "--set", "dataset=mnits"], 2, "did you mean 'mnist'"),
        (["train", "--seeds", "0"], 2, "--seeds"),
        (["train", "--framework", "theano"], 2, "'pytorch' or 'tensorflow'"),
        (["train", "--resume", "nowhere", "--framework", "pytorch"], 2, "--resume continues"),
        (["train", "--device", "gpu"], 2, "did you mean 'cpu'"),
        (["train", "--resume", "nowhere"], 2, "not a run folder"),
        (["train", "--resume", "nowhere", "--recipe", "standard"], 2, "--resume continues"),
        (["data", "mnits"], 2, "did you mean 'mnist'"),
        (["data", "--dir", "nowhere"], 3, "is not a folder"),
        (["baseline", "rigde"], 2, "did you mean 'ridge'"),
        (["baseline", "ridge", "--train-size", "0"], 2, "train_size=0"),
        (["evaluate"], 2, "Missing argument"),
        (["evaluate", "nowhere"], 2, "not a run folder"),
        (["run", "--minutes", "0"], 2, "--minutes must be positive"),
        (["run", "--resume", "nowhere.json"], 2, "there is no"),
        (["run", "--resume", "nowhere.json", "--minutes", "1"], 2, "leave --minutes out"),
        (["export", "nowhere"], 2, "not a run folder"),
        (["export", "nowhere", "--int8", "--fp16"], 2, "choose one"),
        (["run", "mnits"], 2, "did you mean 'mnist'"),
        (["tune", "--trials", "0"], 2, "--trials"),
        (["tune", "--space", "nowhere.toml"], 2, "there is no nowhere.toml"),
        (["tune", "--around", "nowhere"], 2, "not a run folder"),
        (["tune", "--around", "nowhere", "--recipe", "quick"], 2, "leave --recipe out"),
        (["tune", "--set", "validation_size=60000"], 2, "nothing to train on"),
        (["tune", "--storage", "postgresql://me:s3cret@127.0.0.1:1/db"], 1, "postgresql://me:***@127.0.0.1:1/db"),
    ],
)
def test_what_users_get_wrong(cli, tmp_path, words, status, message):
    result = cli(*words)
    assert result.returncode == status, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_bug_shows_its_traceback(tmp_path):
    program = """
import sys
sys.argv = ["tenfold", "data"]
from tenfold.data import catalog
catalog.find = lambda name: 1 / 0
from tenfold.__main__ import main
main()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ZeroDivisionError" in result.stderr
    assert result.returncode == 1


def test_the_environment_speaks_where_the_command_line_is_silent(cli, tmp_path):
    assert cli("run", "--minutes", 0.02, TENFOLD_RUNS="elsewhere").returncode == 0
    assert (tmp_path / "elsewhere" / "life-1.json").exists()


def test_order_of_options_does_not_matter(cli, run):
    one = cli("evaluate", "--json", run.folder)
    other = cli("evaluate", run.folder, "--json")
    assert one.stdout == other.stdout != ""


def test_a_pickle_in_place_of_weights(cli, run):
    (run.folder / runs.WEIGHTS).write_bytes(b"\x80\x04.")
    result = cli("evaluate", run.folder)
    assert result.returncode == 1
    assert "pickle" in result.stderr
    assert "Traceback" not in result.stderr


def test_figures_are_drawn_beside_what_is_printed(cli, tmp_path):
    result = cli("data", "--figure", "classes.svg", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)
    assert "test" not in (tmp_path / "classes.svg").read_text().split("<svg")[0]
    assert "wrote classes.svg" in result.stderr


def test_every_figure_of_a_verb(cli, run, tmp_path):
    words = {
        "training.png": ["train", *SMALL, "--out", "one", "--tensorboard"],
        "confusion.pdf": ["evaluate", run.folder],
        "forest.svg": ["evaluate", run.folder, "one"],
        "baselines.png": ["baseline", "majority", "ridge", "--train-size", 1000, "--validation-size", 1000],
        "doubt.png": ["crossval", "--folds", 2, "--set", "train_size=2000", "--out", "crossed"],
    }
    for name, command in words.items():
        result = cli(*command, "--figure", name)
        assert result.returncode == 0, result.stderr
        assert (tmp_path / name).stat().st_size > 1_000
        assert f"wrote {name}" in result.stdout
    assert list((tmp_path / "one" / "tensorboard").iterdir())


def test_a_figure_that_cannot_be_drawn_is_refused_before_the_work(cli, tmp_path):
    result = cli("train", "--figure", "figure.jpeg")
    assert result.returncode == 2
    assert "png, svg, pdf" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_report_writes_one_page(cli, run, tmp_path):
    result = cli("report", run.folder, "--out", "page.html")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("wrote page.html\n")
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert cli("report", "nowhere").returncode == 2


def test_export_writes_one_file_or_none(cli, run, tmp_path):
    result = cli("export", run.folder, "--out", "digits.onnx")
    assert result.returncode == 0, result.stderr
    assert "predicts what pytorch predicts on 10,000 pictures" in result.stdout
    assert result.stdout.endswith("wrote digits.onnx\n")
    size = (tmp_path / "digits.onnx").stat().st_size
    assert f"float32, {size:,} bytes" in result.stdout

    again = cli("export", run.folder, "--out", "digits.onnx")
    assert (again.returncode, again.stdout) == (2, "")
    assert "digits.onnx is there already" in again.stderr

    half = cli("export", run.folder, "--out", "half.onnx", "--fp16", "--json")
    if half.returncode == 0:  # a single other picture of the small run's 1,000 is too much
        document = json.loads(half.stdout)
        assert (document["precision"], document["path"]) == ("float16", "half.onnx")
        assert document["gate"]["framework"] == "pytorch"
        assert document["bytes"] < 0.7 * size
    else:
        assert "float16 costs 0.10 points" in half.stderr
        assert not (tmp_path / "half.onnx").exists()


@pytest.mark.slow
def test_from_takes_the_runs_recipe_and_weights(cli, run, tmp_path):
    done = cli("train", "--from", run.folder, "--set", "epochs=1", "--out", tmp_path / "tuned", "--json")
    assert done.returncode == 0, done.stderr
    tuned = Run(tmp_path / "tuned")
    assert (tuned.recipe.epochs, tuned.recipe.train_size) == (1, run.recipe.train_size)
    assert tuned.recipe.learning_rate == pytest.approx(run.recipe.learning_rate / 10)
    for words in (["--recipe", "quick"], ["--resume", run.folder]):
        refused = cli("train", "--from", run.folder, *words)
        assert refused.returncode == 2
        assert "leave" in refused.stderr


def test_tune_from_a_file_to_a_final_without_the_test_set(cli, tmp_path, sealed_cache):
    (tmp_path / "space.toml").write_text("[batch_size]\nchoices = [64, 128]\n")
    words = ["tune", "--search", "grid", "--space", "space.toml", *TINY, "--jobs", 1, "--study", "small"]
    result = cli(*words, "--json", TENFOLD_CACHE=str(sealed_cache))
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "runs" / "small" / "study.json").read_text())
    assert {trial["point"]["batch_size"] for trial in document["trials"]} == {64, 128}
    assert [len(model["runs"]) for model in document["final"]["models"]] == [5, 5]
    assert "2 trials, best " in result.stderr
    assert "Warning" not in result.stderr
    assert result.stderr.rstrip().endswith(f"wrote runs/{document['final']['models'][1]['runs'][-1]}")

    again = cli(*words, "--out", "runs", TENFOLD_CACHE=str(sealed_cache))
    assert "2 complete" in again.stdout
    assert "paired over 5 seeds" in again.stdout
    assert "trained again" not in again.stderr


@pytest.fixture
def tuned(monkeypatch, tmp_path):
    """`tuned("--search", "tpe")` is what the verb asks of the search: its question, and the rest by name."""
    from typer.testing import CliRunner

    from tenfold.cli import app
    from tenfold.tune import search
    from tenfold.tune.study import Result

    def call(*words):
        asked = {}

        def tune(question, *values, progress):
            names = ("study", "trials", "minutes", "jobs", "scheduler", "url", "workspace", "device")
            asked.update(zip(names, values, strict=False), question=question)
            return Result(tmp_path / "study", question, [], {}, None)

        monkeypatch.setattr(search, "tune", tune)
        result = CliRunner().invoke(app, ["tune", *map(str, words)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return asked

    return call


def test_tune_passes_on_what_it_is_told(tuned):
    plain = tuned()
    question = plain["question"]
    assert (question.search, question.prune, question.repeats, question.folds, question.seed) == (
        "tpe",
        "none",
        1,
        None,
        0,
    )
    assert question.space.base == recipes.quick()
    assert [plain[name] for name in ("study", "trials", "minutes", "jobs", "scheduler", "url")] == [None] * 6
    told = tuned(
        *("--recipe", "standard", "--set", "epochs=2", "--search", "grid", "--prune", "median", "--repeats", 3),
        *("--trials", 7, "--minutes", 1.5, "--jobs", 4, "--seed", 9, "--study", "mine", "--storage", "sqlite:///a.db"),
        *("--scheduler", "local", "--out", "elsewhere", "--device", "cpu"),
    )
    question = told.pop("question")
    assert (question.search, question.prune, question.repeats, question.seed) == ("grid", "median", 3, 9)
    assert question.space.base == recipes.override(recipes.standard(), ["epochs=2"])
    assert list(told.values()) == ["mine", 7, 1.5, 4, "local", "sqlite:///a.db", Path("elsewhere"), "cpu"]
    assert tuned("--folds", 3)["question"].folds == 3


def test_tune_around_a_run_is_a_narrower_space_around_its_recipe(tuned, run):
    around = tuned("--around", run.folder, "--set", "epochs=1", "--search", "random")
    question = around["question"]
    assert around["study"] == "tune-small-random"
    assert question.space.base == recipes.replace(run.recipe, epochs=1)
    near = {parameter.name: parameter for parameter in question.space.parameters}
    whole = {parameter.name: parameter for parameter in tuned()["question"].space.parameters}
    assert near.keys() <= whole.keys()
    rate = near["learning_rate"]
    assert whole["learning_rate"].low < rate.low < run.recipe.learning_rate < rate.high < whole["learning_rate"].high


@pytest.fixture
def letters(few, as_pngs, own_cache):
    """A folder of three classes, called as people call them, with something in it that is no picture."""
    some = few.take(np.flatnonzero(few.labels < 3))
    root = as_pngs(some, "my letters", ("B", "a", "ä ö"))
    (root / "a" / "notes.txt").write_text("mine")
    return root


def test_a_folder_is_a_dataset_for_every_verb(cli, tmp_path, letters):
    described = cli("data", letters, "--plain", "--json")
    assert described.returncode == 0, described.stderr
    document = json.loads(described.stdout)
    assert document["classes"] == ["a", "B", "ä ö"]
    assert document["counts"] == {"train": [6, 7, 7], "validation": [2, 1, 1]}
    assert document["skipped"] == [
        {"file": "a/notes.txt", "reason": "not PNG, JPEG, WebP, BMP, TIFF or GIF by its name"}
    ]
    assert "skipped a/notes.txt" in described.stderr

    compared = json.loads(cli("baseline", "ridge", "--data", letters, "--plain", "--json").stdout)
    assert (compared[0]["total"], compared[0]["published"]) == (4, "")

    small = ["--set", "network.width=4", "--set", "epochs=20"]
    trained = cli("train", "--data", letters, "--plain", *small, "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)[0]["total"] == 4
    run = Run(tmp_path / "runs" / "quick-seed0")
    assert run.recipe.dataset == document["name"]
    (entry,) = json.loads(cli("evaluate", "--test", run.folder, "--json").stdout)
    assert (entry["split"], entry["total"]) == ("test", 6)
    ledger = (tmp_path / "runs" / "test-ledger.jsonl").read_text()
    assert json.loads(ledger)["dataset"] == document["name"]
    exported = cli("export", run.folder, "--json")
    assert json.loads(exported.stdout)["gate"]["pictures"] == 24
    crossed = cli("crossval", "--folds", 3, "--data", letters, "--plain", *small, "--json")
    assert json.loads(crossed.stdout)["total"] == 24
    reported = cli("report", run.folder, "runs/quick-crossval3")
    assert reported.returncode == 0, reported.stderr
    assert "ä ö" in (tmp_path / "report.html").read_text()


def test_what_users_get_wrong_about_folders(cli, tmp_path, run, letters):
    def refused(*words: object) -> tuple[int, str]:
        result = cli(*words)
        assert (result.stdout, "Traceback" in result.stderr) == ("", False)
        return result.returncode, result.stderr

    assert refused("data", "nowhere/") == (2, "tenfold: there is no folder nowhere\n")
    assert refused("train", "--data", "mnist", "--plain")[0] == 2
    status, said = refused("train", "--from", run.folder, "--data", letters)
    assert (status, "has a, B, ä ö; mnist has only the classes 0, 1" in said) == (2, True)
    (tmp_path / "few" / "a").mkdir(parents=True)
    (tmp_path / "few" / "b").mkdir()
    status, said = refused("train", "--data", "few")
    assert (status, "each class needs 5 pictures to train on, but a has 0, b has 0" in said) == (3, True)
    assert refused("train", "--resume", run.folder, "--data", letters)[0] == 2
    assert "leave --seeds out" in refused("train", "--from", run.folder, "--data", letters, "--seeds", 2)[1]
    assert not (tmp_path / "runs").exists()


def test_doctor_looks_at_this_machine(cli, tmp_path):
    result = cli("doctor", "--json", "--out", tmp_path)
    assert result.returncode == 0
    found = {finding["subject"]: finding for finding in json.loads(result.stdout)}
    assert f"Python {sys.version.split()[0]}" in found["program"]["state"]
    assert found["runs"]["fine"]
