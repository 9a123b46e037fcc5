"""Which trial is next, whatever dies: the budget is exact, no point is lost and none is done twice."""

import time

import numpy as np
import optuna
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from tenfold import recipes
from tenfold.errors import TenfoldError, UsageError
from tenfold.tune import space_file
from tenfold.tune.sampler import SECONDS, Budget, Sampler
from tenfold.tune.storage import Store
from tenfold.tune.study import Question

SIX = {"learning_rate": {"choices": [0.01, 0.03, 0.1]}, "batch_size": {"choices": [64, 128]}}


class Storage(InMemoryStorage):
    """A storage that breaks before a write of one's choice."""

    writes = ("create_new_trial", "set_trial_param", "set_trial_state_values", "set_trial_user_attr")

    def __init__(self):
        super().__init__()
        self.fuse = None
        for name in self.writes:
            setattr(self, name, self._breakable(getattr(self, name)))

    def _breakable(self, write):
        def call(*words, **named):
            if self.fuse is not None:
                self.fuse -= 1
                if self.fuse < 0:
                    raise BrokenPipeError
            return write(*words, **named)

        return call


def _sampler(storage, search="grid", space=SIX, seed=0, change="precision=float32", **budget):
    base = recipes.override(recipes.quick(), [change])
    question = Question(space_file.parse(space, base), search, seed=seed)
    return Sampler(Store(storage, "memory"), "study", question, Budget(**budget))


def _tell(sampler, asked, accuracy=0.5):
    sampler.tell(asked.trial, TrialState.COMPLETE, {SECONDS: 1.0}, accuracy)


def _all(sampler):
    """Ask for all trials and tell them, and return the points in the order in which they were asked for."""
    points = []
    while asked := sampler.ask():
        points.append(asked.trial.params)
        _tell(sampler, asked)
    return points


def _key(point):
    return tuple(sorted(point.items()))


def test_a_point_that_was_sampled_twice_is_still_run_after_a_kill():
    storage = Storage()
    sampler = _sampler(storage, "random")
    for _ in range(4):  # the third point is sampled again before it is told
        sampler.ask()
    resumed = _sampler(storage, "random")
    assert len(_all(resumed)) == len(resumed.trials()) == 6


@pytest.mark.parametrize("search", ["grid", "random", "tpe"])
def test_a_finite_space_is_sampled_point_by_point_each_once(search):
    sampler = _sampler(Storage(), search)
    points = _all(sampler)
    assert sorted(map(_key, points)) == sorted(map(_key, sampler.question.space.grid()))
    assert sampler.over()
    assert sampler.ask() is None
    assert [trial.state for trial in sampler.trials()] == ["complete"] * 6  # what was sampled again counts for nothing


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_steps_that_do_not_add_up_to_themselves_are_points_once(search):
    """0.1 + 0.1 + 0.1 is 0.30000000000000004 for whoever samples."""
    smoothing = {"label_smoothing": {"low": 0.0, "high": 0.7, "step": 0.1}}
    sampler = _sampler(Storage(), search, smoothing)
    points = _all(sampler)
    assert sorted(sampler.question.space.recipe(p).label_smoothing for p in points) == [n / 10 for n in range(8)]


def test_a_logarithmic_range_of_whole_numbers_is_sampled_in_the_logarithm():
    width = {"quick.width": {"low": 1, "high": 400, "log": True}}
    widths = [point["quick.width"] for point in _all(_sampler(Storage(), "random", width, trials=20))]
    assert len(set(widths)) == 20
    assert 10 <= np.median(widths) <= 40  # 20, where the range's middle is 200


@pytest.mark.parametrize("search", ["grid", "random", "tpe"])
@pytest.mark.parametrize("trials", [1, 4])
def test_the_budget_is_exact_and_may_grow(search, trials):
    storage = Storage()
    assert len(_all(_sampler(storage, search, trials=trials))) == trials
    assert _all(_sampler(storage, search, trials=trials)) == []
    assert len(_all(_sampler(storage, search, trials=5))) == 5 - trials
    assert len(_all(_sampler(storage, search, trials=100))) == 1
    trials = _sampler(storage, search).trials()
    assert len({_key(trial.point) for trial in trials}) == len(trials) == 6


@pytest.mark.parametrize("search", ["grid", "random"])
def test_the_points_follow_from_the_seed_and_not_from_the_number_of_workers(search):
    space = SIX if search == "grid" else SIX | {"warmup": {"low": 0.1, "high": 0.5}}
    alone = _all(_sampler(Storage(), search, space, trials=6))
    together = _sampler(Storage(), search, space, trials=6)
    assert [together.ask().trial.params for _ in range(6)] == alone
    assert together.ask() is None
    assert _all(_sampler(Storage(), search, space, trials=6, seed=1)) != alone


def test_what_was_running_is_the_same_trial_for_the_next_command():
    storage = Storage()
    first = _sampler(storage, trials=3)
    done, lost = first.ask(), first.ask()
    _tell(first, done)
    assert not first.report(lost.trial, 1, 0.4)
    second = _sampler(storage, trials=3)
    assert not second.over()
    again = second.ask()
    assert (again.trial.number, again.trial.params) == (lost.trial.number, lost.trial.params)
    assert (again.recipe, again.reported) == (lost.recipe, 1)
    _tell(second, again)
    assert len(_all(second)) == 1
    assert [trial.number for trial in second.trials()] == [0, 1, 2]
    assert second.trials()[1].checks == [0.4]


