import pytest

from tenfold import console, evaluate


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
