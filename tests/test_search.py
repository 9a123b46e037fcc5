"""The whole search, its workers in this process where none needs to be killed."""

import json
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from tenfold import evaluate, recipes, runs
from tenfold.data import folder, split
from tenfold.errors import InterruptError, TenfoldError, UsageError
from tenfold.progress import Silent
from tenfold.tune import finalists, search, study
from tenfold.tune.memo import FILE
from tenfold.tune.search import tune
from tenfold.tune.storage import Store
from tenfold.tune.worker import Worker, train_finalists

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("read")]
TWO = {"learning_rate": {"choices": [0.01, 0.03]}}


class Spy(Silent):
    """Keeps what was said, and what the board showed."""

    def __init__(self):
        self.lines, self.boards = [], []

    def line(self, text):
        self.lines.append(text)

    @contextmanager
    def board(self):
        yield self.boards.append


@pytest.fixture
def started(monkeypatch):
    """Workers that work in this process, one after the other, before they are waited for; what they were told."""
    told = []

    @contextmanager
    def here(orders):
        told.append(orders)
        for one in orders:
            if one.finalists:
                train_finalists(one, lambda: False)
            else:
                Worker(one, lambda: False).work()
        yield []

    monkeypatch.setattr(search, "started", here)
    monkeypatch.setattr(finalists, "SEEDS", 2)
    return told


@pytest.fixture
def here(tmp_path):
    return tmp_path / "runs"


def test_a_search_ends_with_a_final_between_the_best_two(asked, started, here):
    spy = Spy()
    found = tune(asked(), "study", jobs=2, workspace=here, progress=spy)
    assert found.folder == here / "study"
    assert [trial.state for trial in found.trials] == ["complete"] * 6
    best, second = study.ranked(found.trials)[:2]
    models = found.final["models"]
    assert [model["trial"] for model in models] == [best.number, second.number]
    assert [model["runs"] for model in models] == [
        [f"study-trial{trial.number}-seed{seed}" for seed in (1, 2)] for trial in (best, second)
    ]
    for model in models:
        accuracies = [runs.Run(here / name).scores[0]["accuracy"] for name in model["runs"]]
        assert model["accuracies"] == accuracies
    assert found.final["comparison"]["n"] == 2
    assert all(runs.Run(path).finished for path in found.final_runs)
    assert sum(found.importances.values()) == pytest.approx(1)
    assert found.importances.keys() == {"learning_rate", "batch_size"}
    assert study.load(found.folder).document == found.document
    assert spy.lines == ["the best 2 are trained again, each with 5 fresh seeds"]
    assert [len(orders) for orders in started] == [2, 2]
    shares = [[folder for _, folder in orders.finalists] for orders in started[1]]
    assert sorted([*shares[0], *shares[1]]) == sorted(str(path) for path in found.final_runs)  # nobody's twice


def test_a_finished_search_is_shown_again_and_runs_nothing(asked, started, here, monkeypatch):
    found = tune(asked(), "study", workspace=here)
    monkeypatch.setattr(search, "started", lambda orders: pytest.fail("a process was started"))
    monkeypatch.setattr(search, "development", lambda *_: pytest.fail("pictures were read"))
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert tune(asked(), "study", workspace=here).document == found.document
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_a_second_study_in_the_workspace_trains_nothing_but_its_final(asked, started, here, monkeypatch):
    first = tune(asked(), "study", workspace=here)
    lines = (here / FILE).read_text()
    monkeypatch.setattr(Worker, "_train", lambda *_: pytest.fail("a point was paid for twice"))
    second = tune(asked("tpe"), "another", trials=6, workspace=here)
    assert (here / FILE).read_text() == lines
    assert all(trial.reused for trial in second.trials)
    accuracies = [{tuple(sorted(t.point.items())): t.accuracy for t in found.trials} for found in (first, second)]
    assert accuracies[0] == accuracies[1]


def test_more_trials_go_on_where_the_study_stood(asked, started, here):
    few = tune(asked("random"), "study", trials=3, workspace=here)
    more = tune(asked("random"), "study", trials=6, workspace=here)
    assert [trial for trial in more.trials if trial.number <= few.trials[-1].number] == few.trials
    assert len({tuple(sorted(trial.point.items())) for trial in more.trials}) == len(more.trials) == 6
    best = [trial.number for trial in study.ranked(more.trials)[:2]]
    assert [model["trial"] for model in more.final["models"]] == best
    fewer = tune(asked("random"), "study", trials=2, workspace=here)
    assert fewer.document == more.document


@pytest.mark.parametrize(("kind", "expected"), [("grid", None), ("random", 60), ("tpe", 60)])
def test_without_a_budget_a_grid_is_whole_and_another_search_has_sixty(asked, here, monkeypatch, kind, expected):
    seen = []

    @contextmanager
    def nobody(orders):
        seen.extend(orders)
        yield []

    monkeypatch.setattr(search, "started", nobody)
    tune(asked(kind), workspace=here, jobs=3)
    assert [orders.budget.trials for orders in seen] == [expected] * 3
    assert [orders.study for orders in seen] == [f"tune-quick-{kind}"] * 3
    assert {orders.budget.jobs for orders in seen} == {3}


