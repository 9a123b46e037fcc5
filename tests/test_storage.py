"""Where a study is kept: a journal that survives cuts, databases, and locks that die with their holder."""

import json
import os
import subprocess
import sys
import time
import traceback

import optuna
import pytest

from tenfold.errors import TenfoldError, UsageError
from tenfold.tune import bookkeeping, storage
from tenfold.tune.storage import Store

KINDS = ["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture
def open_store(tmp_path, request):
    """`open_store("sqlite", "study")` opens the study's place, again and again the same."""
    opened = []

    def store(kind, study="study"):
        if kind == "postgresql":
            url = request.getfixturevalue("postgres")
        else:
            url = f"sqlite:///{tmp_path / 'studies.db'}" if kind == "sqlite" else None
        opened.append(Store(url, tmp_path / study, study))
        return opened[-1]

    yield store
    for one in opened:
        one.close()


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


HOLDER = """
import sys
from pathlib import Path
from tenfold.tune.storage import Store
store = Store(sys.argv[1] or None, Path(sys.argv[2]), "study")
with store.locks.held("a worker"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_a_lock_is_held_as_long_as_its_holder_lives(open_store, kind, tmp_path, request):
    store = open_store(kind)
    url = {"journal": "", "sqlite": f"sqlite:///{tmp_path / 'studies.db'}"}.get(kind)
    command = [sys.executable, "-c", HOLDER, url if url is not None else request.getfixturevalue("postgres")]
    command.append(str(tmp_path / "study"))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with store.locks.tried("a worker") as free:
            assert not free
        with store.locks.tried("another") as free:
            assert free
        holder.kill()
        holder.wait()
        deadline = time.monotonic() + 20  # a server takes a moment to see that its client is gone
        while not free_now(store, "a worker"):
            assert time.monotonic() < deadline
    with store.locks.held("a worker"):
        pass


def free_now(store, name):
    with store.locks.tried(name) as free:
        return free


@pytest.mark.parametrize("kind", KINDS)
def test_locks_are_of_their_study_and_given_back(open_store, kind):
    one, other, elsewhere = open_store(kind), open_store(kind), open_store(kind, "another")
    with one.locks.held("ask"):
        assert not free_now(other, "ask")
        assert free_now(other, "final")
        assert free_now(elsewhere, "ask")
    assert free_now(other, "ask")
    with pytest.raises(RuntimeError), one.locks.held("ask"):
        raise RuntimeError
    with one.locks.tried("ask") as free:
        assert free
        assert not free_now(other, "ask")
    assert free_now(other, "ask")


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


def test_a_host_that_is_silent_is_given_up_in_time(tmp_path, monkeypatch):
    """Packets cannot be made to vanish here; what is passed on says how long one waits for each address of a host."""
    import psycopg

    seen = []

    def connect(conninfo, **options):
        seen.append(options)
        raise psycopg.OperationalError("connection timeout expired")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(TenfoldError, match="connection timeout expired"):
        Store("postgresql://me:s3cret@host/db", tmp_path / "study", "study")
    assert [options["connect_timeout"] for options in seen] == [storage.PATIENCE]
    assert 2 * storage.PATIENCE < 10


@pytest.mark.slow
def test_the_pool_of_a_database_has_the_same_patience_as_its_locks(open_store):
    store = open_store("postgresql")
    assert store.storage.engine_kwargs["connect_args"]["connect_timeout"] == storage.PATIENCE
    assert store.storage.engine.dialect.driver == "psycopg"


def test_without_psycopg_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(TenfoldError, match=r"pip install 'tenfold\[postgres\]'"):
        Store("postgresql://me:s3cret@host/db", tmp_path / "study", "study")


def test_without_optuna_the_extra_is_named(monkeypatch):
    from tenfold import tune

    tune.require_libraries()
    monkeypatch.setattr(tune, "find_spec", lambda name: None)
    with pytest.raises(TenfoldError, match=r"pip install 'tenfold\[tune\]'"):
        tune.require_libraries()


@pytest.mark.slow
def test_a_connection_that_is_cut_is_a_trouble_and_no_bug(open_store, postgres):
    import psycopg

    store = open_store("postgresql")
    study = optuna.create_study(storage=store.storage, study_name="cut")
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for use in (lambda: free_now(store, "ask"), lambda: study.get_trials()):
        with pytest.raises(TenfoldError, match="the study cannot be kept in postgresql"), store.troubles():
            use()
    with pytest.raises(TenfoldError), store.troubles():  # its locks are another's now: it does not go on without them
        free_now(store, "ask")


def test_what_a_database_says_is_cut_to_a_line(open_store):
    from sqlalchemy import text

    store = open_store("sqlite")
    with (
        pytest.raises(TenfoldError, match=r"studies\.db: no such table: none\nWhat is finished stands there"),
        store.troubles(),
        store.storage.engine.connect() as connection,
    ):
        connection.execute(text("SELECT * FROM none"))


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
