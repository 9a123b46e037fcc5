"""Files that are mapped and hashed once; pictures that are read when they are asked for."""

import hashlib
import os

import numpy as np
import pytest

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
