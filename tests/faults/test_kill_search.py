"""Searches whose processes are really killed, in the midst of a trial: none is lost, none is done twice.

A worker is first stopped (SIGSTOP): what it does when it is killed is then known, and not left to chance.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from tenfold.progress import Silent
from tenfold.tune import bookkeeping, memo, search, workers
from tenfold.tune.bookkeeping import DEATHS, DIED, WORKER
from tenfold.tune.search import tune
from tenfold.tune.storage import Store
from tenfold.tune.worker import Worker
from waiting import running, until

pytestmark = pytest.mark.slow
EPOCHS = 8  # a sixth of a second: long enough to be caught in the midst of it
SIZES = ["train_size=500", "validation_size=500", "network.width=4", f"epochs={EPOCHS}", "precision=float32"]
WORDS = ["tune", "--search", "grid", "--space", "space.toml", "--jobs", "1", "--study", "study", "--json"]
WORDS += [word for size in SIZES for word in ("--set", size)]
PATIENCE = 60  # seconds


def _frozen(study):
    """Stop a worker that is in the midst of a trial, if there is one, and return its process."""
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name == "RUNNING" and WORKER in trial.user_attrs and trial.params:
            pid = int(trial.user_attrs[WORKER].split("-")[-2])
            os.kill(pid, signal.SIGSTOP)
            if study.get_trials(deepcopy=False)[trial.number].state.name == "RUNNING":
                return pid
            os.kill(pid, signal.SIGCONT)  # it had finished meanwhile
    return None


def _points(trials):
    return sorted(tuple(sorted(trial.point.items())) for trial in trials)


def _accounted_for(study, question):
    """Check that each point of the grid was done, once, and return the trials."""
    trials = bookkeeping.trials(study)
    assert [trial.state for trial in trials] == ["complete"] * 6
    assert _points(trials) == sorted(tuple(sorted(point.items())) for point in question.space.grid())
    return trials


class Killer(Silent):
    """Kills a worker in the midst of a trial, once, while the board is shown."""

    def __init__(self, study):
        self.lines, self.killed, self.study = [], None, study

    def line(self, text):
        self.lines.append(text)

    @contextmanager
    def board(self):
        yield self.look

    def look(self, text):
        if self.killed is None and (pid := _frozen(self.study)):
            os.kill(pid, signal.SIGKILL)
            self.killed = pid


@pytest.mark.parametrize(("kind", "jobs"), [("journal", 2), ("postgresql", 3)])
def test_a_worker_that_is_killed_is_replaced_by_the_others(
    asked, orders, tmp_path, monkeypatch, request, read, kind, jobs
):
    """All points are done, each once: those of one worker that nobody disturbed."""
    question = asked("grid", epochs=EPOCHS)
    alone = Worker(orders(question, study="alone"), lambda: False)
    alone.work()
    paid = tmp_path / "runs" / memo.FILE
    paid.unlink()  # else there were nothing left to train

    monkeypatch.setattr(workers, "REFRESH", 0.02)
    monkeypatch.setattr(search, "_final", lambda found, *_: found)
    url = request.getfixturevalue("postgres") if kind == "postgresql" else None
    with closing(Store(url, tmp_path / "runs" / "study", "study")) as store:
        study = bookkeeping.begin(store, "study", question)
        killer = Killer(study)
        found = tune(question, "study", jobs=jobs, storage=url, workspace=tmp_path / "runs", progress=killer)
        assert killer.killed
        assert killer.lines == [
            "the others did without a worker: a worker was killed by signal 9; the same command goes on"
        ]
        assert _accounted_for(study, question) == found.trials
        assert _points(found.trials) == _points(bookkeeping.trials(alone.study))
        assert sum(trial.user_attrs.get(DEATHS, 0) for trial in study.trials) == 1
    identities = [json.loads(line)["identity"] for line in paid.read_text().splitlines()]
    assert len(identities) == len(set(identities)) == 6


DRAWER = """
import json, sys
from tenfold.tune import bookkeeping
from tenfold.tune.drawing import Budget, Desk
from tenfold.tune.storage import Store
from tenfold.tune.study import Question
from pathlib import Path
question = Question.parse(json.loads(sys.argv[2]))
store = Store(None, Path(sys.argv[1]) / "study", "study")
desk = Desk(store, bookkeeping.begin(store, "study", question), question, Budget())
with store.locks.held("drawer" + sys.argv[3]):
    print(json.dumps(desk.draw("drawer" + sys.argv[3], "float32").trial.params), flush=True)
    sys.stdin.read()
