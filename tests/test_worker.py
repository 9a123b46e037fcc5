"""One worker, in this process: what a trial is, what it costs, and what is told of it."""

import math

import numpy as np
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import TrialState

from tenfold import crossval, recipes, runs, train
from tenfold.errors import InterruptError, TenfoldError
from tenfold.frameworks import pytorch
from tenfold.recipes import Recipe
from tenfold.tune import bookkeeping, worker
from tenfold.tune.bookkeeping import DEATHS
from tenfold.tune.drawing import Budget
from tenfold.tune.memo import Memo, identity
from tenfold.tune.worker import LOOKS, Orders, Worker, train_finalists

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("read")]
CURVE = {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}


def _work(orders, stopped=lambda: False):
    """Let a worker do its orders, and return the trials."""
    one = Worker(orders, stopped)
    one.work()
    return bookkeeping.trials(one.study)


@pytest.fixture
def trained(monkeypatch):
    """The recipes that are really trained, and the steps that each of the trainings made."""
    seen = []
    original = pytorch.train

    def counted(recipe, *words):
        seen.append([recipe, 0])
        for state in original(recipe, *words):
            seen[-1][1] = state.step
            yield state

    monkeypatch.setattr(pytorch, "train", counted)
    return seen


class Prunes(NopPruner):
    """Prunes each trial at a look of one's choice."""

    def __init__(self, look=1):
        self.look = look

    def prune(self, study, trial):
        return trial.last_step == self.look


@pytest.fixture
def pruner(monkeypatch):
    """`pruner(look)` prunes every trial there."""
    return lambda look: monkeypatch.setattr(worker, "_pruner", lambda question: Prunes(look))


def test_a_grid_is_trained_point_by_point_and_scored_on_validation(asked, orders, trained, tmp_path):
    question = asked("grid")
    trials = _work(orders(question))
    assert {tuple(trial.point.values()) for trial in trials} == {tuple(p.values()) for p in question.space.grid()}
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert len({recipe.hash for recipe, _ in trained}) == len(trained) == 6
    assert {recipe.seed for recipe, _ in trained} == {0}  # the point is drawn, the seed is not
    assert all(trial.seconds > 0 and not trial.reused and trial.looks == [] for trial in trials)
    best = max(trials, key=lambda trial: trial.accuracy)
    run = train.train(question.space.recipe(best.point), tmp_path / "run")
    assert run.history[-1]["validation_accuracy"] == best.accuracy


def test_a_finished_study_runs_nothing(asked, orders, trained):
    first = _work(orders(asked("grid")))
    trained.clear()
    assert _work(orders(asked("grid"))) == first
    assert trained == []


def test_another_study_pays_for_no_point_again(asked, orders, trained):
    first = _work(orders(asked("grid")))
    trained.clear()
    second = _work(orders(asked("random", seed=5), study="another", trials=6))
    assert trained == []
    assert all(trial.reused for trial in second)
    known = {tuple(sorted(trial.point.items())): (trial.accuracy, trial.seconds) for trial in first}
    assert {tuple(sorted(t.point.items())): (t.accuracy, t.seconds) for t in second} == known
    _work(orders(asked("grid", epochs=0.4), study="a third", trials=1))
    assert len(trained) == 1


def test_repeats_are_seeds_and_their_mean_counts(asked, orders, trained, tmp_path):
    question = asked("grid", repeats=3)
    (trial,) = _work(orders(question, trials=1))
    assert [recipe.seed for recipe, _ in trained] == [0, 1, 2]
    assert len({recipe.family for recipe, _ in trained}) == 1
    memo = Memo(tmp_path / "runs")
    each = [memo.find(identity(recipe, None)) for recipe, _ in trained]
    assert trial.accuracy == pytest.approx(np.mean([training.accuracy for training in each]))
    assert len({training.accuracy for training in each}) > 1
    assert trial.seconds == pytest.approx(sum(training.seconds for training in each))
    (again,) = _work(orders(asked("grid", repeats=4), study="more", trials=1))
    assert [recipe.seed for recipe, _ in trained] == [0, 1, 2, 3]  # three of the four were paid for
    assert not again.reused


