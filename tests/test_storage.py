"""Where a study is kept: a journal that survives cuts, and databases."""

import json
import os
import time
import traceback
from contextlib import closing

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError, PendingRollbackError

from tenfold.errors import TenfoldError, UsageError
from tenfold.tune import bookkeeping, storage
from tenfold.tune.storage import Store

KINDS = ["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_is_there_for_whoever_opens_it_next(open_store, kind, asked):
    study = bookkeeping.begin(open_store(kind), f"study-{kind}", asked())
    trial = study.ask()
    trial.suggest_float("learning_rate", 0.001, 0.1, log=True)
    trial.set_user_attr("worker", "me")
    study.tell(trial, 0.1 + 0.2)
    (seen,) = bookkeeping.trials(bookkeeping.begin(open_store(kind), f"study-{kind}", asked()))
    assert seen.accuracy == 0.1 + 0.2  # to the last bit
    assert seen.point == trial.params


def _journal_of(open_store, asked, trials=3):
    study = bookkeeping.begin(open_store("journal"), "study", asked())
    for number in range(trials):
        study.tell(study.ask(), number / 10)
    return study


def _values(open_store, asked):
    return [trial.accuracy for trial in bookkeeping.trials(bookkeeping.begin(open_store("journal"), "study", asked()))]


def test_a_last_line_that_is_cut_is_taken_away_and_nothing_else(open_store, asked, tmp_path):
    _journal_of(open_store, asked)
    path = tmp_path / "study" / "journal.jsonl"
    whole = path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for cut in range(start + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert _values(open_store, asked) == [0.0, 0.1, None]
        assert path.read_bytes() == whole[:start]
    path.write_bytes(whole)
    assert _values(open_store, asked) == [0.0, 0.1, 0.2]


def test_a_writer_that_finds_half_a_line_goes_on_after_the_whole_ones(open_store, asked, tmp_path):
    """One that is killed while it writes leaves the journal to others who have it open already."""
    study = _journal_of(open_store, asked)
    path = tmp_path / "study" / "journal.jsonl"
    with open(path, "ab") as file:
        file.write(b'{"op_code":6,"worker_id":"' + b"x" * 10_000)
    assert len(study.trials) == 3  # it reads over it
    study.tell(study.ask(), 0.9)
    assert _values(open_store, asked) == [0.0, 0.1, 0.2, 0.9]
    assert all(json.loads(line) for line in path.read_text().splitlines())


@pytest.mark.parametrize("damage", [b"{", b"\x00\x00\x00", b"3", b"{}", b"[]", b'{"op_code":99}', b'"text"'])
def test_damage_in_the_midst_is_said_and_nothing_is_taken_away(open_store, asked, tmp_path, damage):
    _journal_of(open_store, asked)
    path = tmp_path / "study" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:4], damage + b"\n", *lines[5:]])
    path.write_bytes(damaged)
    with pytest.raises(TenfoldError, match=r"journal\.jsonl is damaged: a line that is not the last is no record"):
        open_store("journal")
    assert path.read_bytes() == damaged


def test_an_empty_journal_is_a_new_one(open_store, asked, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "journal.jsonl").touch()
    assert _values(open_store, asked) == []


