"""The store of drawings: names are its own, and nothing that comes with a request decides where anything is written."""

import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tenfold.errors import DataError, UsageError
from tenfold.handwriting import picture
from tenfold.handwriting.picture import FormatError, PictureError, TooLargeError
from tenfold.serve import drawings
from tenfold.serve.drawings import Drawings
from tenfold.serve.intake import RefusedError

DIGITS = tuple("0123456789")


def png(image, factor=5):
    """A picture 28×28, white on black, as a PNG of a drawing, black on white."""
    content = io.BytesIO()
    Image.fromarray(255 - image).resize((28 * factor, 28 * factor)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def store(tmp_path):
    return Drawings(tmp_path / "mine", DIGITS)


@pytest.fixture
def seven(mnist):
    return png(mnist.images[mnist.labels == 7][3])


def test_what_is_kept_has_the_pixels_that_came_and_no_other_bytes(store, seven):
    assert store.last() is None
    assert not store.folder.exists()
    kept = store.add("7", seven + b"<script>alert(1)</script>")
    assert kept.parent == store.folder / "7"
    np.testing.assert_array_equal(picture.decode(kept.read_bytes()), picture.decode(seven))
    assert b"script" not in kept.read_bytes()
    newest = store.add("1", seven)
    assert (store.last(), len(store.all())) == (newest, 2)


def test_services_on_one_folder_count_on_together_and_the_last_one_is_the_last(store, seven):
    """Whatever the clock says: each name is one more than all that were there."""
    stores = [store, Drawings(store.folder, DIGITS)]
    with ThreadPoolExecutor(6) as pool:
        kept = list(pool.map(lambda at: stores[at % 2].add(str(at % 10), seven), range(12)))
    assert sorted(path.stem for path in kept) == [f"drawing-{number:06}" for number in range(1, 13)]
    newest = stores[1].add("0", seven)
    os.utime(newest, (0, 0))
    assert store.last() == newest
    assert store.remove(newest.stem)
    assert store.last().stem == "drawing-000012"
    (store.folder / "3" / "drawing-999999.png").write_bytes(seven)  # copied there
    assert [store.add("1", seven).stem for _ in range(2)] == ["drawing-1000000", "drawing-1000001"]


@pytest.mark.parametrize("label", ["", "10", "seven", "../7", "7/..", "/tmp", "7\0", ".", "..", "７"])
def test_a_label_that_is_no_class_writes_nothing(store, seven, label):
    with pytest.raises(UsageError, match="unknown class"):
        store.add(label, seven)
    assert not store.folder.exists()


def test_what_nothing_can_be_learnt_from_is_not_kept(store, seven, mnist):
    blank, large = png(np.zeros((28, 28), np.uint8)), png(mnist.images[0], 20)
    for content, error in ((b"x", FormatError), (seven[:60], PictureError), (blank, DataError), (large, TooLargeError)):
        with pytest.raises(error):
            store.add("7", content)
    (store.folder / "7").mkdir(parents=True)
    for number in range(drawings.MOST):
        (store.folder / "7" / f"{number}.png").touch()
    with pytest.raises(RefusedError):
        store.add("7", seven)


def test_only_drawings_of_its_own_are_deleted(store, seven, tmp_path):
    kept = store.add("7", seven)
    (store.folder / "7" / "photo.png").write_bytes(seven)
    (tmp_path / "drawing-000009.png").write_bytes(seven)
    (store.folder / "7" / "drawing-000008.png").mkdir()
    for name in ("photo", "../../drawing-000009", "drawing-000009", "drawing-000008", "*", "", f"../7/{kept.stem}"):
        assert not store.remove(name)
    assert len(store.all()) == 2  # the photo is read like the drawings
    assert store.remove(kept.stem)
    assert not store.remove(kept.stem)
    assert [drawing.name for drawing in store.all()] == ["photo.png"]