def test_folds_are_a_cross_validation(asked, orders, mnist, monkeypatch, trained):
    few = mnist.take(np.arange(1_500))
    monkeypatch.setattr(worker, "development", lambda dataset: few)
    question = asked("grid", folds=3)
    (trial,) = _work(orders(question, trials=1))
    recipe = question.space.recipe(trial.point)
    result = crossval.out_of_fold(recipe, few, 3)
    assert trial.accuracy == (result.logits.argmax(1) == few.labels).mean()
    trained.clear()
    (again,) = _work(orders(asked("random", folds=3), study="another", trials=1))
    assert again.reused or again.point != trial.point
    (single,) = _work(orders(asked("grid"), study="single", trials=1))  # a single training is another thing to pay for
    assert not single.reused


def test_a_cross_validation_stops_between_two_folds(asked, orders, mnist, monkeypatch):
    monkeypatch.setattr(worker, "development", lambda dataset: mnist.take(np.arange(1_500)))
    stops = iter([False, False, True])  # before the trial, after its first fold, after its second
    with pytest.raises(InterruptError):
        _work(orders(asked("grid", folds=3), trials=1), stopped=lambda: next(stops))
    assert list(stops) == []


def test_a_pruned_training_stops_where_it_is_told(asked, orders, trained, pruner):
    pruner(2)
    question = asked("grid", prune="median", epochs=3)
    trials = _work(orders(question, trials=2))
    for trial, (recipe, steps) in zip(trials, trained, strict=True):
        assert trial.state == "pruned"
        assert len(trial.looks) == 2
        assert trial.accuracy == trial.looks[-1]
        assert steps == math.ceil(recipe.steps(500) * 2 / LOOKS) < recipe.steps(500)


def test_without_pruning_nobody_looks(asked, orders, trained, pruner):
    pruner(1)
    (trial,) = _work(orders(asked("grid"), trials=1))
    assert (trial.state, trial.looks) == ("complete", [])


def test_the_last_look_is_the_result_and_prunes_nothing(asked, orders, pruner):
    pruner(LOOKS)
    (trial,) = _work(orders(asked("grid", prune="median", epochs=3), trials=1))
    assert trial.state == "complete"
    assert len(trial.looks) == LOOKS
    assert trial.accuracy == trial.looks[-1]


def test_only_the_first_of_the_repeats_is_looked_into(asked, orders, trained, pruner):
    pruner(1)
    (trial,) = _work(orders(asked("grid", prune="median", epochs=3, repeats=2), trials=1))
    assert (trial.state, len(trained)) == ("pruned", 1)
    pruner(LOOKS)
    (trial,) = _work(orders(asked("grid", prune="median", epochs=3, repeats=2), study="whole", trials=1))
    assert (trial.state, len(trained), len(trial.looks)) == ("complete", 3, LOOKS)


@pytest.mark.parametrize(
    ("space", "looks"),
    [({"epochs": {"choices": [1, 30]}}, 30), ({"epochs": {"low": 1, "high": 12.5}}, 13), (CURVE, LOOKS)],
)
def test_it_is_looked_each_epoch_of_the_longest_and_nine_times_at_least(asked, space, looks):
    question = asked("random", space, prune="hyperband")
    assert worker._planned(question) == looks
    assert worker._pruner(question)._max_resource == looks


