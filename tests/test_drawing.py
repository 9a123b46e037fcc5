"""Which trial is next, whoever asks and whoever dies: the budget is exact, no point is lost and none is done twice."""

import threading
from contextlib import closing, contextmanager, nullcontext

import numpy as np
import optuna
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from tenfold import recipes
from tenfold.tune import bookkeeping, drawing, space_file
from tenfold.tune.bookkeeping import DEATHS, DIED, IDENTITY, REPEATS
from tenfold.tune.drawing import Budget, Desk, Drawn
from tenfold.tune.storage import Store
from tenfold.tune.study import Question

optuna.logging.set_verbosity(optuna.logging.WARNING)
SIX = {"learning_rate": {"choices": [0.01, 0.03, 0.1]}, "batch_size": {"choices": [64, 128]}}


class Place(InMemoryStorage):
    """A storage that breaks before a write of one's choice, and the locks of the workers that are alive."""

    writes = ("create_new_trial", "set_trial_param", "set_trial_state_values", "set_trial_user_attr")

    def __init__(self):
        super().__init__()
        self.alive, self.fuse = set(), None
        self.storage = self.locks = self
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

    def troubles(self):
        return nullcontext()

    def held(self, name):
        return nullcontext()

    @contextmanager
    def tried(self, name):
        yield name not in self.alive


def _desk(place, search="grid", space=None, budget=None, seed=0, change="precision=float32"):
    base = recipes.override(recipes.quick(), [change])
    question = Question(space_file.parse(space or SIX, base), search, seed=seed)
    try:
        study = optuna.load_study(study_name="study", storage=place.storage)
    except KeyError:
        study = optuna.create_study(study_name="study", storage=place.storage, direction="maximize")
    return Desk(place, study, question, budget or Budget())


def _all(desk, worker="me", tell=0.5):
    """Draw and finish until all is over, and return the points in the order in which they were drawn."""
    drawn = []
    desk.store.locks.alive.add(worker)
    while (one := desk.draw(worker, "float32")) != "over":
        if isinstance(one, Drawn):
            drawn.append(one.trial.params)
            desk.study.tell(one.trial, tell)
        else:
            assert one == "again"
    return drawn


def _key(point):
    return tuple(sorted(point.items()))


@pytest.mark.parametrize("search", ["grid", "random", "tpe"])
def test_a_finite_space_is_drawn_point_by_point_each_once(search):
    desk = _desk(Place(), search)
    points = _all(desk)
    assert sorted(map(_key, points)) == sorted(map(_key, desk.question.space.grid()))
    assert desk.over()
    assert desk.draw("me", "float32") == "over"


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_steps_that_do_not_add_up_to_themselves_are_points_once(search):
    """0.1 + 0.1 + 0.1 is 0.30000000000000004 for whoever samples."""
    smoothing = {"label_smoothing": {"low": 0.0, "high": 0.7, "step": 0.1}}
    desk = _desk(Place(), search, smoothing)
    points = _all(desk)
    assert sorted(desk.question.space.recipe(p).label_smoothing for p in points) == [n / 10 for n in range(8)]


def test_a_logarithmic_range_of_whole_numbers_is_drawn_in_the_logarithm():
    desk = _desk(Place(), "random", {"quick.width": {"low": 1, "high": 400, "log": True}}, Budget(trials=20))
    widths = [point["quick.width"] for point in _all(desk)]
    assert len(set(widths)) == 20
    assert 10 <= np.median(widths) <= 40  # 20, where the range's middle is 200


@pytest.mark.parametrize("search", ["grid", "random", "tpe"])
@pytest.mark.parametrize("trials", [1, 4])
def test_the_budget_is_exact_and_may_grow(search, trials):
    place = Place()
    assert len(_all(_desk(place, search, budget=Budget(trials=trials)))) == trials
    assert _all(_desk(place, search, budget=Budget(trials=trials))) == []
    assert len(_all(_desk(place, search, budget=Budget(trials=5)))) == 5 - trials
    assert len(_all(_desk(place, search, budget=Budget(trials=100)))) == 1
    trials = bookkeeping.trials(_desk(place, search).study)
    assert len({_key(trial.point) for trial in trials}) == len(trials) == 6


@pytest.mark.parametrize("search", ["grid", "random"])
def test_the_points_follow_from_the_seed_and_not_from_who_asks(search):
    space = SIX if search == "grid" else SIX | {"warmup": {"low": 0.1, "high": 0.5}}
    alone = _all(_desk(Place(), search, space, Budget(trials=6)))
    place = Place()
    desks = [_desk(place, search, space, Budget(trials=6)) for _ in range(3)]
    place.alive = {"0", "1", "2"}
    running = [desks[at % 3].draw(str(at % 3), "float32") for at in (0, 1, 2)]
    running += [desk.draw(str(at), "float32") for at, desk in enumerate(desks)]
    assert [drawn.trial.params for drawn in running] == alone
    assert _all(_desk(Place(), search, space, Budget(trials=6), seed=1)) != alone


