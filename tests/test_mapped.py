"""Files that are mapped and hashed once; pictures that are read when they are asked for."""

import hashlib
import mmap
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenfold.data import mapped
from tenfold.data.catalog import File
from tenfold.data.split import Samples
from tenfold.errors import UsageError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def hashed(monkeypatch):
    """The files that are hashed, in order."""
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda stream, kind: read.append(stream.name) or digest(stream, kind))
    return read


def test_a_file_is_hashed_once_until_it_changes(tmp_path, hashed):
    path = tmp_path / "file"
    path.write_bytes(b"pictures")
    file = File("file", 8, hashlib.sha256(b"pictures").hexdigest())
    for _ in range(2):
        assert bytes(mapped.opened(path, file)) == b"pictures"
    link = tmp_path / "link"
    link.symlink_to(path)
    assert bytes(mapped.opened(link, file)) == b"pictures"
    assert len(hashed) == 1

    before = path.stat()
    path.write_bytes(b"Pictures")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # who hides it cannot set the time of the last change
    assert mapped.opened(path, file) is None
    assert len(hashed) == 2
    path.write_bytes(b"picture")
    assert mapped.opened(path, file) is None
    assert len(hashed) == 2  # the size says enough
    assert mapped.opened(tmp_path / "missing", file) is None


def test_what_is_remembered_is_computed_anew_where_the_note_is_damaged(tmp_path, own_cache):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert mapped.remembered(path, "size", lambda: 1) == 1
    assert mapped.remembered(path, "size", lambda: 2) == 1
    assert mapped.remembered(path, "other", lambda: [0.1, 0.2]) == [0.1, 0.2]
    for note in (own_cache / mapped.REMEMBERED).iterdir():
        note.write_text("{")
    assert mapped.remembered(path, "size", lambda: 3) == 3


def test_moments_are_those_of_numpy(mnist):
    mean, deviation = mapped.pixel_moments(mnist.images[:5_001])
    assert mean == mnist.images[:5_001].mean()
    assert deviation == pytest.approx(mnist.images[:5_001].std(), rel=1e-12)


def test_too_many_pictures_are_taken_without_a_copy(mnist, monkeypatch):
    some = Samples(mnist.images[:1_000], mnist.labels[:1_000])
    index = np.array([7, 7, 3, 999])
    copied = some.take(index)
    assert isinstance(copied.images, np.ndarray)
    monkeypatch.setattr(mapped, "LARGE", 2 * mapped.PICTURE)
    lazy = some.take(index)
    assert isinstance(lazy.images, mapped.Rows)
    assert lazy.images.shape == (4, 28, 28)
    np.testing.assert_array_equal(lazy.labels, copied.labels)
    np.testing.assert_array_equal(lazy.images[1:4], copied.images[1:4])
    np.testing.assert_array_equal(lazy.images[np.array([3, 0])], copied.images[[3, 0]])
    np.testing.assert_array_equal(lazy.take(np.array([0, 2, 3])).images[:], copied.images[[0, 2, 3]])
    np.testing.assert_array_equal(some.take(np.arange(1_000) % 2 == 0).images[:], mnist.images[:1_000:2])
    for whole in (lambda: np.array(lazy.images), lambda: lazy.images.mean(), lambda: lazy.images.reshape(4, -1)):
        with pytest.raises(UsageError, match="4 pictures are more than are held in memory"):
            whole()
    with pytest.raises(UsageError, match="too many to add others"):
        lazy.extended(copied, 1)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 99), max_size=60), st.integers(0, 5_000))
def test_picked_pictures_of_a_mapped_file_are_those_asked_for(tmp_path, index, before):
    """In whatever order, also none, behind a header of any size."""
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), np.uint8)
    path = tmp_path / "pictures"
    path.write_bytes(bytes(before) + images.tobytes())
    there = np.asarray(np.memmap(path, np.uint8, "r"))[before:].reshape(images.shape)
    chosen = np.array(index, np.int64)
    np.testing.assert_array_equal(mapped.picked(there, chosen), images[chosen])
    np.testing.assert_array_equal(mapped.picked(images, chosen), images[chosen])
    within = mapped.Rows(there, np.arange(99, -1, -1))
    np.testing.assert_array_equal(mapped.picked(within, chosen), images[99 - chosen])


def test_the_system_is_told_of_each_run_of_pictures(tmp_path, monkeypatch):
    path = tmp_path / "pictures"
    path.write_bytes(bytes(16 + 784 * 1_000))
    told = []

    class Map(mmap.mmap):
        def madvise(self, *words):
            told.append(words)

    with open(path, "rb") as file:
        whole = np.ndarray(16 + 784 * 1_000, np.uint8, Map(file.fileno(), 0, access=mmap.ACCESS_READ))
    there = whole[16:].reshape(1_000, 28, 28)
    mapped.picked(there, np.array([3, 4, 5, 500, 501]))
    assert [word for word, *_ in told] == [mmap.MADV_WILLNEED] * 2
    for (_, start, length), (first, last) in zip(told, [(3, 5), (500, 501)], strict=True):
        assert start % mmap.PAGESIZE == 0
        assert start <= 16 + 784 * first < start + mmap.PAGESIZE
        assert start + length == 16 + 784 * (last + 1)
