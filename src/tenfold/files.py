"""Files that appear whole or not at all."""

import errno
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from tenfold.errors import BusyError, InterruptError, StorageError, TenfoldError, UsageError

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its name when the block ends well.

    A reader sees the old content or the new, never a part; after an error (a full disk, a kill) the old
    content stands. The data reaches the disk before the name does, so a power cut keeps the promise too.
    Raises `StorageError` where the system does not let it write.
    """
    if not path.name:
        raise UsageError(f"{path} is a folder; name a file in it")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def read_json(path: Path, kind: type[T], advice: str) -> T:
    """Return the value of a `kind` that a JSON file holds; raises as `parse_json` does."""
    return parse_json(path.read_bytes(), kind, path, advice)


def parse_json(content: str | bytes, kind: type[T], where: object, advice: str) -> T:
    """Return the value of a `kind` that JSON holds, checked by pydantic; every number in it is finite.

    Raises `TenfoldError` in one line for all else, with the `advice`.
    """
    try:
        loaded, python_alone = _loaded(content)
        json.dumps(loaded, allow_nan=False)  # also where the kind takes any value
        adapter = _adapter(kind)
        value: T = adapter.validate_python(loaded) if python_alone else adapter.validate_json(content, strict=True)
        return value
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
    except (ValueError, RecursionError) as error:
        reason = f"it is not JSON: {error}"
    except TenfoldError as error:  # of a recipe: a network or a dataset that is not known
        raise type(error)(f"{where}: {error}") from None
    raise TenfoldError(f"{where} is damaged ({reason}); {advice}")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False).encode() + b"\n")


def write_json_lines(path: Path, values: Iterable[Any]) -> None:
    """Write a line of JSON for each of `values`, atomically."""
    with atomic(path) as file:
        file.writelines(_line(value) for value in values)


def append_line(path: Path, value: Any) -> None:
    """Append `value` as one line of JSON, on the disk when this returns.

    One write in append mode, one writer at a time: lines of two processes do not mix. A line that a writer left
    half-written ends where it stands. Raises `StorageError` where it cannot be written.
    """
    line = _line(value)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            if sys.platform != "win32":  # a line that another is about to write ends half-way for a moment
                fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are not there; `StorageError` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def delete(path: Path) -> None:
    """Delete a file, if it is there; `StorageError` where that cannot be."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def only_one(path: Path, refusal: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; `BusyError` with `refusal` if it is not free in `wait` seconds.

    The lock of a killed process is free at once. Raises `StorageError` where the file cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise BusyError(refusal) from None
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left half-written; the caller holds the folder's lock."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


@contextmanager
def all_or_nothing(folder: Path, names: Iterable[str], *done: str) -> Iterator[None]:
    """Remove these files of `folder`, and the folder if that leaves it empty, where the block fails with nothing done.

    Something is done if a file matches one of the patterns `done`. What was interrupted is there to be resumed.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, InterruptError) and not any(any(folder.glob(one)) for one in done):
            for name in names:
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        raise


def foreign(path: Path, expected: str, reason: object) -> TenfoldError:
    """Return the error for a file that is not what was `expected`; it looks at the first bytes alone."""
    with open(path, "rb") as file:
        is_pickle = file.read(2).startswith((b"\x80", b"PK"))  # of Python itself, of PyTorch
    kind = "a pickle, which could run code and is not opened" if is_pickle else "damaged, or something else"
    return TenfoldError(f"{path} is not {expected}: it is {kind} ({reason})")


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write {path}: {error.strerror}.\nWhat was there before is as it was; make room, or name another place"
    )


def _loaded(content: str | bytes) -> tuple[Any, bool]:
    """Return what JSON holds, and whether only Python reads it: names of files that are not UTF-8."""
    try:
        return from_json(content), False
    except ValueError:
        return json.loads(content), True


def _line(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"
