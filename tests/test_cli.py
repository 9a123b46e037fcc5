"""The command line as users run it: what it prints where, and its exit status."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

from tenfold import recipes, runs
from tenfold.cli import app
from tenfold.runs import Run

pytestmark = pytest.mark.slow
SMALL = ["--set", "train_size=2000", "--set", "validation_size=1000", "--set", "epochs=0.5"]
TINY = ["--set", "train_size=500", "--set", "validation_size=500", "--set", "epochs=0.5", "--set", "network.width=4"]


def test_help_has_an_example_of_each_verb(cli, process):
    verbs = [command.callback.__name__ for command in app.registered_commands]
    assert len(verbs) == 13
    for verb in verbs:
        assert f"Example: tenfold {verb}" in cli(verb, "--help").stdout
    shown = process("--help", COLUMNS="80").stdout
    assert "..." not in shown.partition("Commands:")[2]
    assert max(map(len, shown.splitlines())) <= 80
    assert cli("--version").stdout == f"tenfold {version('tenfold')}\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_nothing_fails_for_the_encoding_of_the_terminal(process, run, encoding):
    for words in (["doctor"], ["evaluate", run.folder], ["evaluate", "é→\udcff"]):
        result = process(*words, PYTHONUTF8="0", PYTHONIOENCODING=encoding)
        assert "Traceback" not in result.stderr
        assert result.returncode == (2 if "→" in str(words[-1]) else 0)


@pytest.mark.parametrize(("redirection", "status"), [("> /dev/full", 1), (">&-", 1), ("2>&-", 0), ("2> /dev/full", 0)])
@pytest.mark.parametrize("verb", ["--version", "--help"])
def test_output_that_cannot_be_written(tmp_path, verb, redirection, status):
    command = f"{sys.executable} -m tenfold {verb} {redirection}"
    result = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == status
    assert "Traceback" not in result.stderr
    if status:
        assert len(result.stderr.splitlines()) == 1
    else:
        assert result.stdout.strip()


@pytest.mark.parametrize("verb", ["--version", "--help"])
def test_a_reader_that_goes_away(verb):
    end, pipe = os.pipe()
    os.close(end)
    result = subprocess.run([sys.executable, "-m", "tenfold", verb], stdout=pipe, stderr=subprocess.PIPE, text=True)
    os.close(pipe)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) < 2


def test_a_closed_stream_gives_its_number_to_no_file(tmp_path):
    """Output of a library there would be written into the file that has this descriptor."""
    program = "import os; from tenfold import terminal; terminal.prepare(); print(os.open('f', os.O_CREAT | os.O_RDWR))"
    command = f'{sys.executable} -c "{program}" <&- 2>&-'
    result = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert int(result.stdout) > 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "statuses"),
    [
        ("unset HOME", {0}),
        ("export HOME=/proc", {0, 1}),  # no cache can be made there
        ("export TMPDIR=/nowhere", {0}),
        ("export OMP_NUM_THREADS=abc", {0}),
        ("export OMP_NUM_THREADS=0", {0}),
        ("export LC_ALL=C", {0}),
        ("umask 077", {0}),
        ("ulimit -n 64", {0}),
        ("ulimit -v 400000", {0, 1}),  # too little for some machines
        ("exec 0<&-", {0}),
    ],
)
def test_no_setting_of_the_shell_ends_in_a_traceback(run, tmp_path, setting, statuses):
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "black.png")
    command = f"{setting}; {sys.executable} -m tenfold predict {run.folder} black.png"
    result = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in result.stderr
    assert result.returncode in statuses, result.stderr


def test_nothing_that_is_printed_steers_the_terminal(cli, run, tmp_path):
    """Names of files, of folders and of options, with the escapes that clear a screen and begin a line anew."""
    hostile = "a\x1b[2J\x9b31m\r\u202eb\nc.png"
    picture = tmp_path / hostile
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(picture)
    named = run.folder.rename(run.folder.with_name("named\x1b[31m"))
    for words in (
        ["predict", named, picture],
        ["predict", named, f"no {hostile}"],
        ["predict", f"--{hostile}"],
        ["doctor", hostile],
        ["evaluate", hostile],
        ["evaluate", named],
        ["report", hostile],
        ["data", hostile],
        ["score", named, hostile, "--out", "scores"],
        ["score", named, picture, "--out", f"out {hostile}"],
        ["train", "--set", f"{hostile}=1"],
        [hostile],
    ):
        result = cli(*words)
        assert not {*result.stdout, *result.stderr} & {"\x1b", "\x9b", "\r", "\u202e"}, words
        assert "\\x1b" in result.stdout + result.stderr, words


def test_sigterm_stops_where_ctrl_c_is_ignored(cli, tmp_path):
    """As in a script, for what `&` starts; it comes while a file is read that has no end."""
    os.mkfifo(tmp_path / "space.toml")

    def terminate():
        with open(tmp_path / "space.toml", "w"):  # opened once the verb reads it
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            ended.wait(20)

    before, ended = signal.signal(signal.SIGINT, signal.SIG_IGN), threading.Event()
    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        result = cli("tune", "--space", "space.toml")
    finally:
        signal.signal(signal.SIGINT, before)
        ended.set()
        thread.join()
    assert (result.returncode, result.stderr) == (130, "")


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


def test_a_folder_of_runs_stands_for_its_runs(cli, run, sibling):
    other = sibling("other", seed=1)
    (sibling("unfinished", seed=2).folder / runs.WEIGHTS).unlink()
    workspace = run.folder.parent
    result = cli("evaluate", workspace, "--json")
    assert [entry["name"] for entry in json.loads(result.stdout)] == [other.name, run.name]
    assert "unfinished is not finished" in result.stderr
    for path in run.folder.parent.rglob(runs.WEIGHTS):
        path.unlink()
    assert cli("evaluate", workspace).returncode == 2


def test_data_describes(cli):
    document = json.loads(cli("data", "--json").stdout)
    assert sum(document["counts"]["train"]) == 55_000
    assert sum(document["counts"]["validation"]) == 5_000
    assert document["files"]["train-images-idx3-ubyte"]["sha256"].startswith("ba891046")
    assert "59,000" in cli("data", "--validation-size", 1000).stdout


def test_train_evaluate_and_compare(cli, tmp_path):
    trained = cli("train", *SMALL, "--seeds", 2, "--json")
    first, second = json.loads(trained.stdout)
    assert (first["name"], second["name"]) == ("quick-seed0", "quick-seed1")
    assert first["split"] == "validation"
    assert first["train_seconds"] > 0
    assert trained.stderr.rstrip().endswith("wrote runs/quick-seed1")

    assert "quick-seed0 is " in cli("evaluate", "runs/quick-seed0", "runs/quick-seed1").stdout
    assert not (tmp_path / "runs" / "test-ledger.jsonl").exists()
    (entry,) = json.loads(cli("evaluate", "--json", "--test", "runs/quick-seed0").stdout)
    assert (entry["split"], entry["total"]) == ("test", 10_000)
    assert len((tmp_path / "runs" / "test-ledger.jsonl").read_text().splitlines()) == 1


def test_a_committee_is_scored_beneath_its_members(cli, run, sibling):
    other = sibling("other", seed=1)
    lines = cli("evaluate", "--committee", run.folder, other.folder).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["small", "other", "committee"]
    *single, together = json.loads(cli("evaluate", run.folder, other.folder, "--committee", "--test", "--json").stdout)
    assert (together["name"], together["scoring"]) == ("committee of 2", "committee of 2")
    assert together["runs"] == [one["name"] for one in single] == ["small", "other"]
    assert (together["split"], together["correct"]) == ("test", single[0]["correct"])  # both have the same weights
    assert (together["total"], together["temperature"], together["threshold"]) == (10_000, None, None)
    assert {entry.scoring for one in (run, other) for entry in one.scores} == {"plain"}
    ledger = run.folder.parent / "test-ledger.jsonl"
    assert len(ledger.read_text().splitlines()) == 1
    clothes = sibling("clothes", dataset="fashion-mnist")
    for words in ([run.folder], [run.folder, clothes.folder]):
        refused = cli("evaluate", "--committee", "--test", *words)
        assert (refused.returncode, refused.stdout) == (2, "")
    assert len(ledger.read_text().splitlines()) == 1  # not opened to be refused then


def test_one_run_is_shown_class_by_class(cli, run):
    rows = [line.partition("|")[2].split() for line in cli("evaluate", run.folder).stdout.splitlines() if "|" in line]
    assert len(rows) == 11
    assert sum(int(row[at]) for at, row in enumerate(rows[1:])) == run.scores[0].correct


def test_baseline_writes_what_it_prints(cli, tmp_path):
    words = ["baseline", "majority", "ridge", "--train-size", 1000, "--validation-size", 1000]
    result = cli(*words, "--out", "scores.json", "--json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "scores.json").read_text())
    assert "88.0" in cli(*words).stdout


def test_run_ends_with_one_table_and_where_all_lies(cli, process, tmp_path):
    code_page = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}  # it has no arrow
    result = process("run", "--minutes", 0.02, TENFOLD_RUNS="mine", **code_page)
    assert result.returncode == 0, result.stderr
    assert "? life-1-quick-seed0" in result.stdout
    assert result.stdout.rstrip().endswith("wrote mine/life-1-quick-seed0")
    document = json.loads(cli("run", "--resume", "mine/life-1.json", "--json").stdout)
    assert document["chosen"] == "life-1-quick-seed0"
    assert document["table"][-1]["test"]["total"] == 10_000
    assert len((tmp_path / "mine" / "test-ledger.jsonl").read_text().splitlines()) == 1
    assert not (tmp_path / "mine" / "life-2.json").exists()


@pytest.mark.parametrize(
    ("words", "status", "fact"),
    [
        ("trian", 2, "'train'"),
        ("train --sed 1", 2, "--seed"),
        ("train --recipe quikc", 2, "'quick'"),
        ("train --set learning_rat=1", 2, "'learning_rate'"),
        ("train --set validation_size=60000", 2, "validation_size=60000"),
        ("train --set dataset=mnits", 2, "'mnist'"),
        ("train --seeds 0", 2, "--seeds"),
        ("train --set train_size=1", 2, "too few"),
        ("train --set network=none", 2, "'none'"),
        ("train --set network.width=99999999999999999999", 2, "network.width=99999999999999999999"),
        ("train --set network.depth=30000000", 2, "network.depth=30000000"),
        ("train --set network.width=100000", 2, "and this machine has"),
        ("train --framework theano", 2, "'tensorflow'"),
        ("train --device gpu", 2, "'cpu'"),
        ("train --resume nowhere", 2, "not a run folder"),
        ("train --resume nowhere --framework pytorch", 2, "--resume"),
        ("train --resume nowhere --recipe standard", 2, "--resume"),
        ("train --from nowhere --recipe quick", 2, "--recipe"),
        ("train --figure figure.jpeg", 2, "png"),
        ("data mnits", 2, "'mnist'"),
        ("data nowhere/", 2, "nowhere"),
        ("data --dir nowhere", 3, "nowhere"),
        ("baseline rigde", 2, "'ridge'"),
        ("baseline ridge --train-size 0", 2, "train_size=0"),
        ("baseline ridge --seed -1", 2, "--seed"),
        ("baseline ridge --validation-size 0", 2, "--validation-size"),
        ("crossval --set network.width=200000", 2, "this machine has"),
        ("tune --folds 99999999999999999999 --trials 1 --jobs 1", 2, "folds"),
        ("tune --set network.width=100000", 2, "this machine has"),
        ("evaluate", 2, "Missing argument"),
        ("evaluate nowhere", 2, "not a run folder"),
        ("report nowhere", 2, "nowhere"),
        ("run mnits", 2, "'mnist'"),
        ("run --minutes 0", 2, "--minutes"),
        ("run --resume nowhere.json", 2, "nowhere.json"),
        ("run --resume nowhere.json --minutes 1", 2, "--minutes"),
        ("export nowhere", 2, "not a run folder"),
        ("export nowhere --int8 --fp16", 2, "choose one"),
        ("tune --trials 0", 2, "--trials"),
        ("tune --space nowhere.toml", 2, "nowhere.toml"),
        ("tune --around nowhere", 2, "not a run folder"),
        ("tune --around nowhere --recipe quick", 2, "--recipe"),
        ("tune --storage postgresql://me:s3cret@127.0.0.1:1/db", 1, "postgresql://me:***@127.0.0.1:1/db"),
        ("predict nowhere.onnx --line --plain x.png", 2, "--plain"),
        ("score nowhere digits.idx --out x", 2, "not a run folder"),
        ("serve nothing --port 0", 2, "not a run folder"),
    ],
)
def test_what_users_get_wrong(cli, tmp_path, words, status, fact):
    result = cli(*words.split())
    assert (result.returncode, result.stdout) == (status, ""), result.stderr
    assert fact in result.stderr
    assert "s3cret" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_figure_of_a_verb(cli, run, tmp_path):
    words = {
        "classes.svg": ["data"],
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


def test_export_writes_one_file_and_replaces_none(cli, run, tmp_path):
    document = json.loads(cli("export", run.folder, "--out", "digits.onnx", "--json").stdout)
    assert (document["precision"], document["path"]) == ("float32", "digits.onnx")
    assert (document["gate"]["framework"], document["gate"]["pictures"]) == ("pytorch", 10_000)
    before = (tmp_path / "digits.onnx").read_bytes()
    assert document["bytes"] == len(before)
    again = cli("export", run.folder, "--out", "digits.onnx")
    assert (again.returncode, again.stdout) == (2, "")
    assert (tmp_path / "digits.onnx").read_bytes() == before


def test_from_takes_the_runs_recipe_and_weights(cli, run, tmp_path):
    done = cli("train", "--from", run.folder, "--set", "epochs=1", "--out", tmp_path / "tuned", "--json")
    assert done.returncode == 0, done.stderr
    tuned = Run(tmp_path / "tuned")
    assert (tuned.recipe.epochs, tuned.recipe.train_size) == (1, run.recipe.train_size)
    assert tuned.recipe.learning_rate == pytest.approx(run.recipe.learning_rate / 10)
    assert tuned.recipe.initial_weights == runs.weights_hash(run.weights())


def test_tune_from_a_file_to_a_final_without_the_test_set(cli, tmp_path, sealed_cache):
    (tmp_path / "space.toml").write_text("[batch_size]\nchoices = [64, 128]\n")
    words = ["tune", "--search", "grid", "--space", "space.toml", *TINY, "--jobs", 1, "--study", "small"]
    result = cli(*words, "--json", TENFOLD_CACHE=str(sealed_cache))
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "runs" / "small" / "study.json").read_text())
    assert {trial["point"]["batch_size"] for trial in document["trials"]} == {64, 128}
    assert [len(model["runs"]) for model in document["final"]["models"]] == [5, 5]
    assert result.stderr.rstrip().endswith(f"wrote runs/{document['final']['models'][1]['runs'][-1]}")
    again = cli(*words, "--out", "runs", TENFOLD_CACHE=str(sealed_cache))
    assert "2 complete" in again.stdout
    assert "retraining" not in again.stderr


def test_tune_asks_what_it_is_told_around_a_run(cli, run, tmp_path):
    words = ["--around", run.folder, "--search", "random", "--prune", "median", "--repeats", 2, "--seed", 9]
    sizes = ["--set", "train_size=500", "--set", "epochs=0.2", "--trials", 1, "--jobs", 1, "--out", "elsewhere"]
    result = cli("tune", *words, *sizes, "--json")
    document = json.loads(result.stdout)
    asked = document["question"]
    assert [asked[key] for key in ("search", "prune", "repeats", "folds", "seed")] == ["random", "median", 2, None, 9]
    assert len(document["trials"]) == 1
    assert recipes.parse(asked["recipe"]) == recipes.replace(run.recipe, train_size=500, epochs=0.2)
    assert (tmp_path / "elsewhere" / "tune-small-random" / "study.json").is_file()


@pytest.fixture
def letters(few, as_pngs, own_cache):
    """A folder of three classes, called as people call them, with something in it that is no picture."""
    some = few.take(np.flatnonzero(few.labels < 3))
    root = as_pngs(some, "my letters", ("B", "a", "ä ö"))
    (root / "a" / "notes.txt").write_text("mine")
    return root


def test_a_folder_is_a_dataset_for_every_verb(cli, tmp_path, letters):
    described = cli("data", letters, "--plain", "--json")
    document = json.loads(described.stdout)
    assert document["classes"] == ["a", "B", "ä ö"]
    assert document["counts"] == {"train": [6, 7, 7], "validation": [2, 1, 1]}
    assert [one["file"] for one in document["skipped"]] == ["a/notes.txt"]
    assert "skipped a/notes.txt" in described.stderr

    compared = json.loads(cli("baseline", "ridge", "--data", letters, "--plain", "--json").stdout)
    assert (compared[0]["total"], compared[0]["published"]) == (4, "")
    small = ["--set", "network.width=4", "--set", "epochs=20"]
    trained = cli("train", "--data", letters, "--plain", *small, "--json")
    assert json.loads(trained.stdout)[0]["total"] == 4
    assert "validation_size=4" in trained.stderr  # what the data changed is said
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
    reported = cli("report", run.folder, "runs/quick-crossval3", "--out", "page.html")
    assert reported.stdout.endswith("wrote page.html\n")
    assert "ä ö" in (tmp_path / "page.html").read_text()


def test_what_users_get_wrong_about_folders(cli, tmp_path, run, letters):
    for name in "ab":
        (tmp_path / "few" / name).mkdir(parents=True)
    for words, status in (
        (["--data", "mnist", "--plain"], 2),
        (["--from", run.folder, "--data", letters], 2),
        (["--from", run.folder, "--data", letters, "--seeds", 2], 2),
        (["--resume", run.folder, "--data", letters], 2),
        (["--data", "few"], 3),
    ):
        result = cli("train", *words)
        assert (result.returncode, result.stdout) == (status, ""), result.stderr
    assert not (tmp_path / "runs").exists()


def test_doctor_looks_at_this_machine(cli, tmp_path):
    found = {finding["subject"]: finding for finding in json.loads(cli("doctor", "--json", "--out", tmp_path).stdout)}
    assert f"Python {sys.version.split()[0]}" in found["program"]["state"]
    assert found["runs"]["fine"]
