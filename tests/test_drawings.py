"""The store of drawings: names are its own, and nothing that comes with a request decides where anything is written."""

import io

import numpy as np
import pytest
from PIL import Image

from tenfold.data import catalog, folder, picture
from tenfold.data.picture import FormatError, PictureError, TooLargeError
from tenfold.errors import DataError, UsageError
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


def test_what_is_kept_has_the_pixels_that_came(store, seven):
    kept = store.add("7", seven)
    assert kept.parent == store.folder / "7"
    np.testing.assert_array_equal(picture.decode(kept.read_bytes()), picture.decode(seven))
    assert store.all() == [kept]


def test_bytes_beside_the_pixels_are_not_kept(store, seven):
    kept = store.add("7", seven + b"<script>alert(1)</script>")
    assert b"script" not in kept.read_bytes()


def test_an_empty_store_is_no_folder_yet(store):
    assert store.all() == []
    assert store.last() is None
    assert not store.folder.exists()


def test_it_is_a_dataset(store, mnist):
    for label in DIGITS:
        for image in mnist.images[mnist.labels == int(label)][:2]:
            store.add(label, png(image))
    dataset, skipped = folder.read(store.folder, like=catalog.MNIST)
    assert skipped == []
    assert dataset.development_size == 20


@pytest.mark.parametrize("label", ["", "10", "seven", "../7", "7/..", "/tmp", "7\0", ".", "..", "７"])
def test_a_label_that_is_no_class_writes_nothing(store, seven, label):
    with pytest.raises(UsageError, match="none of the classes"):
        store.add(label, seven)
    assert not store.folder.exists()


@pytest.mark.parametrize("name", ["../x", "T-shirt/top", "", ".models", "a b", "a" * 21])
def test_classes_that_cannot_name_a_folder_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="digits and letters"):
        Drawings(tmp_path, ("0", name))


def test_what_nothing_can_be_learnt_from_is_not_kept(store, seven, mnist, monkeypatch):
    blank = png(np.zeros((28, 28), np.uint8))
    for content, error in (
        (b"no picture", FormatError),
        (seven[:60], PictureError),
        (blank, DataError),
        (png(mnist.images[0], 20), TooLargeError),
    ):
        with pytest.raises(error):
            store.add("7", content)
    monkeypatch.setattr(drawings, "MOST", 1)
    store.add("7", seven)
    with pytest.raises(RefusedError, match="1 drawings already"):
        store.add("7", seven)
    assert len(store.all()) == 1


def test_the_last_is_the_newest_of_all_classes(store, seven):
    names = [store.add(label, seven).stem for label in "917"]
    assert names == sorted(set(names))
    assert store.last().parent.name == "7"
    assert store.remove(names[-1])
    assert store.last().parent.name == "1"


def test_only_drawings_of_its_own_are_deleted(store, seven, tmp_path):
    kept = store.add("7", seven)
    (store.folder / "7" / "photo.png").write_bytes(seven)
    (tmp_path / "20261123T101502123456Z.png").write_bytes(seven)
    for name in ("photo", "../../20261123T101502123456Z", "20261123T101502123456Z", "*", "", f"../7/{kept.stem}"):
        assert not store.remove(name)
    assert len(store.all()) == 2  # the photo is read like the drawings
    assert store.remove(kept.stem)
    assert not store.remove(kept.stem)
    assert [path.name for path in store.all()] == ["photo.png"]
