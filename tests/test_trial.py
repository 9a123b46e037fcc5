"""A trial: the tasks it asks for, what it tells, and what the cache spares it."""

import math
import pickle

import numpy as np
import pytest
from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage

from tenfold import crossval, recipes, train
from tenfold.data import catalog
from tenfold.data.split import development
from tenfold.errors import DivergedError
from tenfold.frameworks import pytorch
from tenfold.pool import KilledError
from tenfold.tune.cache import Cache
from tenfold.tune.sampler import Budget, Sampler
from tenfold.tune.storage import Store
from tenfold.tune.study import CHECKS
from tenfold.tune.trial import Runner, Step, cross_validated, train_finalist, train_on

CURVE = {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}}


class Prunes(NopPruner):
    """Prunes each trial at a check of one's choice."""

    def __init__(self, check):
        self.check = check

    def prune(self, study, trial):
        return trial.last_step == self.check


def rising(recipe, planned, done):
    """The accuracy of trainings that are none: it rises to 1 - |log10(learning rate / 0.01)| / 2."""
    quality = 1 - abs(math.log10(recipe.learning_rate / 0.01)) / 2 + recipe.seed / 1_000
    return quality * (1 - 0.5 ** (done + 1) if done + 1 < planned else 1)


@pytest.fixture
def search(asked, tmp_path):
    """`search(question, prune_at=2, trials=1)` is the trials of a search, and of each task its recipe and checks."""

    def run(question, accuracy=rising, prune_at=None, **budget):
        sampler = Sampler(Store(InMemoryStorage(), "memory"), "study", question, Budget(**budget))
        if prune_at:
            sampler.study.pruner = Prunes(prune_at)
        runner = Runner(sampler, Cache(tmp_path), "cpu", "float32")
        tasks = []

        def result(task):
            recipe, _, planned, done, _ = task.args
            tasks.append((recipe, planned, done))
            return Step(None if done + 1 == planned else "a state", accuracy(recipe, planned, done), 1.0)

        while one := sampler.ask():
            attempt = runner.attempt(one)
            try:
                task = next(attempt)
                while True:
                    try:
                        step = result(task)
                    except (DivergedError, KilledError) as error:
                        task = attempt.throw(error)
                    else:
                        task = attempt.send(step)
            except StopIteration:
                pass
        return sampler.trials(), tasks

    return run


def test_without_pruning_a_trial_is_one_task(asked, search):
    trials, tasks = search(asked("grid"))
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert [(planned, done) for _, planned, done in tasks] == [(1, 0)] * 6
    assert len({recipe.hash for recipe, *_ in tasks}) == 6
    assert {(recipe.seed, recipe.precision) for recipe, *_ in tasks} == {(0, "float32")}
    assert all((trial.seconds, trial.reused, trial.checks) == (1.0, False, []) for trial in trials)


def test_another_study_trains_no_point_again(asked, search):
    first, _ = search(asked("grid"))
    second, tasks = search(asked("random", seed=5), trials=6)
    assert tasks == []
    known = {tuple(sorted(trial.point.items())): (trial.accuracy, trial.seconds) for trial in first}
    assert {tuple(sorted(t.point.items())): (t.accuracy, t.seconds) for t in second} == known
    assert all(trial.reused for trial in second)
    assert len(search(asked("grid", epochs=0.4), trials=1)[1]) == 1


def test_repeats_are_seeds_and_their_mean_counts(asked, search):
    (trial,), tasks = search(asked("grid", repeats=3), trials=1)
    assert [recipe.seed for recipe, *_ in tasks] == [0, 1, 2]
    assert len({recipe.family for recipe, *_ in tasks}) == 1
    assert trial.accuracy == pytest.approx(np.mean([rising(*task) for task in tasks]))
    assert trial.seconds == 3
    (again,), tasks = search(asked("grid", repeats=4), trials=1)
    assert [recipe.seed for recipe, *_ in tasks] == [3]  # the cache has the other three
    assert not again.reused


def test_a_pruned_trial_asks_for_no_further_task(asked, search):
    trials, tasks = search(asked("grid", prune="median", epochs=3), prune_at=2, trials=2)
    assert [done for *_, done in tasks] == [0, 1, 0, 1]
    for trial in trials:
        assert (trial.state, len(trial.checks), trial.accuracy) == ("pruned", 2, trial.checks[-1])


def test_only_the_first_of_the_repeats_is_checked(asked, search):
    question = asked("grid", prune="median", epochs=3, repeats=2)
    assert len(search(question, prune_at=1, trials=1)[1]) == 1
    _, tasks = search(question, prune_at=CHECKS, trials=1)
    assert [(recipe.seed, planned) for recipe, planned, _ in tasks] == [(0, CHECKS)] * CHECKS + [(1, 1)]


