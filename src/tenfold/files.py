"""Read and write files that appear whole or not at all."""

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
    """Open a temporary file next to `path`, and rename it to `path` when the block succeeds.

    A reader sees the old content or the new, never a part of it; after an error (a full disk, a kill) the old
    content remains. The data reaches the disk before the name does, so this also holds for a power cut. Raises
    `StorageError` if the file cannot be written.
    """
    if not path.name:
        raise UsageError(f"{path} is a folder; give the path of a file")
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
    """Return the value in a JSON file, of type `kind`; raises the errors of `parse_json`."""
    return parse_json(path.read_bytes(), kind, path, advice)


def parse_json(content: str | bytes, kind: type[T], where: object, advice: str) -> T:
    """Return the value of some JSON, checked by pydantic to be of type `kind`; all its numbers are finite.

    Raises a `TenfoldError` of one line, with the `advice`, for anything else.
    """
    try:
        loaded, python_alone = _loaded(content)
        json.dumps(loaded, allow_nan=False)  # finite numbers, even if the type allows any value
        adapter = _adapter(kind)
        value: T = adapter.validate_python(loaded) if python_alone else adapter.validate_json(content, strict=True)
        return value
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
    except (ValueError, RecursionError) as error:
        reason = f"not valid JSON: {error}"
    except TenfoldError as error:  # a recipe with an unknown network or dataset
        raise type(error)(f"{where}: {error}") from None
    raise TenfoldError(f"{where} is damaged ({reason}); {advice}")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False).encode() + b"\n")


def write_json_lines(path: Path, values: Iterable[Any]) -> None:
    """Write `values` as one line of JSON each, atomically."""
    with atomic(path) as file:
        file.writelines(_line(value) for value in values)


def append_line(path: Path, value: Any) -> None:
    """Append `value` as one line of JSON, which is on the disk when this returns.

    It is one write in append mode under a lock, so lines of two processes do not mix. An incomplete line of a killed
    writer is ended first. Raises `StorageError` if the line cannot be written.
    """
    line = _line(value)
    try:
        binary = getattr(os, "O_BINARY", 0)  # without it, Windows changes the ends of lines
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | binary, 0o666)
        try:
            if sys.platform != "win32":  # another process may be in the middle of a line
                fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_size:
                os.lseek(handle, -1, os.SEEK_END)
                if os.read(handle, 1) != b"\n":
                    line = b"\n" + line
            if os.write(handle, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents; raise `StorageError` if that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def delete(path: Path) -> None:
    """Delete a file if it exists; raise `StorageError` if that fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def only_one(path: Path, refusal: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; raise `BusyError(refusal)` if it stays locked for `wait` seconds.

    The lock of a killed process is free at once. Raises `StorageError` if the file cannot be made.
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
    """Delete incomplete files of killed writers. The caller holds the lock of the folder."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


@contextmanager
def all_or_nothing(folder: Path, names: Iterable[str], *done: str) -> Iterator[None]:
    """Delete these files of `folder`, and the folder if it is then empty, if the block fails before any result.

    A file that matches one of the patterns `done` is a result. After an interruption everything stays, for resuming.
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
    """Return the error for a file that is not `expected`. Only the first bytes are read."""
    with open(path, "rb") as file:
        is_pickle = file.read(2).startswith((b"\x80", b"PK"))  # Python's and PyTorch's
    kind = "a pickle, which could run code and is not opened" if is_pickle else "damaged, or of another format"
    return TenfoldError(f"{path} is not {expected}: it is {kind} ({reason})")


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write {path}: {error.strerror}.\nExisting files are unchanged; free space, or choose another folder"
    )


def _loaded(content: str | bytes) -> tuple[Any, bool]:
    """Return the value of some JSON, and True if only Python can read it, as with file names that are not UTF-8."""
    try:
        return from_json(content), False
    except ValueError:
        return json.loads(content), True


def _line(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"
