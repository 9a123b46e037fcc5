"""Locks that die with their holder, who then writes nothing more."""

import subprocess
import sys
import time

import optuna
import pytest

from tenfold.errors import TenfoldError
from tenfold.tune import locks
from tenfold.tune.storage import Store
from waiting import running

KINDS = ["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


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
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
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
    assert [options["connect_timeout"] for options in seen] == [locks.PATIENCE]
    assert 2 * locks.PATIENCE < 10


@pytest.mark.slow
def test_a_process_has_one_session_for_locks_and_trials(open_store, postgres):
    """Else one whose locks were given to others could still write: draw a point twice, or one too many."""
    import psycopg

    store = open_store("postgresql")
    study = optuna.create_study(storage=store.storage, study_name="one session")
    with psycopg.connect(postgres, autocommit=True) as server, store.locks.held("ask"):
        sessions = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        assert server.execute(sessions).fetchall() == [(store.locks.session.info.backend_pid,)]
        study.ask()
        assert not free_now(open_store("postgresql"), "ask")  # what Optuna commits and rolls back frees no lock
        study.trials_dataframe()
    assert store.storage.engine.dialect.driver == "psycopg"


@pytest.mark.slow
def test_who_has_lost_its_locks_writes_nothing_more(open_store, postgres):
    import psycopg

    store, other = open_store("postgresql"), open_store("postgresql")
    study = optuna.create_study(storage=store.storage, study_name="lost")
    with (  # noqa: PT012
        psycopg.connect(postgres, autocommit=True) as server,
        pytest.raises(TenfoldError, match="terminating connection") as caught,
        store.troubles(),
        store.locks.held("ask"),
    ):
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with other.locks.held("ask"):
            study.ask()
    assert len(str(caught.value).splitlines()) == 2
    for _ in range(2):  # a pool of its own would connect anew
        with pytest.raises(TenfoldError, match="the connection was lost, and its locks with it"), store.troubles():
            study.ask()
    assert optuna.load_study(storage=other.storage, study_name="lost").trials == []


@pytest.mark.slow
def test_options_of_a_session_that_a_url_names_are_kept(tmp_path, postgres):
    url = f"{postgres}{'&' if '?' in postgres else '?'}options=-c%20application_name%3Dmine"
    store = Store(url, tmp_path / "study", "study")
    try:
        assert store.locks.session.execute("SHOW application_name").fetchone() == ("mine",)
    finally:
        store.close()


def test_without_psycopg_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(TenfoldError, match=r"pip install 'tenfold\[postgres\]'"):
        Store("postgresql://me:s3cret@host/db", tmp_path / "study", "study")
