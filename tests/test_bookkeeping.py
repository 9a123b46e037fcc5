"""What of Optuna's trials is one of Tenfold's, and which study a question is asked to."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tenfold.errors import UsageError
from tenfold.tune import bookkeeping
from tenfold.tune.storage import Store


@pytest.fixture
def store(tmp_path):
    return Store(None, tmp_path / "study", "study")


def test_a_study_is_begun_once_and_gone_on_with(store, asked):
    study = bookkeeping.begin(store, "study", asked())
    study.ask()
    again = bookkeeping.begin(store, "study", asked())
    assert again.user_attrs["question"] == asked().document
    assert len(again.trials) == 1
    assert again.direction == optuna.study.StudyDirection.MAXIMIZE


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"search": "random"}, "with another search;"),
        ({"seed": 1}, "with another seed;"),
        ({"prune": "median"}, "with another prune;"),
        ({"space": {"batch_size": {"choices": [64]}}}, "with another space;"),
        ({"epochs": 0.4}, "with another recipe;"),
        ({"epochs": 0.4, "repeats": 2}, "with another recipe and another repeats;"),
    ],
)
def test_another_question_to_the_same_study_is_refused_and_named(store, asked, settings, named):
    bookkeeping.begin(store, "study", asked())
    with pytest.raises(UsageError, match=named) as caught:
        bookkeeping.begin(store, "study", asked(**settings))
    assert store.shown in str(caught.value)
    assert "choose another --study" in str(caught.value)
    bookkeeping.begin(store, "another", asked(**settings))  # one journal may have several


def test_a_study_whose_first_command_was_killed_at_once_is_begun_anew(store, asked):
    optuna.create_study(storage=store.storage, study_name="study", direction="maximize")
    assert bookkeeping.begin(store, "study", asked()).user_attrs["question"] == asked().document


def test_a_study_of_someone_elses_is_left_alone(store, asked):
    theirs = optuna.create_study(storage=store.storage, study_name="study", direction="maximize")
    theirs.tell(theirs.ask(), 1.0)
    with pytest.raises(UsageError, match="is not one of Tenfold's; choose another --study"):
        bookkeeping.begin(store, "study", asked())
    assert "question" not in theirs.user_attrs


def test_a_trial_is_a_point_and_what_came_of_it(store, asked):
    study = bookkeeping.begin(store, "study", asked())
    distributions = {"learning_rate": optuna.distributions.CategoricalDistribution([0.01, 0.03, 0.1])}

    def add(state, value=None, looks=(), rate=0.01, **attributes):
        study.add_trial(
            create_trial(
                state=state,
                value=value,
                params={"learning_rate": rate},
                distributions=distributions,
                intermediate_values=dict(enumerate(looks, 1)),
                user_attrs=attributes,
            )
        )

    add(TrialState.COMPLETE, 0.95, seconds=1.5, worker="a")
    add(TrialState.FAIL, repeats=0)  # drawn again
    add(TrialState.PRUNED, 0.8, looks=[0.7, 0.8], seconds=0.5, reused=True)
    add(TrialState.FAIL, looks=[0.3], reason="the loss stopped being a number")
    add(TrialState.FAIL, worker="b")  # died, and is 5 now
    add(TrialState.FAIL, worker="c", replaces=4, deaths=1)  # died, and is 6 now
    add(TrialState.FAIL, worker="d", replaces=5, deaths=2)  # died a third time
    add(TrialState.RUNNING, looks=[0.4, 0.6], worker="e")
    study.enqueue_trial({"learning_rate": 0.1})
    trials = bookkeeping.trials(study)
    assert [(trial.number, trial.state, trial.accuracy) for trial in trials] == [
        (0, "complete", 0.95),
        (2, "pruned", 0.8),
        (3, "failed", 0.3),
        (6, "failed", None),
        (7, "running", 0.6),
        (8, "waiting", None),
    ]
    assert [trial.reason for trial in trials if trial.state == "failed"] == [
        "the loss stopped being a number",
        "its worker died 3 times",
    ]
    assert [trial.reason for trial in trials if trial.state != "failed"] == [None] * 4
    assert trials[0].point == {"learning_rate": 0.01}
    assert [trial.seconds for trial in trials] == [1.5, 0.5, 0, 0, 0, 0]
    assert [trial.reused for trial in trials] == [False, True, False, False, False, False]
    assert trials[1].looks == [0.7, 0.8]
