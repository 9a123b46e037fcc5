"""What one sees while a search runs."""

import pytest

from tenfold.tune import search as module
from tenfold.tune.sampler import Budget
from tenfold.tune.search import board, described
from tenfold.tune.study import Trial


def _trial(number, state="complete", accuracy=0.9):
    return Trial(number, {"learning_rate": 0.0123456, "batch_size": 64}, state, accuracy)


def test_before_the_first_result_there_is_no_rate():
    assert board([], Budget(trials=10), before=0, seconds=0) == "0 of 10 trials"
    assert board([_trial(0, "running", None)], Budget(), 0, 3) == "0 trials"


def test_a_line_says_how_it_goes_and_the_best_five_follow():
    trials = [_trial(number, accuracy=0.9 + number / 100) for number in range(7)]
    trials += [_trial(7, "pruned", 0.5), _trial(8, "pruned", 0.99), _trial(9, "failed", None), _trial(10, "running")]
    first, *best = board(trials, Budget(trials=30), before=4, seconds=12).splitlines()
    assert first == "10 of 30 trials, best 96.00%, 30 per minute, 20% pruned, 1 failed, 0:40 left"
    assert [line.split()[:3] for line in best] == [
        [f"{90 + number}.00%", "trial", f"{number}:"] for number in (6, 5, 4, 3, 2)
    ]
    assert best[0].endswith("learning_rate 0.01235, batch_size 64")


def test_trials_of_former_commands_make_no_rate():
    assert board([_trial(0), _trial(1)], Budget(trials=4), before=2, seconds=60).splitlines()[0] == (
        "2 of 4 trials, best 90.00%"
    )


@pytest.mark.parametrize(
    ("budget", "left"),
    [
        (Budget(until=1_090), "1:30 left"),
        (Budget(until=900), "0:00 left"),
        (Budget(trials=7, until=1_090), "0:50 left"),  # whichever ends first
        (Budget(trials=700, until=1_090), "1:30 left"),
        (Budget(), "6 per minute"),
    ],
)
def test_the_time_that_is_left_is_that_of_the_narrower_budget(monkeypatch, budget, left):
    monkeypatch.setattr(module.time, "time", lambda: 1_000.0)
    line = board([_trial(0), _trial(1)], budget, before=0, seconds=20).splitlines()[0]
    assert line.endswith(left)


def test_a_point_is_described_in_a_line():
    trial = Trial(0, {"network": "quick", "warmup": 0.30000000000000004, "batch_size": 64}, "complete", 0.9)
    assert described(trial) == "network quick, warmup 0.3, batch_size 64"
