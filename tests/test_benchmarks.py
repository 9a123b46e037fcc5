"""The books of speed and accuracy: what is recorded is what was measured, and README says what is recorded."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import curve, published, recipes, results

from tenfold import architectures, files, networks, runs
from tenfold.data import split
from tenfold.errors import TenfoldError
from tenfold.networks import Conv, Dense, Dropout, Flatten, MaxPool, Relu
from tenfold.runs import Run

ROOT = Path(__file__).parents[1]
HERE = {"processor": "a processor", "cores": 2, "threads": 2, "precision": "float32"}


@pytest.fixture(autouse=True)
def small_peak(monkeypatch):
    """A product of small matrices: these tests are not about the machine."""
    monkeypatch.setattr(results, "SIDE", 64)


def _record(key="mnist/quick", accuracies=(0.99, 0.992, 0.991), seconds=(1.0, 2.0, 1.1), **fields):
    made = results.make(
        key, "mnist", key, accuracies, seconds, [4.0], 17_274, 604_224, 1_800_000, 51_000, "abc", dict(HERE)
    )
    return made | fields


# The store


def test_a_record_has_the_spread_over_seeds_and_the_rate_of_the_arithmetic():
    record = _record()
    assert record["seeds"] == 3
    assert record["accuracy"]["mean"] == pytest.approx(0.991)
    assert record["accuracy"]["sd"] == pytest.approx(0.001)
    half = 4.302653 * 0.001 / 3**0.5  # Student's t of 2 degrees of freedom, from a table
    assert record["accuracy"]["interval"] == pytest.approx([0.991 - half, 0.991 + half])
    assert record["train_seconds"] == {"median": 1.1, "least": 1.0, "most": 2.0}
    assert record["gflops"] == pytest.approx(2 * 1_800_000 * 51_000 / 1.1 / 1e9, abs=0.01)
    assert record["share_of_peak"] > 0


def test_one_seed_has_no_spread():
    record = _record(accuracies=[0.99], seconds=[1.0])
    assert record["accuracy"] == {"mean": 0.99, "sd": None, "interval": None}
    assert "99.00%, one seed" in results.told(record)


def test_the_rules_are_told_with_every_result():
    assert results.RULES in results.told(_record())


def test_a_record_takes_the_place_of_its_key_alone(tmp_path):
    path = tmp_path / "results.json"
    first, second = _record(), _record("mnist/standard")
    for record in (first, second, first | {"commit": "def"}):
        results.save(record, path)
    assert results.read(path) == [first | {"commit": "def"}, second]


def test_a_write_that_fails_leaves_the_records_as_they_were(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    results.save(_record(), path)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(TenfoldError, match="No space left"):
        results.save(_record("mnist/standard"), path)
    assert [record["key"] for record in results.read(path)] == ["mnist/quick"]
    assert [one.name for one in tmp_path.iterdir()] == ["results.json"]


def test_the_threads_are_as_before_after_the_peak():
    before = torch.get_num_threads()
    assert results.peak("bfloat16", 1) > 0
    assert torch.get_num_threads() == before


# Recipes


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """`bench("--resume")` runs two small seeds of `quick` as the command line does, and returns the record."""

    def call(*words):
        sizes = ["train_size=500", "epochs=4", "precision=float32", "network.width=4"]
        changes = [word for size in sizes for word in ("--set", size)]
        places = ["--out", str(tmp_path), "--results", str(tmp_path / "results.json")]
        monkeypatch.setattr(sys, "argv", ["recipes", "quick", "--seeds", "2", *changes, *places, *words])
        recipes.main()
        record, *others = results.read(tmp_path / "results.json")
        assert len(others) == ("--committee" in words)
        return [record, *others] if others else record

    return call


@pytest.mark.slow
def test_seeds_are_recorded_go_on_where_they_stopped_and_open_the_test_set_once(bench, tmp_path, capsys):
    record = bench("--jobs", "2")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    trained = [Run(folder / f"seed{seed}") for seed in range(2)]
    (first,), (second,) = (run.scores for run in trained)
    assert record["accuracies"] == [first.accuracy, second.accuracy]
    assert record["accuracy"]["mean"] == pytest.approx((first.accuracy + second.accuracy) / 2)
    assert first.accuracy > 0.3  # it learnt something
    assert (record["key"], record["seeds"], record["machine"]["threads"]) == (
        "mnist/quick train_size=500 epochs=4 precision=float32 network.width=4",
        2,
        1,
    )
    assert record["command_seconds"]["least"] > record["train_seconds"]["least"]
    assert results.RULES in capsys.readouterr().out
    assert len(_openings(folder)) == 1

    with pytest.raises(SystemExit, match="--resume"):
        bench()

    weights = trained[1].weights()
    for name in (runs.WEIGHTS, runs.SCORES):
        (trained[1].folder / name).unlink()  # as if it had been killed
    again = bench("--resume", "--jobs", "2")
    assert again["accuracies"] == record["accuracies"]
    assert all(np.array_equal(value, trained[1].weights()[name]) for name, value in weights.items())

    bench("--resume")
    assert [[run["run"] for run in opening["runs"]] for opening in _openings(folder)] == [["seed0", "seed1"]]

    single, together = bench("--resume", "--committee")
    *_, entry = json.loads((folder / recipes.COMMITTEE).read_text())
    assert together["accuracies"] == [entry["accuracy"]]
    assert (together["key"], together["seeds"]) == (f"{record['key']} committee of 2", 1)
    assert together["parameters"] == 2 * record["parameters"]
    assert together["train_seconds"]["median"] == pytest.approx(
        sum(run.environment["train_seconds"] for run in trained)
    )
    assert single["accuracies"] == record["accuracies"]
    assert len(_openings(folder)) == 2
    bench("--resume", "--committee")
    assert len(_openings(folder)) == 2


def _openings(folder):
    return [json.loads(line) for line in (folder / split.LEDGER).read_text().splitlines()]


def test_seeds_of_one_core_and_of_two_are_no_single_measurement(run, sibling):
    other = sibling("other", seed=1)
    environment = run.environment
    files.write_json(other.folder / runs.ENVIRONMENT, environment | {"threads": environment["threads"] + 1})
    with pytest.raises(SystemExit, match="threads"):
        recipes.records_of("key", "title", [run, other])
    assert not (run.folder.parent / split.LEDGER).exists()


@pytest.mark.slow
def test_what_could_not_be_trained_is_no_record(tmp_path, monkeypatch):
    words = [
        "recipes",
        "quick",
        "--set",
        "train_size=60000",
        "--set",
        "validation_size=1",
        "--jobs",
        "2",
        "--seeds",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", [*words, "--out", str(tmp_path), "--results", str(tmp_path / "results.json")])
    with pytest.raises(SystemExit, match="train_size=60000 must be from 1 to the 59,999"):
        recipes.main()
    assert not (tmp_path / "results.json").exists()


def test_pictures_are_counted_as_often_as_they_come(small):
    whole = small.model_copy(update={"epochs": 2, "train_size": 500, "batch_size": 128})
    assert recipes.pictures_trained_on(whole) == 1_000
    assert recipes.pictures_trained_on(whole.model_copy(update={"epochs": 1.5})) == 500 + 256


# Published recipes

SAME = {  # as networks of ours, whose counts are reckoned another way
    published.ONE_EPOCH: (
        *(Conv(24, 5), MaxPool(), Relu(), Conv(32, 3), MaxPool(), Relu()),
        *(Flatten(), Dense(256), Relu(), Dense(10)),
    ),
    "published PyTorch example, 4 of 14 epochs": (
        *(Conv(32, 3), Relu(), Conv(64, 3), Relu(), MaxPool(), Dropout(0.25)),
        *(Flatten(), Dense(128), Relu(), Dropout(0.5), Dense(10)),
    ),
    "published Keras example": architectures.keras_example(10),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", published.PUBLISHED)
def test_a_published_network_has_the_published_size(name):
    one = published.PUBLISHED[name]
    assert sum(parameter.numel() for parameter in one.network().parameters()) == one.parameters
    assert networks.parameter_count(SAME[name]) == one.parameters
    assert networks.multiply_adds(SAME[name]) == one.multiply_adds()
    assert networks.training_multiply_adds(SAME[name]) == one.multiply_adds(training=True)


def test_the_sizes_are_those_that_were_published():
    sizes = {name: one.parameters for name, one in published.PUBLISHED.items()}
    assert sizes["published PyTorch example, 4 of 14 epochs"] == 1_199_882
    assert sizes["published Keras example"] == 34_826


@pytest.mark.slow
@pytest.mark.parametrize(("name", "epochs"), [*zip(published.PUBLISHED, (3, 1, 5), strict=True)])
def test_a_published_recipe_learns(name, epochs, mnist):
    model = published.PUBLISHED[name].training(mnist.take(np.arange(1_000)), epochs)(0)
    others = mnist.take(np.arange(1_000, 2_000))
    assert (model(others.images).argmax(1) == others.labels).mean() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("words", "names"), [([], 1), (["examples"], 2)])
def test_published_recipes_are_recorded_and_the_test_set_is_opened_once(words, names, tmp_path, monkeypatch, capsys):
    places = ["--out", str(tmp_path), "--results", str(tmp_path / "results.json")]
    sizes = ["--pictures", "600", "--epochs", "1", "--seeds", "1" if words else "2"]
    opened = published.open_test
    monkeypatch.setattr(published, "open_test", lambda *told: opened(*told).take(np.arange(1_000)))
    monkeypatch.setattr(sys, "argv", ["published", *words, *sizes, *places])
    published.main()
    records = results.read(tmp_path / "results.json")
    assert len(records) == names
    assert all(
        record["seeds"] == int(sizes[-1]) and record["source"] and record["key"].endswith("pictures=600")
        for record in records
    )
    assert len(_openings(tmp_path)) == 1
    assert capsys.readouterr().out.count(results.RULES) == names
    if not words:
        (record,) = records
        ratio = record["train_seconds"]["median"] / record["quick_seconds"]["median"]
        assert record["times_quick"] == pytest.approx(ratio)


# README


def test_the_table_of_readme_is_what_the_records_say():
    page = (ROOT / "README.md").read_text()
    assert curve.rewritten(page, results.read()) == page


def test_curve_draws_the_records_and_rewrites_the_table(tmp_path, monkeypatch):
    path, page = tmp_path / "results.json", tmp_path / "README.md"
    records = [
        _record(title="quick"),
        _record("mnist/standard", [0.996], [60.0], title="standard"),
        _record(published.ONE_EPOCH, title="published", source="example.org/one"),
        _record("fashion-mnist/quick", title="quick", dataset="fashion-mnist"),
    ]
    for record in records:
        results.save(record, path)
    shutil.copy(ROOT / "README.md", page)
    words = ["curve", "--results", str(path), "--out", str(tmp_path / "pictures"), "--readme", str(page)]
    monkeypatch.setattr(sys, "argv", words)
    curve.main()
    text = page.read_text()
    assert curve.rewritten(text, records) == text
    assert (
        "| quick | mnist | 17,274 | 604,224 | 3 | 99.100% ± 0.100% (98.852% to 99.348%) | 1.10 (1.00 to 2.00) |" in text
    )
    assert "| standard | mnist | 17,274 | 604,224 | 1 | 99.60%, one seed | 60.00 (60.00 to 60.00) |" in text
    assert "| [published](https://example.org/one) | mnist |" in text
    assert text.index("| quick | fashion-mnist |") > text.index("example.org")
    assert "a processor, 2 cores, 2 threads, float32; commit abc" in text
    assert curve.rewritten(text, []) == curve.rewritten((ROOT / "README.md").read_text(), [])
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [one.name for one in pictures] == sorted([curve.BY_SECONDS, curve.BY_PARAMETERS])
    assert all(one.stat().st_size < 100_000 for one in pictures)


def test_of_records_of_one_core_the_figure_says_so():
    record = _record(title="quick")
    assert curve.point(record, 1.0).name == "quick"
    assert curve.point(record | {"machine": HERE | {"threads": 1}}, 1.0).name == "quick, one core"


def test_the_headline_is_what_the_cheapest_cost_that_reach_a_goal():
    records = [
        _record(title="a"),
        _record("b", [0.9961], [60.0]),
        _record("c", [0.9972], [300.0]),
        _record("d", [0.9915], [7.0]),
    ]
    figure = curve.against(records, curve.train_seconds, "seconds", curve.SECONDS, curve.in_words, "lower right")
    assert figure.get_suptitle() == "99% in 1.1 s, 99.5% in 60 s, 99.7% in 5 min"


def test_without_records_there_is_nothing_to_draw(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["curve", "--results", str(tmp_path / "none.json"), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="no records of MNIST yet"):
        curve.main()
    assert list(tmp_path.iterdir()) == []