def test_what_was_pruned_is_known_again(asked, orders, trained, pruner):
    """The looks are reported once more, to a pruner that may decide otherwise, and trained no more than needed."""
    question = asked("grid", prune="median", epochs=3)
    pruner(3)
    (first,) = _work(orders(question, trials=1))
    trained.clear()
    pruner(2)
    (earlier,) = _work(orders(question, study="earlier", trials=1))
    assert trained == []
    assert (earlier.state, earlier.reused, list(earlier.looks)) == ("pruned", True, list(first.looks[:2]))
    assert earlier.seconds == pytest.approx(first.seconds * 2 / 3, abs=1e-3)
    pruner(5)
    (later,) = _work(orders(question, study="later", trials=1))
    assert len(trained) == 1  # from its beginning: no weights were kept
    assert (later.state, later.reused, list(later.looks[:3])) == ("pruned", False, list(first.looks))
    pruner(None)
    (whole,) = _work(orders(question, study="whole", trials=1))
    assert (whole.state, list(whole.looks[:5])) == ("complete", list(later.looks))
    trained.clear()
    pruner(1)
    (again,) = _work(orders(question, study="again", trials=1))
    assert (again.state, again.reused, list(again.looks)) == ("pruned", True, list(first.looks[:1]))
    pruner(LOOKS)
    (known,) = _work(orders(question, study="known", trials=1))
    assert (known.state, known.reused, known.accuracy, list(known.looks)) == (
        "complete",
        True,
        whole.accuracy,
        list(whole.looks),
    )
    assert trained == []


def test_what_was_pruned_is_paid_for_once_more_at_most(asked, orders, trained, pruner):
    pruner(2)
    _work(orders(asked("grid", prune="median", epochs=3), trials=1))
    (whole,) = _work(orders(asked("grid", epochs=3), study="whole", trials=1))
    assert len(trained) == 2
    (again,) = _work(orders(asked("grid", epochs=3, seed=0), study="again", trials=1))
    assert (len(trained), again.reused, again.accuracy) == (2, True, whole.accuracy)


@pytest.fixture
def curves(monkeypatch):
    """Trainings that are no trainings: accuracies that rise to 1 - |log10(learning rate / 0.01)| / 2."""

    def looks(self, recipe, planned):
        quality = 1 - abs(math.log10(recipe.learning_rate / 0.01)) / 2
        for look in range(1, (planned or 1) + 1):
            yield quality * (1 - 0.5**look if look < planned else 1), look == (planned or 1)

    monkeypatch.setattr(Worker, "_looks", looks)


@pytest.mark.parametrize(("prune", "kind"), [("median", MedianPruner), ("hyperband", HyperbandPruner)])
def test_pruners_spare_the_bad_and_keep_the_best(asked, orders, curves, prune, kind):
    question = asked("random", CURVE, prune=prune)
    assert isinstance(worker._pruner(question), kind)
    trials = _work(orders(question, trials=60))
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert 20 <= len(pruned) <= 50
    assert sum(len(trial.looks) for trial in trials) < 0.6 * 60 * LOOKS

    def distance(trial):
        return abs(math.log10(trial.point["learning_rate"] / 0.01))

    by_distance = sorted(trials, key=distance)
    assert by_distance[0].state == "complete"
    complete = [trial for trial in trials if trial.state == "complete"]
    assert np.mean([distance(t) for t in complete]) < np.mean([distance(t) for t in pruned])


def test_a_loss_that_is_no_number_fails_its_trial_and_no_other(asked, orders, monkeypatch):
    shares = Recipe.schedule_shares
    monkeypatch.setattr(
        Recipe, "schedule_shares", lambda self, n: np.full(n, 1e30) if self.learning_rate == 0.1 else shares(self, n)
    )
    trials = _work(orders(asked("grid", epochs=2)))
    failed = [trial for trial in trials if trial.state == "failed"]
    assert {trial.point["learning_rate"] for trial in failed} == {0.1}
    assert [trial.reason for trial in failed] == ["the loss stopped being a number in epoch 1"] * 2
    assert [trial.state for trial in trials].count("complete") == 4


def test_a_loss_that_is_no_number_in_a_fold_fails_the_trial(asked, orders, mnist, monkeypatch):
    monkeypatch.setattr(worker, "development", lambda dataset: mnist.take(np.arange(1_500)))
    monkeypatch.setattr(Recipe, "schedule_shares", lambda self, steps: np.full(steps, 1e30))
    (trial,) = _work(orders(asked("grid", folds=2), trials=1))
    assert (trial.state, trial.reason) == ("failed", "the loss stopped being a number in epoch 1")