def test_minutes_are_from_now(asked, here, monkeypatch):
    seen = []
    monkeypatch.setattr(search.time, "time", lambda: 1_000.0)
    monkeypatch.setattr(search, "started", lambda orders: (seen.extend(orders), _nobody())[1])
    tune(asked("tpe"), minutes=2, workspace=here, jobs=1)
    assert (seen[0].budget.until, seen[0].budget.trials) == (1_120, None)


@contextmanager
def _nobody():
    yield []


@pytest.mark.parametrize("budget", [{"trials": 0}, {"minutes": 0}, {"minutes": -1}, {"minutes": float("nan")}])
def test_a_budget_that_is_none_is_refused(asked, here, budget):
    with pytest.raises(UsageError, match="are budgets: more than 0"):
        tune(asked(), workspace=here, **budget)
    assert not here.exists()


@pytest.mark.parametrize(
    ("wrong", "storage", "message"),
    [
        ({"validation_size": 60_000}, None, "leaves nothing to train on"),
        ({"train_size": 59_900}, None, "train_size=59900"),
        ({}, "mysql://host/db", "not 'mysql'"),
        ({}, "postgresql://me:s3cret@127.0.0.1:1/db", "Connection refused"),
    ],
)
def test_what_cannot_be_done_leaves_no_study_behind(asked, here, wrong, storage, message):
    """Else the same command, mended, would be another question to that study."""
    with pytest.raises(TenfoldError, match=message) as caught:
        tune(asked(**wrong), "study", storage=storage, workspace=here)
    assert "s3cret" not in str(caught.value)
    assert not (here / "study").exists()


def test_another_question_is_refused_before_anything_is_changed(asked, started, here):
    tune(asked(), "study", trials=1, workspace=here)
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="with another recipe;"):
        tune(asked(epochs=0.4), "study", trials=1, workspace=here)
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("settings", [{}, {"folds": 2}, {"prune": "median", "repeats": 2}])
def test_no_search_can_see_a_test_picture(asked, started, here, sealed_cache, read, monkeypatch, settings):
    """Its files are not there, its door is a trap, and of what is read there is a list."""
    monkeypatch.setenv("TENFOLD_CACHE", str(sealed_cache))
    for module in (split, evaluate):
        monkeypatch.setattr(module, "open_test", lambda *_: pytest.fail("the test set was opened"))
    found = tune(asked("grid", space=TWO, **settings), "study", workspace=here)
    assert found.final["comparison"]
    assert read == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
    assert not (here / split.LEDGER).exists()


def _lost(*losses):
    """Wait for workers of which some were lost."""
    return lambda processes, refresh: (refresh(), list(losses))[1]


def test_a_worker_that_is_lost_is_said_if_the_others_did_its_work(asked, started, here, monkeypatch):
    loss = TenfoldError("a worker was killed by signal 9; the same command goes on")
    monkeypatch.setattr(search, "wait", _lost(loss))
    monkeypatch.setattr(search, "_final", lambda found, *_: found)
    spy = Spy()
    found = tune(asked(), "study", workspace=here, progress=spy)
    assert [trial.state for trial in found.trials] == ["complete"] * 6
    assert spy.lines == [f"the others did without a worker: {loss}"]


def test_workers_that_are_all_lost_are_an_error_and_the_same_command_goes_on(asked, started, here, monkeypatch):
    work = Worker.work
    monkeypatch.setattr(Worker, "work", lambda self: None)
    monkeypatch.setattr(search, "wait", _lost(UsageError("why"), TenfoldError("another")))
    with pytest.raises(UsageError, match="why"):
        tune(asked(), "study", trials=2, workspace=here)
    monkeypatch.setattr(Worker, "work", work)
    monkeypatch.setattr(search, "wait", _lost())
    assert len(tune(asked(), "study", trials=2, workspace=here).trials) == 2


def test_a_final_that_was_stopped_goes_on_with_the_runs_that_are_left(asked, started, here, monkeypatch):
    original = train_finalists

    def stopped(orders, _):
        original(replace(orders, finalists=orders.finalists[:3]), lambda: False)
        raise InterruptError("stopped")

    monkeypatch.setitem(globals(), "train_finalists", stopped)
    with pytest.raises(InterruptError):
        tune(asked(space=TWO), "study", workspace=here, jobs=1)
    assert study.load(here / "study").final is None
    done = {path: path.stat().st_mtime_ns for path in here.rglob(runs.WEIGHTS)}
    assert len(done) == 3
    monkeypatch.setitem(globals(), "train_finalists", original)
    started.clear()
    found = tune(asked(space=TWO), "study", workspace=here, jobs=1)
    assert found.final["comparison"]["n"] == 2
    assert [len(one.finalists) for orders in started for one in orders] == [1]
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_a_final_that_was_trained_but_not_judged_is_judged(asked, started, here, monkeypatch):
    monkeypatch.setattr(finalists, "verdict", lambda *_: _interrupted())
    with pytest.raises(InterruptError):
        tune(asked(space=TWO), "study", workspace=here)
    monkeypatch.undo()
    monkeypatch.setattr(finalists, "SEEDS", 2)
    assert tune(asked(space=TWO), "study", workspace=here).final["comparison"]["n"] == 2