def test_whoever_finds_nothing_waits_for_those_that_run():
    place = Place()
    desk = _desk(place, budget=Budget(trials=2))
    place.alive = {"one", "two", "three"}
    first, second = (desk.draw(worker, "float32") for worker in ("one", "two"))
    assert desk.draw("three", "float32") == "wait"
    assert not desk.over()
    desk.study.tell(first.trial, 0.5)
    assert desk.draw("one", "float32") == "wait"
    place.alive.remove("two")
    again = desk.draw("three", "float32")  # the second died, and is the third's
    assert again.trial.params == second.trial.params
    assert again.recipe == second.recipe


def test_a_trial_that_dies_is_retried_twice_and_then_listed():
    place = Place()
    desk = _desk(place, budget=Budget(trials=1))
    points = []
    for worker in ("one", "two", "three"):
        place.alive = {worker}
        points.append(desk.draw(worker, "float32").trial.params)
    place.alive = {"four"}
    assert desk.draw("four", "float32") == "over"
    assert points[0] == points[1] == points[2]
    (trial,) = bookkeeping.trials(desk.study)
    assert (trial.state, trial.reason, trial.point) == ("failed", DIED, points[0])


def test_being_put_back_is_no_death():
    place = Place()
    desk = _desk(place, budget=Budget(trials=1))
    place.alive = {"me"}
    for _ in range(5):
        drawn = desk.draw("me", "float32")
        desk.put_back(drawn.trial)
        assert [trial.state for trial in bookkeeping.trials(desk.study)] == ["waiting"]
        assert not desk.over()
    assert len(_all(desk)) == 1


def test_who_was_taken_for_dead_puts_nothing_back():
    place = Place()
    desk = _desk(place, budget=Budget(trials=1))
    lost = desk.draw("cut off", "float32")
    place.alive = {"me"}
    assert len(_all(desk)) == 1
    desk.put_back(lost.trial)
    assert [trial.state for trial in bookkeeping.trials(desk.study)] == ["complete"]


@pytest.mark.parametrize("search", ["grid", "tpe"])
def test_a_point_that_makes_no_recipe_fails_and_the_search_goes_on(search):
    """Three convolutions are possible, and so is a kernel of 15, but not after it."""
    space = {"quick.depth": {"choices": [2, 3]}, "quick.kernel": {"choices": [5, 15]}}
    desk = _desk(Place(), search, space, change="network.depth=2")
    points = _all(desk)
    assert {(point["quick.depth"], point["quick.kernel"]) for point in points} == {(2, 5), (3, 5), (2, 15)}
    (failed,) = (trial for trial in bookkeeping.trials(desk.study) if trial.state == "failed")
    assert failed.point == {"quick.depth": 3, "quick.kernel": 15}
    assert failed.reason.startswith("impossible network: conv3")


def test_what_is_drawn_again_counts_for_nothing():
    desk = _desk(Place(), "random")
    points = _all(desk)
    everything = desk.study.get_trials(deepcopy=False)
    again = [trial for trial in everything if REPEATS in trial.user_attrs]
    assert again  # six of six cannot be drawn at random without one
    assert all(trial.state == TrialState.FAIL and IDENTITY not in trial.user_attrs for trial in again)
    assert len(everything) == len(points) + len(again)
    assert [trial.state for trial in bookkeeping.trials(desk.study)] == ["complete"] * 6


def test_tpe_takes_each_network_with_its_own_parameters():
    """That is what its groups are for; they are experimental, and say so in a warning that nobody here can mend."""
    space = {
        "network": {"choices": ["quick", "mlp"]},
        "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
        "quick.dropout": {"low": 0.0, "high": 0.5},
        "mlp.width": {"low": 8, "high": 512, "log": True},
    }
    place = Place()
    desk = _desk(place, "tpe", space, Budget(trials=40))
    place.alive = {"me"}
    while isinstance(drawn := desk.draw("me", "float32"), Drawn):
        point = drawn.trial.params
        assert point.keys() == {parameter.name for parameter in desk.question.space.active(point)}
        desk.study.tell(drawn.trial, 0.9 - point.get("quick.dropout", 0.8) if point["network"] == "quick" else 0.2)
    late = [trial.point for trial in bookkeeping.trials(desk.study)][20:]
    assert np.mean([point["network"] == "quick" for point in late]) > 0.7  # it has learnt which is better
    assert np.median([point["quick.dropout"] for point in late if "quick.dropout" in point]) < 0.25


