"""Each benchmark runs at its smallest size, and the pages show what is recorded."""

import json
import sys
from pathlib import Path

import pytest
from benchmarks import curve, few, gpu, inference, kinds, published, recipes, results, score, ship
from PIL import Image

from tenfold import architectures, evaluate, files, networks, runs
from tenfold import recipes as all_recipes
from tenfold.data import split
from tenfold.errors import TenfoldError
from tenfold.networks import Conv, Dense, Dropout, Flatten, MaxPool, Relu
from tenfold.runs import Run

ROOT = Path(__file__).parents[1]
MACHINE = {"processor": "a processor", "cores": 2, "threads": 2, "precision": "float32"}


@pytest.fixture
def bench(monkeypatch):
    """`bench(score, "--jobs", 1)` runs a benchmark as the command line does."""

    def call(module, *words):
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
        module.main()

    return call


def _openings(folder):
    return [json.loads(line) for line in (folder / split.LEDGER).read_text().splitlines()]


def _record(key, accuracies, seconds, **fields):
    counts = (17_274, 604_224, 1_800_000, 51_000)
    return results.make(key, "mnist", key, accuracies, seconds, [4.0], *counts, "abc", MACHINE) | fields


@pytest.mark.slow
def test_curve_draws_the_records_and_rewrites_the_tables(bench, tmp_path):
    path, readme, page = (tmp_path / name for name in ("results.json", "README.md", "benchmarks.md"))
    record = _record("mnist/quick", [0.99, 0.992, 0.991], [1.0, 2.0, 1.1])
    half = 4.302653 * 0.001 / 3**0.5  # Student's t of 2 degrees of freedom, from a table
    assert record["accuracy"]["interval"] == pytest.approx([0.991 - half, 0.991 + half])
    assert record["gflops"] == pytest.approx(2 * 1_800_000 * 51_000 / 1.1 / 1e9, abs=0.01)
    records = [record, _record(published.ONE_EPOCH, [0.99], [60.0], source="example.org/one")]
    for one in (*records, record):
        results.save(one, path)
    assert results.read(path) == records
    for file in (readme, page):
        file.write_text(f"before\n{curve.BEGIN}\nold\n{curve.END}\nafter\n")
    bench(curve, "--results", path, "--out", tmp_path / "pictures", "--readme", readme, "--page", page)
    assert "99.100% ± 0.100% (98.852% to 99.348%) | 1.10 (1.00 to 2.00)" in page.read_text()
    assert f"| [{published.ONE_EPOCH}](https://example.org/one) | 99.00% | 60.0 |" in readme.read_text()
    assert "old" not in readme.read_text() + page.read_text()
    assert {one.name for one in (tmp_path / "pictures").iterdir()} == {curve.BY_SECONDS, curve.BY_PARAMETERS}


def test_the_tables_of_the_pages_are_what_the_records_say():
    records = results.read()
    for name, content in (("README.md", curve.summary(records)), ("docs/benchmarks.md", curve.table(records))):
        page = (ROOT / name).read_text()
        assert curve.rewritten(page, content) == page


@pytest.mark.slow
def test_recipes_resumes_killed_seeds_and_opens_the_test_set_once(bench, tmp_path):
    sizes = ["train_size=500", "epochs=1", "precision=float32", "network.width=4"]
    words = ["quick", "--seeds", "2", "--jobs", "2", *(word for size in sizes for word in ("--set", size))]
    words += ["--out", tmp_path, "--results", tmp_path / "results.json"]
    bench(recipes, *words)
    (record,) = results.read(tmp_path / "results.json")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    trained = [Run(folder / f"seed{seed}") for seed in range(2)]
    for name in (runs.WEIGHTS, runs.SCORES):
        (trained[1].folder / name).unlink()  # as if it had been killed
    bench(recipes, *words, "--resume", "--committee")
    again, committee = results.read(tmp_path / "results.json")
    assert again["accuracies"] == record["accuracies"]
    assert committee["parameters"] == 2 * record["parameters"]
    openings = _openings(folder)
    bench(recipes, *words, "--resume", "--committee")
    assert _openings(folder) == openings


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


@pytest.mark.slow
def test_published_recipes_are_recorded_beside_quick(bench, tmp_path):
    sizes = ["--pictures", "2000", "--epochs", "1", "--seeds", "1"]
    bench(published, *sizes, "--out", tmp_path, "--results", tmp_path / "results.json")
    (record,) = results.read(tmp_path / "results.json")
    ratio = record["train_seconds"]["median"] / record["quick_seconds"]["median"]
    assert (record["seeds"], record["times_quick"]) == (1, pytest.approx(ratio))
    assert record["accuracies"][0] > 0.3
    assert len(_openings(tmp_path)) == 1