def _interrupted():
    raise InterruptError("stopped")


def test_while_another_machine_trains_the_final_this_one_does_not(asked, started, here):
    spy = Spy()
    other = Store(None, here / "study", "study")
    held, done = threading.Event(), threading.Event()

    def elsewhere():
        with other.locks.held("final"):
            held.set()
            done.wait()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    held.wait()
    try:
        found = tune(asked(space=TWO), "study", workspace=here, progress=spy)
    finally:
        done.set()
        thread.join()
    assert found.final is None
    assert spy.lines == ["another machine trains the best two again; their scores will be there"]
    assert tune(asked(space=TWO), "study", workspace=here).final


def test_a_search_in_which_every_trial_fails_has_no_final(asked, started, here, monkeypatch):
    monkeypatch.setattr(recipes.Recipe, "schedule_shares", lambda self, steps: np.full(steps, 1e30))
    found = tune(asked(epochs=2), "study", workspace=here)
    assert [trial.state for trial in found.trials] == ["failed"] * 6
    assert found.final is None
    assert found.final_runs == []
    assert study.load(found.folder).document == found.document


def test_a_single_point_has_a_final_of_its_own(asked, started, here):
    found = tune(asked(space={"batch_size": {"choices": [64]}}), "study", workspace=here)
    assert [len(model["runs"]) for model in found.final["models"]] == [2]
    assert "comparison" not in found.final
    assert found.importances == {}


def test_a_network_that_is_drawn_has_its_importance_and_its_arguments_theirs(asked, started, here):
    """Few of the trials have each argument, one has a single value: all that comes out of it is a number."""
    space = {
        "network": {"choices": ["quick", "mlp"]},
        "quick.width": {"choices": [2, 4]},
        "mlp.width": {"choices": [8]},
        "learning_rate": {"choices": [0.01, 0.03]},
    }
    found = tune(asked("grid", space), "study", workspace=here)
    assert len(found.trials) == 6
    assert all(0 <= share <= 1 for share in found.importances.values())
    assert found.importances.keys() <= space.keys()
    assert study.load(found.folder).document == found.document


def test_a_study_in_a_database_has_its_reading_in_the_workspace_all_the_same(asked, started, here, tmp_path):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    found = tune(asked(space=TWO), "study", storage=storage, workspace=here)
    assert study.load(here / "study").document == found.document
    assert [path.name for path in found.folder.iterdir()] == [study.FILE]
    elsewhere = tune(asked(space=TWO), "study", storage=storage, workspace=tmp_path / "machine-2")
    assert elsewhere.document == found.document
    other = tune(asked(space=TWO), "other", storage=storage, workspace=here)  # one database may have several
    assert len(other.trials) == 2


def test_the_board_is_shown_while_the_workers_work(asked, started, here, monkeypatch):
    spy = Spy()
    monkeypatch.setattr(search, "wait", _lost())
    tune(asked(space=TWO), "study", workspace=here, progress=spy)
    first, *best = spy.boards[0].splitlines()
    assert first.startswith("2 trials, best ")
    assert len(best) == 2


def test_a_journal_that_cannot_be_written_is_the_disks_fault(asked, here, monkeypatch):
    here.mkdir()
    (here / "study").write_text("in the way")
    with pytest.raises(TenfoldError, match=r"cannot write .*study"):
        tune(asked(), "study", workspace=here)


def test_what_is_written_can_be_read_without_tenfold(asked, started, here):
    tune(asked(space=TWO), "study", workspace=here)
    document = json.loads((here / "study" / study.FILE).read_text())
    assert document.keys() == {"name", "question", "trials", "importances", "final"}
    assert {trial["state"] for trial in document["trials"]} == {"complete"}
    assert recipes.parse(document["final"]["models"][0]["recipe"]).seed == 1


def test_worker_processes_know_a_dataset_that_a_folder_was_read_as(asked, few, as_pngs, own_cache, tmp_path):
    dataset, _ = folder.read(as_pngs(few, "digits"), plain=True)
    question = asked(space=TWO, dataset=dataset.name, train_size=None, validation_size=16)
    found = tune(question, "study", trials=1, jobs=1, workspace=tmp_path / "runs", final=False)
    assert [(trial.state, trial.point["learning_rate"] in (0.01, 0.03)) for trial in found.trials] == [
        ("complete", True)
    ]
