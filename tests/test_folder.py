"""A folder of pictures becomes a dataset: what is read, what is skipped, what is sealed, what is refused."""

import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from tenfold.data import catalog, download, folder, split
from tenfold.data.split import Samples
from tenfold.errors import DataError, UsageError
from tenfold.handwriting import picture

pytestmark = pytest.mark.usefixtures("own_cache")


class Spy:
    """Keeps the lines that are told."""

    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)

    task = folder.SILENT.task
    board = folder.SILENT.board


def keys(samples: Samples) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(label)) for image, label in zip(samples.images, samples.labels, strict=True)}


@pytest.fixture
def sealed(tmp_path):
    """The test set of a dataset, opened as only `evaluate` may."""
    return lambda dataset: split.open_test(dataset, tmp_path / split.LEDGER, "a test", [])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(4, 6), min_size=2, max_size=12), st.data())
def test_pictures_of_the_right_size_come_back_bit_for_bit(tmp_path_factory, sizes, data):
    """In the order of the classes, and in each in that of the files: 0.png, 1.png, …, 10.png."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = data.draw(npst.arrays(np.uint8, (len(labels), 28, 28), fill=st.integers(0, 255)))
    images[0, 0, :2] = 0, 255  # something to see
    root = tmp_path_factory.mktemp("pictures")
    for part in ("train", "test"):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            (root / part / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / part / str(label) / f"{number}.png")
    dataset, skipped = folder.read(root, plain=True)
    samples = split.development(dataset)
    np.testing.assert_array_equal(samples.images, images)
    np.testing.assert_array_equal(samples.labels, labels)
    assert (len(dataset.classes), dataset.development_size, skipped) == (len(sizes), len(labels), [])
    assert dataset.mean == pytest.approx(images.mean())
    assert dataset.std == pytest.approx(images.std())


def test_real_pictures_in_a_fifth_that_is_sealed_and_the_rest(few, as_pngs, sealed):
    dataset, _ = folder.read(as_pngs(few, "My Digits"), plain=True)
    assert re.fullmatch("my-digits-[0-9a-f]{8}", dataset.name)
    development, test = split.development(dataset), sealed(dataset)
    assert keys(development) | keys(test) == keys(few)
    assert np.bincount(development.labels).tolist() == [8] * 10
    assert np.bincount(test.labels).tolist() == [2] * 10


def test_adding_pictures_leaves_nearly_all_of_the_test_set_sealed(mnist, as_pngs, sealed):
    """Which pictures are sealed follows from what they show, so one that was learnt from is hardly ever tested on."""
    before, _ = folder.read(as_pngs(mnist.take(np.arange(500)), "grows"), plain=True)
    after, _ = folder.read(as_pngs(mnist.take(np.arange(600)), "grows"), plain=True)
    assert len(keys(sealed(before)) & keys(split.development(after))) <= 0.1 * len(sealed(before))
    assert len(keys(sealed(after)) & keys(split.development(before))) <= 0.1 * len(sealed(after))


def test_pictures_go_through_the_contract(few, tmp_path):
    """A photograph of paper: enlarged, black on white, to one side."""
    for number, (image, label) in enumerate(zip(few.images[:20], few.labels[:20], strict=True)):
        page = np.full((400, 500), 255, np.uint8)
        page[40:236, 200:396] -= np.asarray(Image.fromarray(image).resize((196, 196)))
        (tmp_path / "pages" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(page).save(tmp_path / "pages" / str(label) / f"{number}.png")
    dataset, skipped = folder.read(tmp_path / "pages")
    assert skipped == []
    files = (path.read_bytes() for path in (tmp_path / "pages").rglob("*.png"))
    expected = {picture.read(picture.decode(content)).image.tobytes() for content in files}
    assert {image for image, _ in keys(split.development(dataset))} < expected
    assert (dataset.mean, dataset.std) == (catalog.MNIST.mean, catalog.MNIST.std)
    assert folder.read(tmp_path / "pages", plain=True)[0].name != dataset.name


def test_names_follow_from_content(few, as_pngs):
    name = folder.read(as_pngs(few, "one/digits"), plain=True)[0].name
    assert folder.read(as_pngs(few, "two/digits"), plain=True)[0].name == name
    moved = Samples(few.images, np.roll(few.labels, 1))
    assert folder.read(as_pngs(moved, "three/digits"), plain=True)[0].name != name
    assert folder.read(as_pngs(few, "four/digits", "abcdefghij"), plain=True)[0].name != name
    changed = few.images.copy()
    changed[0, 0, 0] = 1
    assert folder.read(as_pngs(Samples(changed, few.labels), "five/digits"), plain=True)[0].name != name


@pytest.mark.parametrize(
    ("called", "slug"), [("Ziffern für Ünal", "ziffern-fur-unal"), ("数字", "folder"), ("--", "folder")]
)
def test_any_folder_makes_a_name_for_files(few, as_pngs, called, slug):
    assert folder.read(as_pngs(few, called), plain=True)[0].name.rpartition("-")[0] == slug


def test_what_cannot_be_read_is_told_and_left_out(few, as_pngs, monkeypatch):
    root = as_pngs(few, "digits")
    monkeypatch.setattr(folder, "MOST_BYTES", 1 << 20)
    (root / "3" / "damaged.png").write_bytes((root / "3" / "30.png").read_bytes()[:60])
    (root / "3" / "empty.png").touch()
    (root / "3" / "huge.png").write_bytes(bytes((1 << 20) + 1))
    (root / "3" / "page.pdf").write_bytes(b"%PDF-1.7")
    (root / "3" / "text.png").write_text("not a picture")
    (root / "3" / ".hidden.png").write_text("not a picture")
    Image.new("L", (80, 80), 255).save(root / "3" / "blank.png")
    two = np.zeros((28, 100), np.uint8)
    two[:, :28], two[:, 70:98] = few.images[0], few.images[40]
    Image.fromarray(two).resize((400, 112)).save(root / "3" / "two.png")
    spy = Spy()
    dataset, skipped = folder.read(root, progress=spy)
    reasons = dict(skipped)
    names = ["damaged.png", "empty.png", "huge.png", "page.pdf", "text.png", "blank.png", "two.png"]
    assert sorted(reasons) == sorted(f"3/{name}" for name in names)
    assert "damaged" in reasons["3/damaged.png"]
    assert reasons["3/blank.png"] == "no digit found"
    assert reasons["3/two.png"] == "several digits"
    assert reasons["3/huge.png"] == "larger than 1 MB"
    assert sorted(spy.lines) == sorted(f"skipped {path}: {reason}" for path, reason in skipped)
    assert dataset.development_size == 80


def test_of_many_that_cannot_be_read_the_first_are_told(few, as_pngs):
    root = as_pngs(few, "digits")
    for number in range(25):
        (root / "0" / f"bad{number}.png").touch()
    for _ in range(2):  # decoded, and remembered
        spy = Spy()
        assert len(folder.read(root, plain=True, progress=spy)[1]) == 25
        assert len(spy.lines) == 21
        assert spy.lines[-1] == f"skipped 5 more; all of them: tenfold data {root} --json"


def test_tiny_classes_are_refused_with_what_is_needed(few, as_pngs):
    root = as_pngs(few.take(np.setdiff1d(np.arange(100), np.arange(34, 40))), "digits")  # four threes
    (root / "7" / "1.png").touch()
    (root / "x").mkdir()
    with pytest.raises(
        DataError, match="each class needs 5 pictures to train on, but 3 has 4, x has 0; some were skipped"
    ):
        folder.read(root, plain=True)


def test_with_a_test_part_of_its_own_four_are_enough(few, as_pngs, sealed):
    root = as_pngs(few.take(np.r_[0:4, 10:14]), "digits/train")
    as_pngs(few.take(np.r_[4:7]), "digits/test")
    dataset, _ = folder.read(root.parent, plain=True)
    assert (dataset.classes, dataset.development_size, len(sealed(dataset))) == (("0", "1"), 8, 3)
    shutil.rmtree(root / "1")
    as_pngs(few.take(np.r_[10:13]), "digits/train")
    with pytest.raises(DataError, match="each class needs 4 pictures to train on, but 1 has 3"):
        folder.read(root.parent, plain=True)


def test_pictures_that_show_nothing(tmp_path):
    for name in ("a/1", "a/2", "a/3", "a/4", "a/5", "b/1", "b/2", "b/3", "b/4", "b/5"):
        path = tmp_path / "grey" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28), 7).save(path)
    with pytest.raises(DataError, match="nothing to see, every pixel is 7"):
        folder.read(tmp_path / "grey", plain=True)


def test_pictures_for_a_model_that_there_is(few, as_pngs, sealed):
    """They have its classes, in its order, and its scale; one a class is enough, and none is sealed."""
    root = as_pngs(few.take(np.array([70, 30, 31])), "mine")
    dataset, _ = folder.read(root, plain=True, like=catalog.MNIST)
    assert (dataset.classes, dataset.mean, dataset.std) == (
        catalog.MNIST.classes,
        catalog.MNIST.mean,
        catalog.MNIST.std,
    )
    assert split.development(dataset).labels.tolist() == [3, 3, 7]
    assert len(sealed(dataset)) == 0
    (root / "x").mkdir()
    with pytest.raises(UsageError, match="has x; mnist has only the classes 0, 1, 2"):
        folder.read(root, like=catalog.MNIST)
    shutil.rmtree(root)
    (root / "3").mkdir(parents=True)
    with pytest.raises(DataError, match="has no pictures in its class folders"):
        folder.read(root, like=catalog.MNIST)


def test_pictures_for_a_model_of_plain_ones_are_plain(few, as_pngs):
    plain, _ = folder.read(as_pngs(few, "plain"), plain=True)
    added, _ = folder.read(as_pngs(few.take(np.arange(20)), "added"), like=plain)
    assert (added.plain, added.mean, added.std) == (True, plain.mean, plain.std)
    assert keys(split.development(added)) == keys(few.take(np.arange(20)))


def test_a_folder_that_did_not_change_is_not_decoded_again(few, as_pngs, monkeypatch):
    root = as_pngs(few, "digits")
    (root / "0" / "bad.png").touch()
    first = folder.read(root, plain=True)
    decoded = []
    decode = picture.decode
    monkeypatch.setattr(picture, "decode", lambda content: decoded.append(1) or decode(content))
    assert folder.read(root, plain=True) == first
    assert decoded == []
    (root / "0" / "bad.png").unlink()
    assert folder.read(root, plain=True) == (first[0], [])
    assert len(decoded) == 100


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"damaged")])
def test_a_damaged_cache_is_made_again(few, as_pngs, harm):
    root = as_pngs(few, "digits")
    dataset, _ = folder.read(root, plain=True)
    before = keys(split.development(dataset))
    for file in dataset.files:
        harm(download.cache_folder(dataset) / file.name)
    with pytest.raises(DataError, match=f"the pictures of {dataset.name} are not on this machine.*data FOLDER --plain"):
        split.development(dataset)
    assert keys(split.development(folder.read(root, plain=True)[0])) == before


def test_another_process_finds_it_by_name(few, as_pngs, own_cache, monkeypatch):
    dataset, _ = folder.read(as_pngs(few, "digits"), plain=True)
    monkeypatch.delitem(catalog.CATALOG, dataset.name)
    assert catalog.find(dataset.name) == dataset
    monkeypatch.delitem(catalog.CATALOG, dataset.name)
    shutil.rmtree(own_cache / dataset.name)
    with pytest.raises(DataError, match=f"the pictures of {dataset.name} are not on this machine"):
        catalog.find(dataset.name)


def test_the_description_is_for_people_too(few, as_pngs, own_cache):
    dataset, _ = folder.read(as_pngs(few, "digits"))
    document = json.loads((own_cache / dataset.name / "dataset.json").read_text())
    assert document["title"] == "digits, a folder of pictures brought to MNIST's form"
    assert document["classes"] == list("0123456789")
    assert document["pictures"] == {"development": 80, "test": 20}


def test_what_a_command_may_name(few, as_pngs, tmp_path, monkeypatch):
    root = as_pngs(few, "mnist")
    monkeypatch.chdir(tmp_path)
    assert folder.find("mnist") == (catalog.MNIST, [])
    own, _ = folder.find("mnist/")
    assert own == folder.find(str(root))[0] != catalog.MNIST
    assert folder.find(own.name)[0] == own
    root.rename(tmp_path / "digits")
    assert folder.find("digits", plain=True)[0].plain
    with pytest.raises(UsageError, match="there is no folder mnits, and unknown dataset 'mnits'; did you mean 'mnist'"):
        folder.find("mnits")
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        folder.find("nowhere/")
    with pytest.raises(UsageError, match="--plain says how a folder of pictures is read, and mnist is none"):
        folder.find("mnist", plain=True)
