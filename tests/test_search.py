"""The whole search, its trials in this process where no worker is needed."""

from contextlib import contextmanager

import pytest

from tenfold import files, runs
from tenfold.data import folder, split
from tenfold.errors import BusyError, InterruptError, TenfoldError, UsageError
from tenfold.progress import Progress
from tenfold.tune import study
from tenfold.tune.cache import FILE
from tenfold.tune.search import JOURNAL, tune

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("read")]
TWO = {"learning_rate": {"choices": [0.01, 0.03]}}


class Spy(Progress):
    """Keeps what was said, and what the board showed; presses Ctrl-C when so much of a task is done."""

    def __init__(self, stop_after=None):
        self.lines, self.boards, self.stop_after = [], [], stop_after

    def line(self, text):
        self.lines.append(text)

    @contextmanager
    def board(self):
        yield self.boards.append

    @contextmanager
    def task(self, title, total):
        yield self.done

    def done(self, count):
        if count == self.stop_after:
            raise KeyboardInterrupt


@pytest.fixture
def here(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def search(here):
    """`search(question, "study")` is a search in this process, with two seeds in its final."""

    def run(question, name="study", **how):
        return tune(question, name, **{"jobs": 1, "workspace": here, "seeds": 2} | how)

    return run


def _contents(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_search_ends_with_a_final_between_the_best_two(asked, search, here):
    spy = Spy()
    found = search(asked(), progress=spy)
    assert found.folder == here / "study"
    assert [trial.state for trial in found.trials] == ["complete"] * 6
    best, second = study.ranked(found.trials)[:2]
    models = found.final["models"]
    assert [model["trial"] for model in models] == [best.number, second.number]
    assert [model["runs"] for model in models] == [
        [f"study-trial{trial.number}-seed{seed}" for seed in (1, 2)] for trial in (best, second)
    ]
    for model in models:
        assert model["accuracies"] == [runs.Run(here / name).scores[0].accuracy for name in model["runs"]]
    assert found.final["comparison"]["n"] == 2
    assert all(runs.Run(path).finished for path in found.final_runs)
    assert sum(found.importances.values()) == pytest.approx(1)
    assert found.importances.keys() == {"learning_rate", "batch_size"}
    assert study.load(found.folder).document == found.document
    assert spy.boards[-1].startswith("6 trials, best ")
    assert len(spy.boards[-1].splitlines()) == 6


def test_a_finished_search_is_shown_again_and_runs_nothing(asked, search, here, read):
    found = search(asked())
    before = _contents(here)
    read.clear()
    assert search(asked(), jobs=2).document == found.document
    assert _contents(here) == before
    assert not read  # not even a picture


def test_processes_find_what_one_process_finds(asked, search, here):
    together = search(asked(), "together", jobs=2)
    (here / FILE).unlink()  # else there were nothing left to train
    alone = search(asked(), "alone")
    assert not any(trial.reused for trial in alone.trials)
    assert [(t.point, t.accuracy) for t in alone.trials] == [(t.point, t.accuracy) for t in together.trials]
    accuracies = [[model["accuracies"] for model in found.final["models"]] for found in (alone, together)]
    assert accuracies[0] == accuracies[1]


def test_a_second_study_in_the_workspace_trains_nothing_but_its_final(asked, search, here):
    first = search(asked())
    lines = (here / FILE).read_text()
    second = search(asked("tpe"), "another", trials=6)
    assert (here / FILE).read_text() == lines
    assert all(trial.reused for trial in second.trials)
    accuracies = [{tuple(sorted(t.point.items())): t.accuracy for t in found.trials} for found in (first, second)]
    assert accuracies[0] == accuracies[1]


def test_more_trials_go_on_where_the_study_stood(asked, search):
    few = search(asked("random"), trials=3)
    more = search(asked("random"), trials=6)
    assert [trial for trial in more.trials if trial.number <= few.trials[-1].number] == few.trials
    assert len({tuple(sorted(trial.point.items())) for trial in more.trials}) == len(more.trials) == 6
    best = [trial.number for trial in study.ranked(more.trials)[:2]]
    assert [model["trial"] for model in more.final["models"]] == best
    fewer = search(asked("random"), trials=2)
    assert fewer.document == more.document


@pytest.mark.parametrize(
    ("wrong", "how"),
    [
        ({}, {"trials": 0}),
        ({}, {"minutes": 0}),
        ({}, {"minutes": float("nan")}),
        ({"validation_size": 60_000}, {}),
        ({"train_size": 59_900}, {}),
        ({}, {"url": "mysql://host/db"}),
        ({}, {"url": "postgresql://me:s3cret@127.0.0.1:1/db"}),
    ],
)
def test_what_cannot_be_done_leaves_no_study_behind(asked, search, here, wrong, how):
    """Else the same command, mended, would be another question to that study."""
    with pytest.raises(TenfoldError) as caught:
        search(asked(**wrong), **how)
    assert "s3cret" not in str(caught.value)
    assert not (here / "study").exists()


def test_another_question_is_refused_before_anything_is_changed(asked, search, here):
    search(asked(), trials=1)
    before = _contents(here)
    with pytest.raises(UsageError, match="with another recipe;"):
        search(asked(epochs=0.4), trials=1)
    assert _contents(here) == before


def test_a_second_search_in_a_study_is_refused(asked, search, here):
    search(asked(), trials=1)
    before = _contents(here)
    with files.only_one(here / "study" / runs.LOCK, ""), pytest.raises(BusyError, match="another process is searching"):
        search(asked())
    assert _contents(here) == before


@pytest.mark.parametrize("settings", [{}, {"folds": 2}, {"prune": "median", "repeats": 2}])
def test_no_search_can_see_a_test_picture(asked, search, here, sealed_cache, read, monkeypatch, settings):
    """Its files are not there, and of what is read there is a list."""
    monkeypatch.setenv("TENFOLD_CACHE", str(sealed_cache))
    assert search(asked("grid", space=TWO, **settings)).final["comparison"]
    assert read <= {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
    assert not (here / split.LEDGER).exists()


def test_a_final_that_was_stopped_goes_on_with_the_runs_that_are_left(asked, search, here):
    with pytest.raises(InterruptError):
        search(asked(space=TWO), progress=Spy(stop_after=3))
    assert study.load(here / "study").final is None
    done = {path: path.stat().st_mtime_ns for path in here.rglob(runs.WEIGHTS)}
    assert len(done) == 3
    assert search(asked(space=TWO)).final["comparison"]["n"] == 2
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_a_search_in_which_every_trial_fails_has_no_final(asked, search):
    rates = {"learning_rate": {"choices": [9.0, 10.0]}}
    found = search(asked(space=rates, weight_decay=10, batch_size=16, epochs=2))
    assert [trial.state for trial in found.trials] == ["failed"] * 2
    assert (found.final, found.final_runs) == (None, [])
    assert study.load(found.folder).document == found.document


def test_a_study_in_a_database_has_its_reading_in_the_workspace_all_the_same(asked, search, here, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    found = search(asked(space=TWO), url=url)
    assert study.load(here / "study").document == found.document
    assert not (found.folder / JOURNAL).exists()
    elsewhere = search(asked(space=TWO), url=url, workspace=tmp_path / "machine-2")
    assert [vars(trial) for trial in elsewhere.trials] == [vars(trial) for trial in found.trials]
    assert len(search(asked(space=TWO), "other", url=url).trials) == 2  # one database may have several


def test_workers_know_a_dataset_that_a_folder_was_read_as(asked, search, few, as_pngs, own_cache):
    dataset, _ = folder.read(as_pngs(few, "digits"), plain=True)
    question = asked(space=TWO, dataset=dataset.name, train_size=None, validation_size=16)
    found = search(question, jobs=2, seeds=0)
    assert [trial.state for trial in found.trials] == ["complete"] * 2
