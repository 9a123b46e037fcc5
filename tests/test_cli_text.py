from pathlib import Path

import pytest

from tenfold import evaluate
from tenfold.cli import _output
from tenfold.cli import evaluate as evaluate_verb
from tenfold.cli import tune as tune_verb
from tenfold.tune.study import Result, Trial


def test_columns_are_aligned():
    text = _output.table(["name", "n"], [["a", "1"], ["longer", "1,000"]])
    assert text.splitlines() == ["name        n", "a           1", "longer  1,000"]


@pytest.fixture
def seeds_and_other(run, sibling):
    """Two seeds of one recipe and another recipe, all with the same weights."""
    return [run, sibling("seed1", seed=1), sibling("other", learning_rate=0.1)]


def test_of_many_runs_only_different_recipes_are_compared(seeds_and_other):
    results = evaluate.evaluate(seeds_and_other)
    text = evaluate_verb.text(results)
    assert "small is tied with other" in text
    assert "seed1 is tied with other" in text
    assert "small is tied with seed1" not in text
    assert "small is tied with seed1" in evaluate_verb.text(results[:2])


def test_one_run_is_shown_class_by_class(run):
    (result,) = evaluate.evaluate([run])
    lines = evaluate_verb.text([result]).splitlines()
    rows = [line for line in lines if "|" in line]
    assert len(rows) == 11
    diagonal = [int(row.partition("|")[2].split()[at]) for at, row in enumerate(rows[1:])]
    assert sum(diagonal) == result.entry["correct"]


def _model(trial, mean):
    runs = [f"study-trial{trial}-seed{seed}" for seed in range(1, 6)]
    return {
        "trial": trial,
        "mean": mean,
        "sd": 0.001,
        "interval": [mean - 0.002, mean + 0.002],
        "train_seconds": 1.2,
    } | {"runs": runs}


@pytest.fixture
def searched(asked):
    """`searched(verdict)` is a study of seven trials whose final ended so."""
    trials = [
        Trial(number, {"learning_rate": 0.0123456, "batch_size": 64}, "complete", 0.9 + number / 100, 1.26)
        for number in range(6)
    ]
    trials += [Trial(7, {"mlp.width": 8}, "failed", None, reason="the loss stopped being a number")]
    trials += [Trial(8, {"learning_rate": 0.1}, "pruned", 0.99, 0.4, [0.99], reused=True)]

    def result(verdict=None):
        comparison = {"verdict": verdict, "mean": 0.01, "interval": [-0.002, 0.022], "n": 5, "p_value": 0.08}
        final = {"models": [_model(5, 0.95), _model(4, 0.94)], "comparison": comparison}
        return Result(Path("study"), asked(), trials, {}, final if verdict else None)

    return result


def test_a_search_is_its_best_trials_and_those_that_failed(searched):
    lines = tune_verb.text(searched()).splitlines()
    assert [line.split()[:2] for line in lines[3:8]] == [[str(n), f"{90 + n}.00%"] for n in (5, 4, 3, 2, 1)]
    assert lines[3].split()[2:] == ["1.3", "0.01235", "64", "-"]
    assert " ".join(lines[10].split()) == "7 the loss stopped being a number - - 8"
    assert len(lines) == 11


@pytest.mark.parametrize("verdict", ["tied", "better", "worse"])
def test_a_final_says_who_is_better_or_that_nobody_is(searched, verdict):
    text = tune_verb.text(searched(verdict))
    assert f"trial 5 is {verdict}" in text.splitlines()[-1]
    assert "p = 0.08" in text.splitlines()[-1]