def test_who_is_stopped_puts_the_trial_back_and_the_next_goes_on(asked, orders, trained):
    stops = iter([False, False, False, True])  # in the midst of the first training
    with pytest.raises(InterruptError):
        _work(orders(asked("grid", epochs=3)), stopped=lambda: next(stops, True))
    assert len(trained) == 1
    one = Worker(orders(asked("grid", epochs=3)), lambda: False)
    (waiting,) = bookkeeping.trials(one.study)
    assert waiting.state == "waiting"
    one.work()
    trials = bookkeeping.trials(one.study)
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert waiting.number == trials[0].number
    assert all(trial.user_attrs.get(DEATHS, 0) == 0 for trial in one.study.trials)


def test_a_disk_that_is_full_is_nobodys_fault(asked, orders, monkeypatch):
    """What cannot be written down is not a result: the trial waits until there is room."""
    monkeypatch.setattr(Memo, "add", lambda *_: _raise(TenfoldError("cannot write: No space left on device")))
    with pytest.raises(TenfoldError, match="No space left"):
        _work(orders(asked("grid"), trials=2))
    monkeypatch.undo()
    trials = _work(orders(asked("grid"), trials=2))
    assert [trial.state for trial in trials] == ["complete", "complete"]


def _raise(error):
    raise error


@pytest.mark.parametrize("prune", ["none", "median"])
def test_the_result_of_one_who_was_taken_for_dead_does_not_count(asked, orders, monkeypatch, prune):
    """Its connection was cut, another has its trial: what it still trains is for the memo alone."""
    looks = Worker._looks
    told = []

    def meanwhile(self, recipe, planned):
        for accuracy, ended in looks(self, recipe, planned):
            if not told:
                (mine,) = (trial for trial in self.study.get_trials() if trial.state == TrialState.RUNNING)
                self.study.tell(mine.number, 0.123)
                told.append(mine.number)
            yield accuracy, ended

    monkeypatch.setattr(Worker, "_looks", meanwhile)
    trials = _work(orders(asked("grid", prune=prune, epochs=2), trials=2))
    assert [trial.state for trial in trials] == ["complete", "complete"]
    assert trials[told[0]].accuracy == 0.123


def test_the_precision_of_the_first_worker_is_that_of_all(asked, orders, monkeypatch, trained):
    probes = []
    monkeypatch.setattr(pytorch, "choose_precision", lambda *_: (probes.append(1), "bfloat16")[1])
    question = asked("grid", precision="auto")
    _work(orders(question, trials=1))
    monkeypatch.setattr(pytorch, "choose_precision", lambda *_: (probes.append(1), "float32")[1])
    _work(orders(question, trials=3))
    assert [recipe.precision for recipe, _ in trained] == ["bfloat16"] * 3
    assert len(probes) == 1


def test_finalists_become_runs_and_those_that_were_begun_are_gone_on_with(tiny, tmp_path, trained):
    chosen = [recipes.replace(tiny, seed=seed) for seed in (1, 2)]
    folders = [tmp_path / f"seed{recipe.seed}" for recipe in chosen]
    tasks = [(recipe.model_dump(), str(folder)) for recipe, folder in zip(chosen, folders, strict=True)]
    orders = Orders(None, str(tmp_path), "study", {}, Budget(), "cpu", tasks)
    folders[1].mkdir()
    machine = runs.environment() | pytorch.environment("cpu") | {"precision": "float32"}
    runs.create(chosen[1], machine, folders[1])
    with pytest.raises(InterruptError):
        train_finalists(orders, lambda: True)
    assert trained == []
    train_finalists(orders, lambda: False)
    assert [runs.Run(folder).recipe for folder in folders] == chosen
    assert all(runs.Run(folder).finished for folder in folders)
