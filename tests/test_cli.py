"""The command line as users run it: what it prints where, and its exit status."""

import json
import subprocess
import sys

import pytest

from tenfold import runs
from tenfold.runs import Run

pytestmark = pytest.mark.slow  # each test starts the program
SMALL = ["--set", "train_size=2000", "--set", "validation_size=1000", "--set", "epochs=0.5"]
VERBS = ["run", "data", "baseline", "train", "evaluate", "crossval", "report", "export"]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(cli, verb):
    result = cli(verb, "--help")
    assert result.returncode == 0
    assert f"Example: tenfold {verb}" in result.stdout


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


def test_baseline_writes_what_it_prints(cli, tmp_path):
    words = ["baseline", "majority", "ridge", "--train-size", 1000, "--validation-size", 1000]
    result = cli(*words, "--out", "scores.json", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == json.loads((tmp_path / "scores.json").read_text())
    text = cli(*words).stdout
    assert "ridge regression" in text
    assert "88.0" in text


def test_run_ends_with_one_table_and_where_all_lies(cli, tmp_path):
    result = cli("run", "--minutes", 0.02)
    assert result.returncode == 0, result.stderr
    assert "→ life-1-quick-seed0" in result.stdout
    assert "test pictures right" in result.stdout
    assert result.stdout.rstrip().endswith("wrote runs/life-1-quick-seed0")
    again = cli("run", "--resume", "runs/life-1.json", "--json")
    document = json.loads(again.stdout)
    assert document["chosen"] == "life-1-quick-seed0"
    assert document["table"][-1]["test"]["total"] == 10_000


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
        (["train", "--resume", "nowhere", "--framework", "pytorch"], 2, "--resume goes on"),
        (["train", "--device", "gpu"], 2, "did you mean 'cpu'"),
        (["train", "--resume", "nowhere"], 2, "not a run folder"),
        (["train", "--resume", "nowhere", "--recipe", "standard"], 2, "--resume goes on"),
        (["data", "mnits"], 2, "did you mean 'mnist'"),
        (["data", "--dir", "nowhere"], 3, "is not a folder"),
        (["baseline", "rigde"], 2, "did you mean 'ridge'"),
        (["baseline", "ridge", "--train-size", "0"], 2, "train_size=0"),
        (["evaluate"], 2, "Missing argument"),
        (["evaluate", "nowhere"], 2, "not a run folder"),
        (["run", "--minutes", "0"], 2, "no budget"),
        (["run", "--resume", "nowhere.json"], 2, "there is no"),
        (["run", "--resume", "nowhere.json", "--minutes", "1"], 2, "leave --minutes out"),
        (["export", "nowhere"], 2, "not a run folder"),
        (["export", "nowhere", "--int8", "--fp16"], 2, "choose one"),
        (["run", "mnits"], 2, "did you mean 'mnist'"),
    ],
)
def test_what_users_get_wrong(cli, tmp_path, words, status, message):
    result = cli(*words)
    assert result.returncode == status, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
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
