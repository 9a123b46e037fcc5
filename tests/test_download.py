"""Fetching, from real servers on this machine: mirrors, a package index, files one already has."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import io
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest

from tenfold.data import catalog, download
from tenfold.data.catalog import File, IndexArchive
from tenfold.errors import DataError

RNG = np.random.default_rng(0)


def _idx(shape):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + RNG.integers(0, 10, shape, np.uint8).tobytes()


CONTENTS = {
    "train-images-idx3-ubyte": _idx((20, 28, 28)),
    "train-labels-idx1-ubyte": _idx((20,)),
    "t10k-images-idx3-ubyte": _idx((10, 28, 28)),
    "t10k-labels-idx1-ubyte": _idx((10,)),
}
TINY = dataclasses.replace(
    catalog.MNIST,
    name="tiny",
    mirrors=(),
    index_archive=None,
    **{
        role: File(name, len(content), hashlib.sha256(content).hexdigest())
        for role, (name, content) in zip(
            ("train_images", "train_labels", "test_images", "test_labels"), CONTENTS.items(), strict=True
        )
    },
)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def _serving(handler):
    """Give the address of a server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


@pytest.fixture
def server(tmp_path):
    """A folder, and the address at which a server on this machine hands it out."""
    folder = tmp_path / "www"
    folder.mkdir()
    with _serving(functools.partial(_Quiet, directory=str(folder))) as url:
        yield folder, url


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tiny"


def _fill(folder, contents=CONTENTS):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))


def test_all_four_come_from_a_mirror_and_then_from_the_cache(server, cache):
    """Who asks for one gets all; they have the permissions that the user gives to new ones: a cache may be for many."""
    folder, url = server
    _fill(folder)
    known = dataclasses.replace(TINY, mirrors=(url,))
    assert download.contents(known, [TINY.train_labels]) == [CONTENTS[TINY.train_labels.name]]
    shutil.rmtree(folder)
    assert download.contents(known, known.files) == list(CONTENTS.values())
    assert {path.name for path in cache.iterdir() if not path.name.startswith(".")} == set(CONTENTS)
    (cache / "new").touch()
    assert len({path.stat().st_mode for path in cache.iterdir() if not path.name.startswith(".")}) == 1


class _Flaky(_Quiet):
    """Breaks each file off at its first request."""

    broken: ClassVar[set[str]] = set()

    def copyfile(self, source, outputfile):
        if self.path in self.broken:
            super().copyfile(source, outputfile)
        self.broken.add(self.path)


def test_a_transfer_that_breaks_off_is_tried_again(tmp_path):
    _fill(tmp_path / "www")
    handler = functools.partial(_Flaky, directory=str(tmp_path / "www"))
    with _serving(handler) as url:
        known = dataclasses.replace(TINY, mirrors=(url,))
        assert download.contents(known, known.files) == list(CONTENTS.values())
    assert len(_Flaky.broken) == 4


