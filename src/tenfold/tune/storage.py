"""Where a study is kept: a journal file, SQLite or PostgreSQL, and the locks beside it.

Optuna's storages keep trials; what they lack is a way to ask "one at a time, whoever you are" and "is that worker still
there". Both are locks in the same place, which a killed process, a crashed machine or a cut cable frees.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from tenfold import files
from tenfold.errors import TenfoldError, UsageError
from tenfold.tune.locks import FileLocks, Locks, PostgresLocks, begin_session, only


class Store:
    """A study's place: Optuna's `storage` and the `locks` beside it; `shown` names it without a password.

    `url` is `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`; None is a journal file in `folder`. Raises
    `UsageError` for another kind, `TenfoldError` within 10 s where it cannot be reached.
    """

    def __init__(self, url: str | None, folder: Path, study: str) -> None:
        self.storage: BaseStorage
        self.locks: Locks
        if url is None:
            path = folder / "journal.jsonl"
            self.shown = str(path)
            files.make_folder(folder)
            self.locks = FileLocks(path, study)
            with self.troubles():
                self.storage = _journal(path)
            return
        address = _address(url)
        self.shown = address.set(query={}).render_as_string()  # a password can stand in the query, too
        with self.troubles():
            everybody: Locks
            options: dict[str, Any]
            if address.drivername == "sqlite":
                path = Path(str(address.database))
                self.locks, everybody = FileLocks(path, study), FileLocks(path, "")
                options = {"connect_args": {"timeout": 60}}  # seconds to wait for another writer
            else:
                session = begin_session(address)
                self.locks, everybody = PostgresLocks(session, study), PostgresLocks(session, "")
                options = {"creator": only(session), "poolclass": StaticPool}
                address = address.set(drivername="postgresql+psycopg")
            try:
                with everybody.held("schema"):  # two that make the tables at once trip over each other
                    self.storage = RDBStorage(address.render_as_string(hide_password=False), engine_kwargs=options)
            except BaseException:
                self.locks.close()
                raise

    def close(self) -> None:
        """Give back the connections to a database."""
        self.locks.close()
        if isinstance(self.storage, RDBStorage):
            self.storage.engine.dispose()

    @contextmanager
    def troubles(self) -> Iterator[None]:
        """Turn what a database, a driver or a disk refuses while the block runs into a `TenfoldError`."""
        try:
            yield
        except (StorageInternalError, SQLAlchemyError, OSError) as error:
            raise self._lost(error) from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg":  # imported only where it is used
                raise
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> TenfoldError:
        cause: BaseException = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        if isinstance(cause, PendingRollbackError):  # Optuna asked again, in another way, and that is what this says
            cause = cause.__context__ or cause
        cause = getattr(cause, "orig", None) or cause  # SQLAlchemy's own text holds the whole statement
        reason = getattr(cause, "strerror", None) or str(cause).partition("\n")[0]
        return TenfoldError(
            f"the study cannot be kept in {self.shown}: {reason}\n"
            "What is finished stands there; mend it, or name another --storage, and the same command goes on"
        )


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        if "@" in str(address.host):
            raise ValueError  # else a part of the password would be taken, and shown, for the host
    except (ArgumentError, ValueError):
        raise UsageError(
            "--storage takes sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; without it a file is kept.\n"
            "In a password, @ is written %40, : is %3A and / is %2F"
        ) from None
    kind = address.drivername.partition("+")[0]
    if kind not in ("sqlite", "postgresql", "postgres"):
        raise UsageError(f"--storage knows sqlite and postgresql, not {kind!r}")
    if kind == "sqlite" and address.database in (None, "", ":memory:"):
        raise UsageError("--storage sqlite:///FILE needs the file: one in memory is lost with its process")
    return address.set(drivername="sqlite" if kind == "sqlite" else "postgresql")


def _journal(path: Path) -> JournalStorage:
    """Return the storage of a journal file; `TenfoldError` where a line in its midst is no record."""
    lock = _WholeLines(path)
    try:
        with FileLock(lock.lock_file):
            lock.mend()
        return JournalStorage(JournalFileBackend(str(path), lock))
    except (ValueError, LookupError, TypeError, AssertionError):  # what Optuna makes of other lines
        raise TenfoldError(
            f"{path} is damaged: a line that is not the last is no record of a study.\n"
            "Put a copy of it there, or move it away and begin again: what was trained is not trained again"
        ) from None


class _WholeLines(JournalFileOpenLock):
    """The journal's lock: a killed holder frees it, and whoever gets it finds whole lines.

    A write that a kill or a full disk cut short is taken away: its record never took effect, and the next would be
    glued to it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self.lock_file = f"{path}.lock"
        self._held = FileLock(self.lock_file)

    def acquire(self) -> bool:
        self._held.acquire()
        self.mend()
        return True

    def release(self) -> None:
        self._held.release()

    def mend(self) -> None:
        """Cut a last line that is not whole."""
        if not self.path.is_file() or self.path.stat().st_size == 0:
            return
        with open(self.path, "r+b") as file:
            file.seek(-1, 2)
            if file.read(1) == b"\n":
                return
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