def test_what_was_pruned_is_known_again(asked, search):
    """The checks are reported once more, to a pruner that may decide otherwise, and trained no more than needed."""
    question = asked("grid", prune="median", epochs=3)
    (first,), _ = search(question, prune_at=3, trials=1)
    (earlier,), tasks = search(question, prune_at=2, trials=1)
    assert (tasks, earlier.state, earlier.reused, earlier.checks) == ([], "pruned", True, first.checks[:2])
    assert earlier.seconds == 2
    (later,), tasks = search(question, prune_at=5, trials=1)
    assert [done for *_, done in tasks] == [0, 1, 2, 3, 4]  # from its beginning: no weights were kept
    assert (later.state, later.reused, later.checks[:3]) == ("pruned", False, first.checks)
    (whole,), _ = search(question, prune_at=99, trials=1)
    assert (whole.state, whole.checks[:5]) == ("complete", later.checks)
    (again,), tasks = search(question, prune_at=1, trials=1)
    assert (tasks, again.state, again.reused, again.checks) == ([], "pruned", True, first.checks[:1])
    (known,), tasks = search(question, prune_at=CHECKS, trials=1)
    assert (tasks, known.state, known.accuracy, known.checks) == ([], "complete", whole.accuracy, whole.checks)
    (single,), tasks = search(asked("grid", epochs=3), trials=1)
    assert (tasks, single.accuracy) == ([], whole.accuracy)


@pytest.mark.parametrize("prune", ["median", "hyperband"])
def test_pruners_spare_the_bad_and_keep_the_best(asked, search, prune):
    trials, tasks = search(asked("random", CURVE, prune=prune), trials=60)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert 20 <= len(pruned) <= 50
    assert len(tasks) < 0.6 * 60 * CHECKS

    def distance(trial):
        return abs(math.log10(trial.point["learning_rate"] / 0.01))

    assert min(trials, key=distance).state == "complete"
    complete = [trial for trial in trials if trial.state == "complete"]
    assert np.mean([distance(t) for t in complete]) < np.mean([distance(t) for t in pruned])


@pytest.mark.parametrize("error", [DivergedError("the loss stopped being a number\nTry"), KilledError()])
def test_a_training_that_fails_fails_its_trial_and_no_other(asked, search, error):
    def accuracy(recipe, planned, done):
        if recipe.learning_rate == 0.1 and done == planned - 1:
            raise error
        return rising(recipe, planned, done)

    trials, _ = search(asked("grid", prune="hyperband", epochs=3), accuracy)
    failed = [trial for trial in trials if trial.state == "failed"]
    assert {trial.point["learning_rate"] for trial in failed} == {0.1}
    assert {trial.reason for trial in failed} <= {"the loss stopped being a number", "its worker died 3 times"}
    assert all(trial.state in ("complete", "pruned") for trial in trials if trial not in failed)


@pytest.mark.usefixtures("read")
@pytest.mark.parametrize("alone", [True, False])
def test_a_chain_of_tasks_has_the_bits_of_one_training(tiny, tmp_path, alone):
    """In one process, and where each task is another worker's, which has the state alone to go on from."""
    recipe = recipes.override(tiny, ["epochs=3", "averaging=0.9", "network.dropout=0.2", "rotation=5"])
    state, checks = None, []
    for done in range(5):
        step = train_on(recipe, "cpu", 5, done, state)
        checks.append(step.accuracy)
        state = pickle.loads(pickle.dumps(step.state))
        if not alone:  # another training comes between
            train_on(recipes.replace(tiny, seed=7), "cpu", 2, 0, None)
    assert state is None
    assert train_on(recipe, "cpu", 1, 0, None).accuracy == checks[-1]
    run = train.train(recipe, tmp_path / "run")
    assert run.history[-1]["validation_accuracy"] == checks[-1]
    assert len(set(checks)) > 3


@pytest.mark.usefixtures("read")
def test_a_check_on_the_way_is_at_its_step_and_a_short_training_has_fewer(tiny):
    recipe = recipes.replace(tiny, epochs=3, batch_size=128)  # 12 steps
    step = train_on(recipe, "cpu", 9, 1, train_on(recipe, "cpu", 9, 0, None).state)
    assert step.state.step == math.ceil(12 * 2 / 9)
    steps, state, done = [], None, 0
    short = recipes.replace(recipe, epochs=1)
    while done == 0 or state is not None:
        state = train_on(short, "cpu", 9, done, state).state
        steps.append(state.step if state else 4)
        done += 1
    assert steps == [1, 2, 3, 4]


@pytest.mark.usefixtures("read")
def test_a_loss_that_is_no_number_is_said(tiny):
    diverging = recipes.override(tiny, ["learning_rate=10", "weight_decay=10", "batch_size=16", "epochs=2"])
    with pytest.raises(DivergedError):
        train_on(diverging, "cpu", 1, 0, None)


@pytest.mark.slow
@pytest.mark.usefixtures("read")
def test_folds_are_a_cross_validation(tiny):
    samples = development(catalog.MNIST)
    answers = crossval.out_of_fold(tiny, samples, 2)
    assert cross_validated(tiny, 2, "cpu").accuracy == (answers.logits.argmax(1) == samples.labels).mean()


@pytest.mark.usefixtures("read")
def test_a_finalist_becomes_a_run_and_one_that_was_begun_is_resumed(tiny, tmp_path):
    from tenfold import runs

    begun = tmp_path / "begun"
    begun.mkdir()
    machine = runs.environment() | pytorch.environment("cpu") | {"precision": "float32"}
    runs.create(recipes.replace(tiny, seed=1), machine, begun)
    for folder in (tmp_path / "new", begun):
        train_finalist(recipes.replace(tiny, seed=1), folder, "cpu")
        assert runs.Run(folder).finished
    before = (begun / runs.WEIGHTS).stat().st_mtime_ns
    train_finalist(recipes.replace(tiny, seed=1), begun, "cpu")
    assert (begun / runs.WEIGHTS).stat().st_mtime_ns == before
