"""The storage of a study: a journal that survives cuts, and databases."""

import os
import traceback

import pytest
from optuna.trial import TrialState

from tenfold.errors import TenfoldError, UsageError
from tenfold.tune import storage
from tenfold.tune.sampler import Budget, Sampler

KINDS = ["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture
def opened(tmp_path, asked, request):
    """`opened("sqlite")` is the sampler of a study in a place, again and again the same."""

    stores = []

    def sampler(kind="journal"):
        if kind == "journal":
            store = storage.journal(tmp_path / "journal.jsonl")
        elif kind == "sqlite":
            store = storage.connect(f"sqlite:///{tmp_path / 'studies.db'}")
        else:
            store = storage.connect(request.getfixturevalue("postgres"))
        stores.append(store)
        return Sampler(store, "study", asked("grid"), Budget())

    yield sampler
    for store in stores:
        store.close()


def _tell(sampler, *accuracies):
    for accuracy in accuracies:
        sampler.tell(sampler.ask().trial, TrialState.COMPLETE, {}, accuracy)


def _accuracies(sampler):
    return [trial.accuracy for trial in sampler.trials()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_is_there_for_the_next_command(opened, kind):
    first = opened(kind)
    _tell(first, 0.1 + 0.2, 0.5)
    first.report(first.ask().trial, 1, 0.7)
    second = opened(kind)
    assert _accuracies(second) == [0.1 + 0.2, 0.5, 0.7]  # to the last bit
    assert second.trials() == first.trials()


def test_a_journal_that_is_cut_at_any_byte_opens_with_what_was_whole(opened, tmp_path):
    """As a kill or a full disk leaves it; the search then ends as it would have. Around ends of lines and in each."""
    _tell(opened(), 0.0, 0.1)
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in sorted({*range(0, len(whole), 37), *(end + by for end in ends for by in (-1, 0, 1))}):
        path.write_bytes(whole[:cut])
        kept = opened()
        assert path.read_bytes().startswith(whole[: whole[:cut].rfind(b"\n") + 1])
        finished = [trial.accuracy for trial in kept.trials() if trial.finished]
        assert finished == [0.0, 0.1][: len(finished)]
        if cut % 10 == 0:
            _tell(kept, *[0.5] * (6 - len(finished)))
            assert kept.ask() is None
            assert len({tuple(trial.point.values()) for trial in opened().trials()}) == 6


@pytest.mark.parametrize("damage", [b"{", b"\x00\x00\x00", b"3", b"{}", b"[]", b'{"op_code":99}', b'"text"'])
def test_damage_in_the_midst_is_said_and_nothing_is_taken_away(opened, tmp_path, damage):
    _tell(opened(), 0.0, 0.1)
    path = tmp_path / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:4], damage + b"\n", *lines[5:]])
    path.write_bytes(damaged)
    with pytest.raises(TenfoldError, match=r"journal\.jsonl is damaged"):
        opened()
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://me:s3cret@host/db", "studies.db", "", "postgresql://me:s3cret@host:port/db", "sqlite://"),
        "postgresql://me:s3@cret@host/db",  # else the host would be cret@host, and shown
    ],
)
def test_a_storage_that_is_none_is_refused_and_leaves_nothing(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        storage.connect(url)
    assert "cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@localhost:1/db",
        "postgresql+psycopg://me:s3cret@127.0.0.1:99999/db",
        "postgresql://localhost:1/db?user=me&password=s3cret",
        "postgresql://me:s3cret@nowhere.invalid/db",
        "sqlite:////proc/none/studies.db",
    ],
)
def test_a_storage_that_cannot_be_reached_is_said_without_its_password(url):
    with pytest.raises(TenfoldError) as caught:
        storage.connect(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.slow
def test_a_connection_that_is_cut_is_told_in_a_line_and_the_study_is_kept(opened, postgres):
    import psycopg

    sampler = opened("postgresql")
    trial = sampler.ask().trial
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(TenfoldError, match="postgresql"):
        sampler.tell(trial, TrialState.COMPLETE, {"seconds": 1.0}, 0.5)
    assert opened("postgresql").ask().trial.number == trial.number


def test_a_disks_trouble_is_named_and_a_bug_is_none(opened):
    with pytest.raises(TenfoldError, match=r"journal\.jsonl: No space left on device"), opened().store.guarded():
        raise OSError(28, os.strerror(28))
    with pytest.raises(KeyError), opened().store.guarded():
        raise KeyError("a bug")
