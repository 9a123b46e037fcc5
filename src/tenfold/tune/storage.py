"""The storage of a study: a journal file in its folder, SQLite or PostgreSQL. Only one process writes to it."""

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

# Seconds to wait for a database to answer; it may have two addresses.
PATIENCE = {"sqlite": {"timeout": 60}, "postgresql": {"connect_timeout": 4}}


@dataclass(frozen=True)
class Store:
    """Optuna's storage, and its address without the password."""

    storage: BaseStorage
    shown: str

    def guarded(self) -> AbstractContextManager[None]:
        """Convert storage errors within the block into a `TenfoldError`."""
        return _guarded(self.shown)

    def close(self) -> None:
        """Close the connections to the database."""
        if isinstance(self.storage, RDBStorage):
            self.storage.remove_session()
            self.storage.engine.dispose()


def connect(url: str) -> Store:
    """Open the database at `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

    Raises `UsageError` for any other address, `TenfoldError` within 10 s if the database cannot be reached.
    """
    address = _address(url)
    shown = address.set(query={}).render_as_string()  # the query can contain a password too
    kind = address.drivername
    if kind == "postgresql":
        extras.require("postgres", "PostgreSQL")
        address = address.set(drivername="postgresql+psycopg")
    with _guarded(shown):
        options = {"connect_args": PATIENCE[kind]}
        return Store(RDBStorage(address.render_as_string(hide_password=False), engine_kwargs=options), shown)


def journal(path: Path) -> Store:
    """Open a journal file in a folder that the caller has locked; raise `TenfoldError` if a line is damaged.

    An incomplete last line, left by a kill or a full disk, is removed: its record never took effect.
    """
    with _guarded(str(path)):
        if path.exists():
            content = path.read_bytes()
            if not content.endswith(b"\n"):
                with open(path, "r+b") as file:
                    file.truncate(content.rfind(b"\n") + 1)
        try:
            return Store(JournalStorage(JournalFileBackend(str(path), _Unlocked(str(path)))), str(path))
        except (ValueError, LookupError, TypeError, AssertionError):  # raised by Optuna for invalid lines
            raise TenfoldError(
                f"{path} is damaged: a line before the last is not a record of a study.\n"
                "Restore a copy, or move it away and start again: the cache keeps finished trainings"
            ) from None


class _Unlocked(JournalFileOpenLock):
    """No lock, because the folder of the study has one."""

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
        if isinstance(cause, PendingRollbackError):  # the first error came before
            cause = cause.__context__ or cause
        cause = getattr(cause, "orig", None) or cause  # SQLAlchemy's message has the whole statement
        reason = getattr(cause, "strerror", None) or str(cause).partition("\n")[0]
        raise TenfoldError(
            f"cannot store the study in {shown}: {reason}\n"
            "Finished trainings are kept; fix this, or choose another --storage, and run the same command to resume"
        ) from None


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        if "@" in str(address.host):
            raise ValueError  # otherwise a part of the password would be shown as the host
    except (ArgumentError, ValueError):
        raise UsageError(
            "--storage must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.\n"
            "In a password, write @ as %40, : as %3A and / as %2F"
        ) from None
    kind = address.drivername.partition("+")[0]
    if kind not in ("sqlite", "postgresql", "postgres"):
        raise UsageError(f"--storage must be sqlite or postgresql, got {kind!r}")
    if kind == "sqlite" and address.database in (None, "", ":memory:"):
        raise UsageError("--storage sqlite:///FILE needs a file, because a database in memory is lost with its process")
    return address.set(drivername="sqlite" if kind == "sqlite" else "postgresql")
