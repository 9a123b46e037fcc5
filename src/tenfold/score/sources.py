"""Sources of pictures: a file, a folder, a pattern or an address that fsspec opens, and the files in it one by one.

Listing is streamed: only one folder is in memory, sorted by name, so that the same source gives the same plan.
"""

import gzip
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from tenfold.data import table
from tenfold.errors import DataError, TenfoldError, UsageError

LARGEST = 64_000_000  # bytes of an encoded picture; 4 million pixels take less
TOO_LARGE = f"larger than {LARGEST:,} bytes"
MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Found:
    """A file: its name within the source and, if it is unusable, the reason."""

    name: str
    reason: str | None = None


@dataclass(frozen=True)
class Source:
    """An address, and the folder that its names are relative to.

    Only the address is pickled; each process connects once. For a single file, `single` is its name. A `pattern`
    matches whole paths, at most `depth` folders deep.
    """

    url: str
    root: str
    single: str | None = None
    pattern: str | None = None
    depth: int | None = None

    @property
    def files(self) -> Any:
        """The file system."""
        return _connect(self.url)[0]

    @property
    def local(self) -> bool:
        """True for the file system of this machine."""
        return isinstance(self.files, LocalFileSystem)

    def path(self, name: str) -> str:
        """Return the path of a name in the file system."""
        return f"{self.root}/{name}" if self.root else name

    def open(self, name: str) -> Any:
        """Open a file for reading at any position."""
        return self.files.open(self.path(name), "rb")

    def size(self, name: str) -> int:
        """Return the current size of a file in bytes."""
        return int(self.files.size(self.path(name)))

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop` in one request; fewer if the file ends before."""
        return bytes(self.files.cat_file(self.path(name), start=start, end=stop))

    def walk(self, but: str | None = None) -> Iterator[Found]:
        """Yield all files that are not hidden, sorted, without the local folder `but`."""
        if self.single is not None:
            yield Found(self.single)
            return
        matches = re.compile(self.pattern).fullmatch if self.pattern else None
        for found in self._below("", 0, but):
            if matches is None or matches(self.path(found.name)):
                yield found

    def _below(self, folder: str, depth: int, but: str | None) -> Iterator[Found]:
        try:
            entries = self._scan(folder) if self.local else self._ask(folder)
        except PermissionError as error:
            yield Found(folder, f"the folder cannot be opened: {error.strerror}")
            return
        for found, is_folder in sorted(entries, key=lambda entry: entry[0].name):
            if not is_folder:
                yield found
            elif (self.depth is None or depth < self.depth) and self.path(found.name) != but:
                yield from self._below(found.name, depth + 1, but)

    def _scan(self, folder: str) -> list[tuple[Found, bool]]:
        """List a folder of this machine without sizes, which would take ten times as long."""
        entries = []
        with os.scandir(self.path(folder) if folder else self.root) as scan:
            for entry in scan:
                if entry.name.startswith("."):
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                reason = None
                try:
                    if not is_folder and not entry.is_file():
                        reason = "links to folders are not followed" if entry.is_dir() else "not a file"
                except OSError as error:  # a link to itself
                    reason = f"cannot be opened: {error.strerror}"
                name = f"{folder}/{entry.name}" if folder else entry.name
                entries.append((Found(name, reason), is_folder))
        return entries

    def _ask(self, folder: str) -> list[tuple[Found, bool]]:
        """List a folder of a remote file system."""
        path = self.path(folder) if folder else self.root
        entries = []
        for entry in self.files.ls(path, detail=True):
            last = entry["name"].rstrip("/").rpartition("/")[2]
            if last.startswith(".") or entry["name"].strip("/") == path.strip("/"):  # a store's folder marker
                continue
            is_folder, size = entry["type"] == "directory", entry.get("size")
            name = f"{folder}/{last}" if folder else last
            large = TOO_LARGE if size and size > LARGEST and kind_of(name) == "pictures" else None
            entries.append((Found(name, large), is_folder))
        self.files.invalidate_cache(path)  # otherwise every listed object stays in memory
        return entries


def kind_of(name: str) -> str:
    """Return the kind of a file by its name: "parquet", "csv", "tar", "idx", or "pictures" for all others."""
    low = name.lower()
    if table.is_parquet(name):
        return "parquet"
    if table.is_csv(name):
        return "csv"
    if low.endswith((".tar", ".tar.gz", ".tgz")):
        return "tar"
    return "idx" if re.search(r"(idx\d-ubyte|\.idx)(\.gz)?$", low) else "pictures"


def find(text: str) -> Source:
    """Return the source that a user names; raise `DataError` if it is missing, `UsageError` for an unknown address."""
    url = text if "://" in text or "::" in text else os.path.abspath(text)
    try:
        return _found(text, url)
    except TenfoldError:
        raise
    except ValueError as error:
        raise UsageError(f"unknown kind of address {text}: {_line(error)}") from None
    except Exception as error:  # each file system has its own exceptions
        raise TenfoldError(f"{text} cannot be opened: {_line(error)}") from None


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _found(text: str, url: str) -> Source:
    files, path = _connect(url)
    if path and not files.exists(path):
        if magic := MAGIC.search(path):
            return _of_pattern(url, path, path[: magic.start()].rpartition("/")[0])
        raise DataError(f"{text} does not exist")
    path = path.rstrip("/")
    if path and files.isfile(path):
        root, _, name = path.rpartition("/")
        return Source(url, root, single=name)
    if isinstance(files, LocalFileSystem) and not os.path.isdir(path or "/"):
        raise DataError(f"{text} is neither a file nor a folder")
    return Source(url, path)


def _of_pattern(url: str, path: str, fixed: str) -> Source:
    """Return the source for a pattern; `fixed` is the folder before its first wildcard."""
    depth = None if "**" in path else path.count("/") - (fixed.count("/") + 1 if fixed else 0)
    files, _ = _connect(url)
    if fixed and not files.isdir(fixed):
        raise DataError(f"{fixed} does not exist")
    return Source(url, fixed, pattern=glob_translate(path), depth=depth)


@contextmanager
def unpacked(source: Source, name: str) -> Iterator[tuple[Any, bool]]:
    """Open a file, uncompressed if necessary; also yield True if it was compressed."""
    with source.open(name) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file, False
            return
        with gzip.open(file) as content:
            yield content, True


@lru_cache(maxsize=8)
def _connect(url: str) -> tuple[Any, str]:
    files, path = fsspec.core.url_to_fs(url)
    return files, path