HARMS = {
    "cut": lambda content: content[:100],
    "empty": lambda content: b"",
    "begun late": lambda content: content[1:],
    "one bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_damaged_cache_is_fetched_again(server, cache, harm):
    """A process notices what happens to a file that it has read before."""
    folder, url = server
    _fill(folder)
    known = dataclasses.replace(TINY, mirrors=(url,))
    download.contents(known, known.files)
    path = cache / known.train_images.name
    path.write_bytes(harm(path.read_bytes()))
    assert download.contents(known, known.files) == list(CONTENTS.values())
    assert path.read_bytes() == CONTENTS[path.name]


def test_a_mirror_that_tampers_is_passed_over(server, cache):
    folder, url = server
    _fill(folder / "bad", {name: content[:-1] + b"\xff" for name, content in CONTENTS.items()})
    _fill(folder / "bomb", {name: content + bytes(50_000_000) for name, content in CONTENTS.items()})
    _fill(folder / "good")
    (folder / "plain").mkdir()
    for name, content in CONTENTS.items():
        (folder / "plain" / f"{name}.gz").write_bytes(content)
    mirrors = tuple(f"{url}{name}/" for name in ("nowhere", "bad", "bomb", "plain", "good"))
    known = dataclasses.replace(TINY, mirrors=mirrors)
    assert download.contents(known, known.files) == list(CONTENTS.values())


def test_when_nothing_works_the_message_names_each_source_and_the_way_out(server, cache):
    folder, url = server
    _fill(folder / "bad", {name: content[:-1] + b"\xff" for name, content in CONTENTS.items()})
    known = dataclasses.replace(TINY, mirrors=(f"{url}nowhere/", f"{url}bad/", "http://127.0.0.1:9/"))
    with pytest.raises(DataError) as caught:
        download.contents(known, known.files)
    for fact in (f"{url}nowhere/", "404", f"{url}bad/", "http://127.0.0.1:9/", "tenfold data tiny --dir FOLDER"):
        assert fact in str(caught.value)
    assert caught.value.status == 3
    assert not [path for path in cache.iterdir() if path.name != ".lock"]


def _index(folder, archive):
    """Lay out a package index with one project, as pip expects it, and return its address's path."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, member in archive.members.items():
            info = tarfile.TarInfo(member)
            info.size = len(CONTENTS[name])
            tar.addfile(info, io.BytesIO(CONTENTS[name]))
    project = folder / "simple" / archive.project
    project.mkdir(parents=True)
    (project / archive.filename).write_bytes(raw.getvalue())
    link = f"<a href='{archive.filename}'>{archive.filename}</a>"
    (project / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")


ARCHIVE = IndexArchive("tiny-dir", "tiny_dir-1.0.tar.gz", {name: f"tiny_dir-1.0/{name}" for name in CONTENTS})


def test_the_package_index_is_the_last_resort(server, monkeypatch):
    folder, url = server
    _index(folder, ARCHIVE)
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}simple/")
    known = dataclasses.replace(TINY, mirrors=(f"{url}nowhere/",), index_archive=ARCHIVE)
    assert download.contents(known, known.files) == list(CONTENTS.values())


def test_an_index_without_the_project_or_with_a_damaged_archive_is_said_so(server, monkeypatch):
    folder, url = server
    monkeypatch.setenv("PIP_INDEX_URL", f"{url.replace('//', '//somebody:s3cret@')}simple/")
    known = dataclasses.replace(TINY, index_archive=ARCHIVE)
    with pytest.raises(DataError, match="has no such project") as missing:
        download.contents(known, known.files)
    assert "s3cret" not in str(missing.value)
    _index(folder, ARCHIVE)
    path = folder / "simple" / ARCHIVE.project / ARCHIVE.filename
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="is damaged"):
        download.contents(known, known.files)


def test_files_one_has_are_verified_and_kept(tmp_path, cache):
    source = tmp_path / "mine"
    source.mkdir()
    for at, (name, content) in enumerate(CONTENTS.items()):  # both spellings, plain and gzipped
        spelt = name if at % 2 else name.replace("-idx", ".idx")
        (source / (spelt + ".gz" * (at < 2))).write_bytes(gzip.compress(content) if at < 2 else content)
    assert download.adopt(TINY, source) == cache
    assert download.contents(TINY, TINY.files) == list(CONTENTS.values())


def test_wrong_files_leave_the_cache_untouched(tmp_path, cache):
    source = tmp_path / "mine"

    def refused():
        with pytest.raises(DataError):
            download.adopt(TINY, source)
        assert not cache.exists()

    refused()
    source.mkdir()
    refused()
    _fill(source, CONTENTS | {"t10k-labels-idx1-ubyte": bytes(18)})
    refused()
    _fill(source)
    (source / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8bnot really")
    refused()


FETCH = """
import dataclasses, sys
sys.path.insert(0, sys.argv[1])
from test_download import CONTENTS, TINY
from tenfold.data import download
known = dataclasses.replace(TINY, mirrors=(sys.argv[2],))
assert download.contents(known, known.files) == list(CONTENTS.values())
"""


def test_processes_that_fetch_at_once_do_not_harm_each_other(server, cache):
    folder, url = server
    _fill(folder)
    command = [sys.executable, "-c", FETCH, os.path.dirname(__file__), url]
    fetchers = [subprocess.Popen(command) for _ in range(3)]
    assert [fetcher.wait(60) for fetcher in fetchers] == [0, 0, 0]
    assert {path.name for path in cache.iterdir()} == {*CONTENTS, ".lock"}