"""


def test_a_trial_that_kills_its_workers_is_listed_and_the_search_goes_on(asked, orders, tmp_path):
    question = asked("grid")
    drawn = []
    for attempt in range(3):
        command = [sys.executable, "-c", DRAWER, str(tmp_path / "runs"), json.dumps(question.document), str(attempt)]
        with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            drawn.append(json.loads(process.stdout.readline()))
            process.kill()
    assert drawn[0] == drawn[1] == drawn[2]
    one = Worker(orders(question), lambda: False)
    one.work()
    trials = bookkeeping.trials(one.study)
    (failed,) = (trial for trial in trials if trial.state == "failed")
    assert (failed.point, failed.reason) == (drawn[0], DIED)
    assert [trial.state for trial in trials].count("complete") == 5
    assert len(_points(trials)) == 6


@pytest.fixture
def command(tmp_path):
    """`command()` starts a search in a process group of its own, as a terminal does."""
    (tmp_path / "space.toml").write_text(
        "[learning_rate]\nchoices = [0.01, 0.03, 0.1]\n[batch_size]\nchoices = [64, 128]\n"
    )
    begun = []

    def start():
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "tenfold", *WORDS],
                cwd=tmp_path,
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        process.communicate()


@pytest.fixture
def watched(tmp_path):
    """`watched()` is the study of that search, None before there is one."""

    def study():
        if not (tmp_path / "runs" / "study" / "journal.jsonl").exists():
            return None
        try:
            store = Store(None, tmp_path / "runs" / "study", "study")
            return bookkeeping.optuna.load_study(storage=store.storage, study_name="study")
        except KeyError:
            return None

    return study


def _gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_ctrl_c_puts_the_trial_back_and_the_same_command_goes_on(asked, orders, command, watched, tmp_path):
    process = command()
    study = until(watched)
    worker = until(lambda: _frozen(study))
    os.killpg(process.pid, signal.SIGINT)  # all processes of the terminal get it
    os.kill(worker, signal.SIGCONT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert said.rstrip().endswith("tenfold: stopped; what is finished stands, and the same command goes on")
    assert "Traceback" not in said
    assert _gone(worker)
    before = bookkeeping.trials(study)
    assert [trial.state for trial in before].count("waiting") == 1
    assert all(trial.user_attrs.get(DEATHS, 0) == 0 for trial in study.trials)

    question = asked("grid", epochs=EPOCHS)  # what the command asks
    Worker(orders(question), lambda: False).work()
    trials = _accounted_for(study, question)
    done = [trial for trial in before if trial.finished]
    assert [trial for trial in trials if trial.number in {t.number for t in done}] == done
    paid = [json.loads(line)["identity"] for line in (tmp_path / "runs" / memo.FILE).read_text().splitlines()]
    assert len(paid) == len(set(paid)) == 6


def test_workers_whose_parent_is_killed_end_by_themselves(command, watched):
    process = command()
    study = until(watched)
    worker = until(lambda: _frozen(study))
    process.kill()
    process.wait()
    os.kill(worker, signal.SIGCONT)
    until(lambda: _gone(worker))
    trials = bookkeeping.trials(study)
    assert [trial.state for trial in trials].count("waiting") == 1
    assert not [trial for trial in trials if trial.state == "running"]
    assert all(trial.user_attrs.get(DEATHS, 0) == 0 for trial in study.trials)
