"""A study's question and result, as `study.json` has them."""

import json

import pytest

from tenfold import recipes
from tenfold.errors import UsageError
from tenfold.tune import study
from tenfold.tune.study import Question, Result, Trial, ranked


def _trials():
    return [
        Trial(0, {"learning_rate": 0.1}, "complete", 0.97, 0.5, [0.9, 0.97]),
        Trial(1, {"learning_rate": 0.2}, "pruned", 0.80, 0.2, [0.8]),
        Trial(2, {"learning_rate": 0.3}, "failed", None, 0.1, [], False, "the loss stopped being a number"),
        Trial(3, {"learning_rate": 0.01}, "complete", 0.98, 0.5, [0.7, 0.98], True),
        Trial(4, {"learning_rate": 0.02}, "complete", 0.97, 0.5, []),
        Trial(5, {"learning_rate": 0.05}, "running", 0.99, checks=[0.99]),
        Trial(6, {}, "waiting", checks=[]),
    ]


@pytest.mark.parametrize(
    "settings", [{}, {"search": "random", "prune": "hyperband", "repeats": 3}, {"folds": 5, "seed": 7}]
)
def test_a_question_survives_json(asked, settings):
    question = asked(**{"search": "tpe"} | settings)
    document = json.loads(json.dumps(question.document))
    assert document == question.document
    assert Question.parse(document) == question


@pytest.mark.parametrize(
    "settings",
    [
        *({"repeats": 0}, {"folds": 1}, {"folds": 3, "repeats": 2}, {"folds": 3, "prune": "median"}),
        *({"validation_size": 0}, {"validation_size": 0, "folds": 3}),  # the final compares on validation pictures
        {"space": {"learning_rate": {"low": 0.1, "high": 0.2}}},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(asked, settings):
    with pytest.raises(UsageError):
        asked("grid", **settings)


def test_the_best_come_first_and_only_those_that_came_to_their_end():
    assert [trial.number for trial in ranked(_trials())] == [3, 0, 4]  # of equals the one that was tried first


def test_a_study_is_read_as_it_was_written(asked, tmp_path):
    model = {"trial": 3, "point": {"learning_rate": 0.01}, "recipe": asked().space.base.model_dump()}
    model |= {"runs": ["a-seed1", "a-seed2"], "accuracies": [0.97, 0.98], "mean": 0.975, "sd": 0.007}
    model |= {"interval": [0.91, 1.04], "train_seconds": 0.5}
    result = Result(tmp_path, asked(), _trials(), {"learning_rate": 1.0}, {"models": [model]})
    result.write()
    assert study.load(tmp_path) == result
    assert result.name == tmp_path.name
    assert result.final_runs == [tmp_path.parent / "a-seed1", tmp_path.parent / "a-seed2"]
    document = json.loads((tmp_path / study.FILE).read_text())
    assert document == json.loads(json.dumps(result.document))
    assert document["trials"][2]["reason"] == "the loss stopped being a number"
    assert recipes.parse(document["question"]["recipe"]) == asked().space.base
