"""The storage of a study: a journal file in its folder, SQLite or PostgreSQL. One process writes there."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, PendingRollbackError, SQLAlchemyError

from tenfold import extras
from tenfold.errors import TenfoldError, UsageError

# Seconds that a database may take to answer; it may have two addresses.
PATIENCE = {"sqlite": {"timeout": 60}, "postgresql": {"connect_timeout": 4}}


@dataclass(frozen=True)
class Store:
    """Optuna's storage, and its name without a password."""

    storage: BaseStorage
    shown: str

    def guarded(self) -> AbstractContextManager[None]:
        """Turn errors of the storage within the block into a `TenfoldError`."""
        return _guarded(self.shown)

    def close(self) -> None:
        """Close the connections to a database."""
        if isinstance(self.storage, RDBStorage):
            self.storage.remove_session()
            self.storage.engine.dispose()


def connect(url: str) -> Store:
    """Open the database at `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

    Raises `UsageError` for another kind, `TenfoldError` within 10 s where it cannot be reached.
    """
    address = _address(url)
    shown = address.set(query={}).render_as_string()  # a password can be in the query, too
    kind = address.drivername
    if kind == "postgresql":
        extras.require("postgres", "PostgreSQL")
        address = address.set(drivername="postgresql+psycopg")
    with _guarded(shown):
        options = {"connect_args": PATIENCE[kind]}
        return Store(RDBStorage(address.render_as_string(hide_password=False), engine_kwargs=options), shown)


def journal(path: Path) -> Store:
    """Open a journal file, whose folder the caller has locked; `TenfoldError` where a line is damaged.

    A last line that a kill or a full disk cut short is removed: its record never took effect.
    """
    with _guarded(str(path)):
        if path.exists():
            content = path.read_bytes()
            if not content.endswith(b"\n"):
                with open(path, "r+b") as file:
                    file.truncate(content.rfind(b"\n") + 1)
        try:
            return Store(JournalStorage(JournalFileBackend(str(path), _Unlocked(str(path)))), str(path))
        except (ValueError, LookupError, TypeError, AssertionError):  # raised by Optuna for other lines
            raise TenfoldError(
                f"{path} is damaged: a line that is not the last is no record of a study.\n"
                "Restore a copy, or move it away and begin again: what was trained is not trained again"
            ) from None


class _Unlocked(JournalFileOpenLock):
    """No lock: the study's folder has one."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


@contextmanager
def _guarded(shown: str) -> Iterator[None]:
    try:
        yield
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        cause: BaseException = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        if isinstance(cause, PendingRollbackError):  # what failed came before
            cause = cause.__context__ or cause
        cause = getattr(cause, "orig", None) or cause  # SQLAlchemy's own text holds the whole statement
        reason = getattr(cause, "strerror", None) or str(cause).partition("\n")[0]
        raise TenfoldError(
            f"the study cannot be kept in {shown}: {reason}\n"
            "What is finished is kept; mend it, or name another --storage, and run the same command to resume"
        ) from None


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
