from pathlib import Path

import pytest

from tenfold import console, evaluate
from tenfold.export import Cost, Export, Gate


def test_columns_are_aligned():
    text = console.table(["name", "n"], [["a", "1"], ["longer", "1,000"]])
    assert text.splitlines() == ["name        n", "a           1", "longer  1,000"]


@pytest.fixture
def seeds_and_other(run, sibling):
    """Two seeds of one recipe and another recipe, all with the same weights."""
    return [run, sibling("seed1", seed=1), sibling("other", learning_rate=0.1)]


def test_of_many_runs_only_different_recipes_are_compared(seeds_and_other):
    text = console.evaluations(evaluate.evaluate(seeds_and_other))
    assert "small is tied with other" in text
    assert "seed1 is tied with other" in text
    assert "small is tied with seed1" not in text
    assert "quick, 2 seeds: mean" in text


def test_two_runs_are_compared_whatever_they_are(seeds_and_other):
    text = console.evaluations(evaluate.evaluate(seeds_and_other[:2]))
    assert "small is tied with seed1: right alone 0 to 0, p = 1" in text


def test_one_run_is_shown_class_by_class(run):
    (result,) = evaluate.evaluate([run])
    lines = console.evaluations([result]).splitlines()
    rows = [line for line in lines if "|" in line]
    assert len(rows) == 11
    diagonal = [int(row.partition("|")[2].split()[at]) for at, row in enumerate(rows[1:])]
    assert sum(diagonal) == result.entry["correct"]


GATE = Gate("tensorflow", 10_000, 0, 2.4e-6)
SCORE = {"split": "validation", "correct": 4_950, "total": 5_000, "accuracy": 0.99, "interval": [0.987, 0.992]}


def test_an_export_in_a_few_lines():
    text = console.export(Export(Path("m.onnx"), 81_638, "float32", 0.43521, [SCORE], GATE, None))
    assert text.splitlines() == [
        "float32, 81,638 bytes",
        "in float32 it predicts what tensorflow predicts on 10,000 pictures; logits differ by 2e-06 at most",
        "validation: 4,950 of 5,000 right, 99.00% (98.70% to 99.20%)",
        "its probabilities are calibrated, at a temperature of 0.435",
    ]


def test_an_export_says_what_is_not_as_usual():
    gate = Gate("pytorch", 10_000, 2, 2.4e-6)
    cost = Cost(5_000, 0.9902, 0.02, 0.1)
    text = console.export(Export(Path("m.onnx"), 36_304, "int8", None, [SCORE], gate, cost))
    assert "on 10,000 pictures, but for 2 near-ties;" in text
    assert "int8 instead of float32: -0.02 points of accuracy (float32 has 99.02% on 5,000 validation" in text
    assert "its probabilities are not calibrated: the run kept no validation pictures" in text