def test_the_fast_recipes_of_a_gpu_train_on_the_cpu_too(bench, tmp_path, capsys):
    bench(gpu, "--device", "cpu", "--pictures", "300", "--seeds", "2", "--fast", "--out", tmp_path)
    rows = [line.split() for line in capsys.readouterr().out.split("accuracy: mean ± sd")[1].splitlines()[1:]]
    assert [row[0] for row in rows] == ["published", "quick", "instant"]
    (opening,) = _openings(tmp_path)
    assert [run["recipe"] is None for run in opening["runs"]] == [True, False, False]


@pytest.mark.slow
def test_every_engine_is_measured_on_the_same_answers(bench, run, tmp_path):
    numbers, picture = tmp_path / "numbers.json", tmp_path / "figure.png"
    words = ["--pictures", "40", "--batches", "1", "4", "--threads", "1", "--rounds", "1"]
    bench(inference, *words, "--json", numbers, "--figure", picture, run.folder)
    rows = json.loads(numbers.read_text())["rows"]
    measured = [row["engine"] for row in rows]
    assert measured == [engine for engine in inference.ENGINES if engine in measured]  # int8 may cost too much
    assert len(measured) >= 4
    assert all(min(row["microseconds"].values()) > 0 < row["ready"] <= row["peak"] for row in rows)
    with Image.open(picture) as drawn:
        assert drawn.width > 1_000


@pytest.mark.slow
def test_each_kind_of_source_is_measured(bench, run, tmp_path):
    numbers, picture = tmp_path / "numbers.json", tmp_path / "figure.png"
    words = ["--model", run.folder, "--sizes", "50", "100", "--most-encoded", "50", "--jobs", "1"]
    bench(score, *words, "--json", numbers, "--figure", picture)
    rows = json.loads(numbers.read_text())["rows"]
    assert [(row["kind"], row["pictures"]) for row in rows] == [("idx", 50), ("idx", 100), ("png", 50), ("parquet", 50)]
    assert all(row["seconds"] > 0 and row["peak"] > 50 and row["bytes"] > 1 for row in rows)


@pytest.mark.slow
def test_each_kind_of_picture_is_read(bench, tmp_path, capsys):
    bench(kinds, "--pictures", "2", "--figure", tmp_path / "kinds.png")
    rows = {line[:18].strip(): line[18:].split() for line in capsys.readouterr().out.splitlines()}
    assert set(rows) > {kind.name for kind in kinds.KINDS}
    assert rows["plain"] == ["2", "100.0%", "2", "0", "0"]
    assert (tmp_path / "kinds.png").stat().st_size < 300_000


@pytest.mark.slow
def test_augmentation_of_few_pictures_is_measured(bench, capsys):
    bench(few, "--pictures", "100", "--maps", "none", "standard's", "--seeds", "1")
    *_, plain, moved = (float(line.split()[-1].rstrip("%")) for line in capsys.readouterr().out.splitlines()[1:])
    assert 20 < plain < moved


# The bundled models


@pytest.fixture
def judged(monkeypatch, small, run):
    """A run of the recipe `hands`, which is small here, with both of its scores."""
    monkeypatch.setitem(all_recipes.RECIPES, "hands", lambda: small)
    evaluate.evaluate([run], test=True, who="a test")
    return run


@pytest.mark.parametrize(
    "harm",
    [
        lambda run: files.write_json(run.folder / runs.SCORES, [run.scores[0].document()]),
        lambda run: files.write_json(
            run.folder / runs.SCORES, [one.document() | {"scoring": "shifted"} for one in run.scores]
        ),
        lambda run: (run.folder / runs.WEIGHTS).unlink(),
        lambda run: (run.folder / runs.HISTORY).write_text(2 * (run.folder / runs.HISTORY).read_text()),
        lambda run: (run.folder / runs.HISTORY).write_text("{"),
    ],
)
def test_what_may_not_come_along_is_refused(judged, sibling, harm):
    ship.require_shippable(sibling("seed7", seed=7))
    harm(judged)
    for run in (judged, sibling("other", rotation=6)):
        with pytest.raises(TenfoldError):
            ship.require_shippable(run)