@pytest.mark.parametrize("spent", [0, 3])
def test_after_the_deadline_nothing_is_begun(monkeypatch, spent):
    place = Place()
    place.alive = {"me"}
    now = 1_000.0
    monkeypatch.setattr(drawing.time, "time", lambda: now)
    desk = _desk(place, budget=Budget(until=1_010, jobs=2))
    for _ in range(spent):
        drawn = desk.draw("me", "float32")
        drawn.trial.set_user_attr("seconds", 1.0)
        desk.study.tell(drawn.trial, 0.5)
    now = 1_005.0  # a trial of a second, and five seconds for the ten trainings of the final on two processes
    drawn = desk.draw("me", "float32")
    if spent:
        assert drawn == "over"
        assert desk.over()
    else:
        assert isinstance(drawn, Drawn)  # nothing is known yet of how long one takes
        desk.put_back(drawn.trial)
        now = 1_011.0
        assert desk.draw("me", "float32") == "over"  # it waits for the next command
        assert not desk.over()


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_workers_that_ask_at_once_get_each_point_once(tmp_path, asked, kind):
    """Each with a storage of its own in hand, as processes have."""
    url = f"sqlite:///{tmp_path / 'studies.db'}" if kind == "sqlite" else None
    question, drawn, bar = asked("grid"), [], threading.Barrier(3)

    def work(name):
        with closing(Store(url, tmp_path / "study", "study")) as store:
            desk = Desk(store, bookkeeping.begin(store, "study", question), question, Budget(trials=5))
            bar.wait()
            with store.locks.held(name):
                while (one := desk.draw(name, "float32")) != "over":
                    if isinstance(one, Drawn):
                        drawn.append(_key(one.trial.params))
                        for look in range(1, 4):
                            one.trial.report(0.1, look)
                        desk.study.tell(one.trial, 0.5)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == len(set(drawn)) == 5


class Crew(RuleBasedStateMachine):
    """Workers that draw, finish, stop and die at any write, in any order."""

    drawn = Bundle("drawn")

    @initialize(search=st.sampled_from(["grid", "random", "tpe"]), trials=st.sampled_from([1, 3, 5, None]))
    def begin(self, search, trials):
        self.place, self.number, self.trials = Place(), 0, trials
        self.desk = _desk(self.place, search, budget=Budget(trials=trials))

    def _draw(self, fuse=None):
        self.number += 1
        worker = f"worker {self.number}"
        self.place.alive.add(worker)
        self.place.fuse = fuse
        try:
            return worker, self.desk.draw(worker, "float32")
        except BrokenPipeError:
            self.place.alive.remove(worker)
            return worker, None
        finally:
            self.place.fuse = None

    @rule(target=drawn, fuse=st.none() | st.integers(0, 12))
    def draw(self, fuse):
        worker, one = self._draw(fuse)
        if isinstance(one, Drawn):
            return worker, one.trial
        self.place.alive.discard(worker)
        return multiple()

    @rule(one=consumes(drawn))
    def finish(self, one):
        worker, trial = one
        self.desk.study.tell(trial, 0.5)
        self.place.alive.remove(worker)

    @rule(one=consumes(drawn))
    def die(self, one):
        self.place.alive.remove(one[0])

    @rule(one=consumes(drawn), fuse=st.none() | st.integers(0, 3))
    def stop(self, one, fuse):
        self.place.fuse = fuse
        try:
            self.desk.put_back(one[1])
        except BrokenPipeError:
            pass
        finally:
            self.place.fuse = None
            self.place.alive.remove(one[0])

    @invariant()
    def never_too_many(self):
        if hasattr(self, "desk") and self.trials:
            assert len(bookkeeping.points(self.desk.study.get_trials(deepcopy=False))) <= self.trials

    def teardown(self):
        if not hasattr(self, "desk"):
            return
        self.place.alive.clear()  # who is at it still is killed; the same command is given once more
        for _ in range(200):
            _, one = self._draw()
            if one == "over":
                break
            if isinstance(one, Drawn):
                self.desk.study.tell(one.trial, 0.5)
        everything = self.desk.study.get_trials(deepcopy=False)
        points = bookkeeping.points(everything)
        assert self.desk.over()
        handed_out = [_key(trial.params) for trial in points if IDENTITY in trial.user_attrs]
        assert len(set(handed_out)) == len(handed_out)
        if self.trials:
            assert len(points) == self.trials
        else:  # one that died three times in the midst of being drawn may have half a point, or another's
            assert len({_key(trial.params) for trial in points if len(trial.params) == 2}) == 6
        done = [trial.user_attrs[IDENTITY] for trial in everything if trial.state == TrialState.COMPLETE]
        assert len(done) == len(set(done))
        for trial in points:
            assert trial.state in (TrialState.COMPLETE, TrialState.FAIL)
            if trial.state == TrialState.FAIL:  # of three deaths
                assert trial.user_attrs[DEATHS] == 2


TestCrew = Crew.TestCase
TestCrew.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