@pytest.mark.parametrize("search", ["grid", "tpe"])
def test_a_point_that_makes_no_recipe_fails_and_the_search_goes_on(search):
    """Three convolutions are possible, and so is a kernel of 15, but not after it."""
    space = {"quick.depth": {"choices": [2, 3]}, "quick.kernel": {"choices": [5, 15]}}
    sampler = _sampler(Storage(), search, space, change="network.depth=2")
    points = _all(sampler)
    assert {(point["quick.depth"], point["quick.kernel"]) for point in points} == {(2, 5), (3, 5), (2, 15)}
    (failed,) = (trial for trial in sampler.trials() if trial.state == "failed")
    assert failed.point == {"quick.depth": 3, "quick.kernel": 15}
    assert failed.reason.startswith("impossible network: conv3")


def test_tpe_takes_each_network_with_its_own_parameters():
    """That is what its groups are for; they are experimental, and say so in a warning that nobody here can mend."""
    space = {
        "network": {"choices": ["quick", "mlp"]},
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "quick.dropout": {"low": 0.0, "high": 0.5},
        "mlp.width": {"low": 8, "high": 512, "log": True},
    }
    sampler = _sampler(Storage(), "tpe", space, trials=40)
    while asked := sampler.ask():
        point = asked.trial.params
        assert point.keys() == {parameter.name for parameter in sampler.question.space.active(point)}
        _tell(sampler, asked, 0.9 - point.get("quick.dropout", 0.8) if point["network"] == "quick" else 0.2)
    late = [trial.point for trial in sampler.trials()][20:]
    assert np.mean([point["network"] == "quick" for point in late]) > 0.7  # it has learnt which is better
    assert np.median([point["quick.dropout"] for point in late if "quick.dropout" in point]) < 0.25


def test_after_the_deadline_nothing_is_begun():
    storage, now = Storage(), time.monotonic()
    assert _sampler(storage, until=now + 4, jobs=2).ask()  # nothing is known yet of how long one takes
    later = _sampler(storage, until=now - 1, jobs=2)
    assert later.ask() is None  # the one that was begun is left to the next command
    assert not later.over()
    longer = _sampler(storage, until=now + 3_600, jobs=2)
    for _ in range(3):
        _tell(longer, longer.ask())
    # A trial takes a second, and the ten trainings of the final five seconds on two processes.
    short = _sampler(storage, until=now + 4, jobs=2)
    assert short.ask() is None
    assert short.over()


@pytest.mark.parametrize(
    ("change", "attributes"),
    [("epochs=2", {}), ("precision=float32", {"format": 1}), ("precision=float32", {"question": None})],
)
def test_another_study_of_that_name_is_refused(change, attributes):
    storage = Storage()
    _all(_sampler(storage, trials=1))
    study = optuna.load_study(study_name="study", storage=storage)
    for key, value in attributes.items():
        study.set_user_attr(key, value)
    with pytest.raises(UsageError):
        _sampler(storage, change=change)


class Search(RuleBasedStateMachine):
    """A parent that asks, tells and dies at any write, with any number of trials running; each next one goes on."""

    @initialize(search=st.sampled_from(["grid", "random", "tpe"]), trials=st.sampled_from([1, 3, 5, None]))
    def begin(self, search, trials):
        self.storage, self.search, self.trials, self.told = Storage(), search, trials, []
        self.die()

    @rule()
    def die(self):
        self.storage.fuse, self.running = None, []
        self.sampler = _sampler(self.storage, self.search, trials=self.trials)

    @rule(fuse=st.none() | st.integers(0, 12))
    def ask(self, fuse):
        self.storage.fuse = fuse
        try:
            asked = self.sampler.ask()
        except TenfoldError:
            self.die()
            return
        self.storage.fuse = None
        if asked:
            self.running.append(asked)

    @precondition(lambda self: self.running)
    @rule(at=st.integers(0, 100), fuse=st.none() | st.integers(0, 2))
    def finish(self, at, fuse):
        asked = self.running.pop(at % len(self.running))
        self.storage.fuse = fuse
        try:
            _tell(self.sampler, asked)
            self.told.append(_key(asked.trial.params))
        except TenfoldError:
            self.die()
        self.storage.fuse = None

    @invariant()
    def never_too_many_and_none_twice(self):
        if hasattr(self, "sampler"):
            trials = self.sampler.trials()
            assert self.trials is None or len(trials) <= self.trials
            assert len(self.told) == len(set(self.told))

    def teardown(self):
        if not hasattr(self, "sampler"):
            return
        self.die()
        self.told += map(_key, _all(self.sampler))
        assert self.sampler.over()
        trials = self.sampler.trials()
        assert [trial.state for trial in trials] == ["complete"] * (self.trials or 6)
        assert sorted(_key(trial.point) for trial in trials) == sorted(set(self.told)) == sorted(self.told)


TestSearch = Search.TestCase
TestSearch.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
