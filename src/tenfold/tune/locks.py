"""Locks that die with their owner: of files for what lies on a disk, advisory ones in PostgreSQL.

With PostgreSQL a process has one session for its locks and its trials: when that ends its locks are free, and then it
can write nothing more. With two, one whose locks have been given to others could go on as if it had them.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, Protocol

from filelock import FileLock, Timeout
from sqlalchemy.engine import URL

from tenfold import extras, files

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

PATIENCE = 4  # seconds for a database to answer; it may have two addresses, and 10 s are promised
# A silent peer is given up by the other, and its locks are freed, after SILENCE seconds: while nothing is on its way
# probes see to that, and while something is, TCP's own limit; without it that would be tried again for 15 minutes.
IDLE, INTERVAL, COUNT = 10, 5, 3
SILENCE = IDLE + INTERVAL * COUNT
OURS: dict[str, Any] = {
    "keepalives_idle": IDLE,
    "keepalives_interval": INTERVAL,
    "keepalives_count": COUNT,
    "tcp_user_timeout": 1000 * SILENCE,
}
THE_SERVERS = (
    f"-c tcp_keepalives_idle={IDLE} -c tcp_keepalives_interval={INTERVAL} -c tcp_keepalives_count={COUNT} "
    f"-c tcp_user_timeout={1000 * SILENCE}"
)


class Locks(Protocol):
    """Named locks, one holder each, that are free as soon as their holder is gone."""

    def held(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock while the block runs; waits for it."""

    def tried(self, name: str) -> AbstractContextManager[bool]:
        """Hold the lock while the block runs if it is free now, and say whether it was."""

    def close(self) -> None:
        """Free all locks, for good."""


class FileLocks:
    """Locks of files beside a study's file: for all processes of one machine."""

    def __init__(self, path: Path, study: str) -> None:
        self.folder = path.with_name(f"{path.name}.locks")
        self.study = study
        files.make_folder(self.folder)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """See `Locks`."""
        with FileLock(self._path(name)):
            yield

    @contextmanager
    def tried(self, name: str) -> Iterator[bool]:
        """See `Locks`."""
        lock = FileLock(self._path(name))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def close(self) -> None:
        """Do nothing: none is held outside of a block."""

    def _path(self, name: str) -> Path:
        return self.folder / hashlib.sha256(f"{self.study}/{name}".encode()).hexdigest()[:16]


def begin_session(address: URL) -> "Session":
    """Begin a session of PostgreSQL that both ends give up when the other is silent."""
    extras.require("postgres", "PostgreSQL")
    import psycopg

    asked = " ".join(address.normalized_query.get("options", ()))
    return psycopg.connect(
        address.render_as_string(hide_password=False),
        connect_timeout=PATIENCE,
        options=f"{THE_SERVERS} {asked}",
        **OURS,
    )


def only(session: "Session") -> "Callable[[], Session]":
    """Return what gives a pool its connection: this session while it lasts, and no other after it."""

    def connect() -> "Session":
        if session.closed:
            raise OSError("the connection was lost, and its locks with it")
        return session

    return connect


class PostgresLocks:
    """Advisory locks of one session of PostgreSQL: for all machines that reach it."""

    def __init__(self, session: "Session", study: str) -> None:
        self.session = session
        self.study = study

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """See `Locks`."""
        self._ask("SELECT pg_advisory_lock(%s)", name)
        try:
            yield
        finally:
            self._free(name)

    @contextmanager
    def tried(self, name: str) -> Iterator[bool]:
        """See `Locks`."""
        free = self._ask("SELECT pg_try_advisory_lock(%s)", name)
        try:
            yield free
        finally:
            if free:
                self._free(name)

    def close(self) -> None:
        """End the session."""
        self.session.close()

    def _free(self, name: str) -> None:
        if not self.session.closed:  # else it is free, and what ended the session is the error to tell
            self._ask("SELECT pg_advisory_unlock(%s)", name)

    def _ask(self, question: LiteralString, name: str) -> bool:
        key = int.from_bytes(hashlib.sha256(f"{self.study}/{name}".encode()).digest()[:8], signed=True)
        with self.session.transaction():  # an open one would keep the database from cleaning up
            row = self.session.execute(question, (key,)).fetchone()
        return bool(row and row[0])