def test_a_folder_in_the_place_of_a_journal(open_store, tmp_path):
    (tmp_path / "study" / "journal.jsonl").mkdir(parents=True)
    with pytest.raises(TenfoldError, match=r"cannot be kept in .*journal\.jsonl: Is a directory"):
        open_store("journal")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://me:s3cret@host/db", "knows sqlite and postgresql, not 'mysql'"),
        ("redis://me:s3cret@host", "knows sqlite and postgresql, not 'redis'"),
        ("studies.db", "takes sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("", "takes sqlite:///FILE"),
        ("postgresql://me:s3cret@host:port/db", "takes sqlite:///FILE"),
        ("postgresql://me:s3@cret@host/db", "@ is written %40"),  # else the host would be cret@host, and shown
        ("sqlite://", "needs the file"),
        ("sqlite:///:memory:", "needs the file"),
    ],
)
def test_a_storage_that_is_none_is_refused_and_leaves_nothing(tmp_path, monkeypatch, url, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message) as caught:
        Store(url, tmp_path / "study", "study")
    assert "cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:s3cret@localhost:1/db", "Connection refused"),
        ("postgres://me:s3cret@127.0.0.1:1/db", "Connection refused"),
        ("postgresql+psycopg://me:s3cret@127.0.0.1:99999/db", "invalid port number"),
        ("postgresql://localhost:1/db?user=me&password=s3cret", "Connection refused"),
        ("postgresql://me:s3cret@nowhere.invalid/db", "nowhere.invalid"),
        ("sqlite:////proc/none/studies.db", "No such file or directory"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_said_at_once_and_without_its_password(tmp_path, url, reason):
    start = time.monotonic()
    with pytest.raises(TenfoldError, match=reason) as caught:
        Store(url, tmp_path / "study", "study")
    assert time.monotonic() - start < 10
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("kind", KINDS[1:])
def test_tables_are_made_by_one_at_a_time_whatever_its_study(open_store, kind, monkeypatch):
    """A database has them once, for all studies: two that begin at once would trip over each other."""
    watcher = open_store(kind, "")
    free = []

    class Watched(storage.RDBStorage):
        def __init__(self, *words, **options):
            with watcher.locks.tried("schema") as now:
                free.append(now)
            super().__init__(*words, **options)

    monkeypatch.setattr(storage, "RDBStorage", Watched)
    for study in ("one", "another"):
        open_store(kind, study)
    assert free == [False, False]


@pytest.mark.slow
def test_a_connection_that_is_cut_is_a_trouble_and_no_bug(open_store, postgres):
    import psycopg

    store = open_store("postgresql")
    study = optuna.create_study(storage=store.storage, study_name="cut")
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(TenfoldError, match="the study cannot be kept in postgresql"), store.troubles():
        study.get_trials()


@pytest.mark.slow
def test_rights_that_a_workers_role_needs(open_store, postgres, asked, tmp_path):
    """Those that the how-to names, once the tables are there."""
    import psycopg

    open_store("postgresql")
    with psycopg.connect(postgres, autocommit=True) as owner:
        owner.execute("CREATE ROLE worker LOGIN")
        owner.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO worker")
        owner.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker")
    with closing(Store(postgres.replace("postgres:@", "worker@"), tmp_path / "study", "study")) as store:
        study = bookkeeping.begin(store, "few rights", asked())
        study.enqueue_trial({"learning_rate": 0.01})
        trial = study.ask()
        trial.suggest_float("learning_rate", 0.001, 0.1)
        trial.set_user_attr("worker", "me")
        trial.report(0.5, 1)
        study.tell(trial, 0.9)
        assert store.locks.session.info.user == "worker"
        assert [trial.accuracy for trial in bookkeeping.trials(study)] == [0.9]


def test_what_a_database_says_is_cut_to_a_line(open_store):
    from sqlalchemy import text

    store = open_store("sqlite")
    with (
        pytest.raises(TenfoldError, match=r"studies\.db: no such table: none\nWhat is finished stands there"),
        store.troubles(),
        store.storage.engine.connect() as connection,
    ):
        connection.execute(text("SELECT * FROM none"))


def test_the_first_error_is_told_and_not_what_came_of_it(open_store):
    """Optuna asks in another way where a statement fails, in a transaction that has failed by then."""
    second = PendingRollbackError("Can't reconnect until invalid transaction is rolled back")
    second.__context__ = OperationalError("SELECT 1", {}, OSError("the server is gone"))
    with pytest.raises(TenfoldError, match=r"be kept in .*: the server is gone\n"), open_store("journal").troubles():
        raise StorageInternalError("An exception is raised during the commit.") from second


@pytest.mark.parametrize("bug", [ValueError("a bug"), KeyError("a bug"), TypeError("a bug")])
def test_a_bug_is_no_trouble_of_a_storage(open_store, bug):
    with pytest.raises(type(bug)), open_store("journal").troubles():
        raise bug


def test_a_disks_trouble_is_named(open_store):
    with (
        pytest.raises(TenfoldError, match=r"journal\.jsonl: No space left on device"),
        open_store("journal").troubles(),
    ):
        raise OSError(28, os.strerror(28))
