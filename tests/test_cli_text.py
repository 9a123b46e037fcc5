from pathlib import Path

import pytest

from tenfold import evaluate
from tenfold.cli import _output
from tenfold.cli import evaluate as evaluate_verb
from tenfold.cli import export as export_verb
from tenfold.cli import tune as tune_verb
from tenfold.export import Cost, Export, Gate
from tenfold.scores import Score
from tenfold.statistics import Threshold
from tenfold.tune.study import Result, Trial


def test_columns_are_aligned():
    text = _output.table(["name", "n"], [["a", "1"], ["longer", "1,000"]])
    assert text.splitlines() == ["name        n", "a           1", "longer  1,000"]


@pytest.fixture
def seeds_and_other(run, sibling):
    """Two seeds of one recipe and another recipe, all with the same weights."""
    return [run, sibling("seed1", seed=1), sibling("other", learning_rate=0.1)]


def test_of_many_runs_only_different_recipes_are_compared(seeds_and_other):
    text = evaluate_verb.text(evaluate.evaluate(seeds_and_other))
    assert "small is tied with other" in text
    assert "seed1 is tied with other" in text
    assert "small is tied with seed1" not in text
    assert "quick, 2 seeds: mean" in text


def test_two_runs_are_compared_whatever_they_are(seeds_and_other):
    text = evaluate_verb.text(evaluate.evaluate(seeds_and_other[:2]))
    assert "small is tied with seed1: right alone 0 to 0, p = 1" in text


def test_a_committee_stands_beneath_its_members(seeds_and_other):
    results = evaluate.evaluate(seeds_and_other)
    committee = evaluate.committee(results)
    lines = evaluate_verb.text(results, committee).splitlines()
    assert lines[4].startswith("committee of 3")
    assert lines[4].split()[3:6] == ["validation", f"{committee.correct}/1,000", f"{committee.accuracy:.2%}"]


def test_one_run_is_shown_class_by_class(run):
    (result,) = evaluate.evaluate([run])
    lines = evaluate_verb.text([result]).splitlines()
    rows = [line for line in lines if "|" in line]
    assert len(rows) == 11
    diagonal = [int(row.partition("|")[2].split()[at]) for at, row in enumerate(rows[1:])]
    assert sum(diagonal) == result.score.correct


SURE = Threshold(confidence=0.98727, answered=4_629, correct=4_626, total=5_000)
GATE = Gate("tensorflow", 10_000, 0, 2.4e-6)
SCORE = Score(split="validation", confusion=((4_950, 50), (0, 0)))


def test_an_export_in_a_few_lines():
    text = export_verb.text(Export(Path("m.onnx"), 81_638, "float32", 0.43521, SURE, [SCORE], GATE, None))
    assert text.splitlines() == [
        "float32, 81,638 bytes",
        "in float32 it predicts what tensorflow predicts on 10,000 pictures; logits differ by 2e-06 at most",
        "validation: 4,950 of 5,000 right, 99.00% (98.68% to 99.24%)",
        "its probabilities are calibrated, at a temperature of 0.435",
        "sure from 98.73%: of 4,629 such answers to 5,000 validation pictures 4,626 were right",
    ]


def test_an_export_says_what_is_not_as_usual():
    gate = Gate("pytorch", 10_000, 2, 2.4e-6)
    cost = Cost(5_000, 0.9902, 0.02, 0.1)
    text = export_verb.text(Export(Path("m.onnx"), 36_304, "int8", None, None, [SCORE], gate, cost))
    assert "on 10,000 pictures, but for 2 near-ties;" in text
    assert "int8 instead of float32: -0.02 points of accuracy (float32 has 99.02% on 5,000 validation" in text
    assert "its probabilities are not calibrated: the run kept no validation pictures" in text
    assert "no answer is sure" in text


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

    def result(verdict=None, models=2):
        final = {"models": [_model(5, 0.95), _model(4, 0.94)][:models]}
        if models == 2:
            final["comparison"] = {
                "verdict": verdict,
                "mean": 0.01,
                "interval": [-0.002, 0.022],
                "n": 5,
                "p_value": 0.08,
            }
        return Result(Path("study"), asked(), trials, {}, final if verdict or models == 1 else None)

    return result


def test_a_search_is_its_best_trials_and_those_that_failed(searched):
    lines = tune_verb.text(searched()).splitlines()
    assert lines[0] == "6 complete, 1 failed, 1 pruned; 1 were trained before"
    assert lines[2].split() == ["trial", "validation", "seconds", "learning_rate", "batch_size", "mlp.width"]
    assert [line.split()[:2] for line in lines[3:8]] == [[str(n), f"{90 + n}.00%"] for n in (5, 4, 3, 2, 1)]
    assert lines[3].split()[2:] == ["1.3", "0.01235", "64", "-"]
    assert lines[9].split() == ["failed", "why", "learning_rate", "batch_size", "mlp.width"]
    assert " ".join(lines[10].split()) == "7 the loss stopped being a number - - 8"
    assert len(lines) == 11


@pytest.mark.parametrize(
    ("verdict", "words"), [("tied", "is tied with"), ("better", "is better than"), ("worse", "is worse than")]
)
def test_a_final_says_who_is_better_or_that_nobody_is(searched, verdict, words):
    *_, first, _, verdict = tune_verb.text(searched(verdict)).splitlines()
    assert " ".join(first.split()) == "trial 5 95.00% ± 0.10% 94.80% to 95.20% 1.2 study-trial5-seed1"
    assert verdict == (f"trial 5 {words} trial 4: +1.000 points (-0.200 to +2.200), paired over 5 seeds, p = 0.08")


def test_a_final_of_one_compares_nothing(searched):
    assert tune_verb.text(searched(models=1)).splitlines()[-1].startswith("trial 5 ")


def test_a_search_that_has_nothing_yet(asked):
    assert tune_verb.text(Result(Path("study"), asked(), [], {}, None)) == ""


def test_a_matrix_of_many_classes_is_left_to_the_report(run, monkeypatch):
    (result,) = evaluate.evaluate([run])
    assert "|" in evaluate_verb.text([result])
    monkeypatch.setattr(evaluate_verb, "WIDEST", 9)
    text = evaluate_verb.text([result])
    assert "|" not in text
    assert text.splitlines()[-1].split()[0] == "9"
