"""A folder of pictures becomes a dataset: what is read, what is skipped, what is sealed, what is refused."""

import gzip
import itertools
import os
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from tenfold import evaluate, recipes, train
from tenfold.data import catalog, download, folder, idx, split
from tenfold.data.split import Samples
from tenfold.errors import DataError, UsageError
from tenfold.handwriting import picture
from tenfold.suited import suited
from waiting import Spy

pytestmark = pytest.mark.usefixtures("own_cache")


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


def test_what_cannot_be_read_is_told_and_left_out(few, as_pngs):
    root = as_pngs(few, "digits")
    (root / "3" / "damaged.png").write_bytes((root / "3" / "30.png").read_bytes()[:60])
    (root / "3" / "empty.png").touch()
    (root / "3" / "huge.png").touch()
    os.truncate(root / "3" / "huge.png", folder.MOST_BYTES + 1)  # sparse: it takes no room
    (root / "3" / "page.pdf").write_bytes(b"%PDF-1.7")
    (root / "3" / "text.png").write_text("not a picture")
    (root / "3" / ".hidden.png").write_text("not a picture")
    Image.new("L", (80, 80), 255).save(root / "3" / "blank.png")
    two = np.zeros((28, 100), np.uint8)
    two[:, :28], two[:, 70:98] = few.images[0], few.images[40]
    Image.fromarray(two).resize((400, 112)).save(root / "3" / "two.png")
    dataset, skipped = folder.read(root)
    names = ["damaged.png", "empty.png", "huge.png", "page.pdf", "text.png", "blank.png", "two.png"]
    assert sorted(path for path, _ in skipped) == sorted(f"3/{name}" for name in names)
    assert dataset.development_size == 80


def test_tiny_classes_are_refused_with_what_is_needed(few, as_pngs, sealed):
    root = as_pngs(few.take(np.setdiff1d(np.arange(100), np.arange(34, 40))), "digits")  # four threes
    (root / "x").mkdir()
    with pytest.raises(DataError, match="3 has 4, x has 0"):
        folder.read(root, plain=True)
    parts = as_pngs(few.take(np.r_[0:4, 10:14]), "parts/train")  # with a test part of its own four are enough
    as_pngs(few.take(np.r_[4:7]), "parts/test")
    dataset, _ = folder.read(parts.parent, plain=True)
    assert (dataset.classes, dataset.development_size, len(sealed(dataset))) == (("0", "1"), 8, 3)
    next((parts / "1").iterdir()).unlink()
    with pytest.raises(DataError, match="1 has 3"):
        folder.read(parts.parent, plain=True)


def test_a_validation_folder_is_what_runs_are_validated_on(few, as_pngs, sealed, tmp_path):
    """Whatever the seed of the split; other sizes are drawn from all. Of training pictures a fifth is sealed."""
    as_pngs(few.take(few.labels < 3), "parts/Train", "012")
    held = few.take((few.labels >= 3) & (few.labels < 5))
    as_pngs(Samples(held.images, held.labels - 3), "parts/val", "012")
    dataset, _ = folder.read(tmp_path / "parts", plain=True)
    assert (dataset.development_size, dataset.validation_size, len(sealed(dataset))) == (44, 20, 6)
    assert suited(recipes.quick(), dataset).validation_size == 20
    parts = split.split(dataset, 20, seed=3, train_size=10)
    assert keys(parts.validation) == keys(Samples(held.images, held.labels - 3))
    assert keys(parts.train) < keys(few.take(few.labels < 3))
    assert not keys(split.split(dataset, 10).validation) < keys(parts.validation)
    assert split.counts(dataset, split.development(dataset).labels, 20)["validation"] == [10, 10, 0]
    shutil.rmtree(tmp_path / "parts" / "val")
    assert folder.read(tmp_path / "parts", plain=True)[0].name != dataset.name


def test_pictures_that_show_nothing(as_pngs):
    grey = Samples(np.full((10, 28, 28), 7, np.uint8), np.repeat([0, 1], 5))
    with pytest.raises(DataError, match="every pixel is 7"):
        folder.read(as_pngs(grey, "grey"), plain=True)


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
    with pytest.raises(UsageError, match="x; mnist has only the classes 0, 1, 2"):
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


def test_a_folder_that_did_not_change_is_not_decoded_again(few, as_pngs):
    root = as_pngs(few, "digits")
    first = folder.read(root, plain=True)
    path = root / "0" / "0.png"
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(bytes(len(content)))  # of the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert folder.read(root, plain=True) == first
    (root / "1" / "bad.png").touch()
    assert [name for name, _ in folder.read(root, plain=True)[1]] == ["0/0.png", "1/bad.png"]


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


def test_what_a_command_may_name(few, as_pngs, tmp_path, monkeypatch):
    root = as_pngs(few, "mnist")
    monkeypatch.chdir(tmp_path)
    assert folder.find("mnist") == (catalog.MNIST, [])
    own, _ = folder.find("mnist/")
    assert own == folder.find(str(root))[0] != catalog.MNIST
    assert folder.find(own.name)[0] == own
    root.rename(tmp_path / "digits")
    assert folder.find("digits", plain=True)[0].plain
    for words, fact in ((("mnits",), "'mnist'"), (("nowhere/",), "nowhere"), (("mnist", True), "--plain")):
        with pytest.raises(UsageError, match=fact):
            folder.find(*words)


# IDX files


@pytest.fixture
def files(tmp_path, mnist):
    """`files("name")` is a folder of IDX files, of 2,000 pictures to develop with and 100 to test."""

    def write(name="My digits", test=True, spelt=str):
        root = tmp_path / name
        root.mkdir(parents=True)
        arrays = mnist.images[:2_000], mnist.labels[:2_000], mnist.images[-100:], mnist.labels[-100:]
        for file, array in list(zip(catalog.MNIST.files, arrays, strict=True))[: 4 if test else 2]:
            path, content = root / spelt(file.name), idx.encode(array.astype(np.uint8))
            path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
        return root

    return write


def test_the_files_are_the_dataset_and_are_needed_no_more(files, mnist, tmp_path):
    root = files()
    dataset, skipped = folder.find(str(root))
    assert (skipped, dataset.classes, dataset.mean) == ([], tuple("0123456789"), catalog.MNIST.mean)
    assert dataset.name.startswith("my-digits-")
    samples = split.development(dataset)
    np.testing.assert_array_equal(samples.images, mnist.images[:2_000])
    np.testing.assert_array_equal(samples.labels, mnist.labels[:2_000])
    assert len(split.open_test(dataset, tmp_path / "ledger", "a test", [])) == 100
    again = root.rename(tmp_path / "elsewhere")
    catalog.CATALOG.pop(dataset.name)
    assert len(split.development(catalog.find(dataset.name))) == 2_000
    again.rename(root)
    assert folder.find(str(root))[0] == dataset


@pytest.mark.parametrize(
    "spelt",
    [
        lambda name: name.replace("-idx", ".idx"),
        lambda name: f"{name}.gz",
        lambda name: f"emnist-digits-{name.replace('t10k', 'test')}.gz",
    ],
)
def test_other_names_of_the_files(files, spelt):
    dataset, _ = folder.find(str(files()))
    other, _ = folder.find(str(files("other/My digits", spelt=spelt)))
    assert other.name == dataset.name


def test_several_datasets_in_a_folder(files):
    root = files(spelt=lambda name: f"emnist-digits-{name}")
    (root / "emnist-letters-train-images-idx3-ubyte").touch()
    with pytest.raises(DataError, match="emnist-digits-, emnist-letters-"):
        folder.find(str(root))


@pytest.mark.parametrize("count", [20, 2_000])
def test_transposed_pictures_are_told_and_mended(mnist, tmp_path, count):
    """Upright ones are not."""
    upright, lying = tmp_path / "upright", tmp_path / "lying"
    for root, images in ((upright, mnist.images[:count]), (lying, mnist.images[:count].swapaxes(1, 2))):
        root.mkdir()
        (root / "train-images-idx3-ubyte").write_bytes(idx.encode(images))
        (root / "train-labels-idx1-ubyte").write_bytes(idx.encode(mnist.labels[:count].astype(np.uint8)))
    said = {}
    for root, transposed in itertools.product((upright, lying), (False, True)):
        told = Spy()
        dataset, _ = folder.find(str(root), transposed=transposed, progress=told)
        said[root.name, transposed] = told.lines
        if (root == lying) == transposed:
            np.testing.assert_array_equal(split.development(dataset).images, mnist.images[:count])
    assert said["upright", False] == said["lying", True] == []
    assert "with --transposed" in said["lying", False][0]
    assert "leave --transposed out" in said["upright", True][0]


def test_pictures_of_a_folder_are_transposed_too(few, as_pngs):
    lying = Samples(few.images.swapaxes(1, 2), few.labels)
    root = as_pngs(lying, "lying")
    assert keys(split.development(folder.read(root, plain=True)[0])) < keys(lying)
    assert keys(split.development(folder.read(root, plain=True, transposed=True)[0])) < keys(few)


# Tables


def rows(samples, classes="0123456789"):
    return {"label": [classes[label] for label in samples.labels]} | {
        f"pixel{at}": column for at, column in enumerate(samples.images.reshape(-1, 784).T.tolist())
    }


def as_csv(columns, header=True):
    lines = [[*columns]] if header else []
    return "\n".join(",".join(map(str, line)) for line in [*lines, *zip(*columns.values(), strict=True)])


def as_table(path, columns):
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        path.write_bytes(gzip.compress(as_csv(columns).encode()) if path.suffix == ".gz" else as_csv(columns).encode())
    return path


@pytest.mark.parametrize("name", ["digits.csv", "digits.csv.gz", "digits.parquet"])
def test_a_table_of_pixels(few, tmp_path, name):
    letters = as_table(tmp_path / name, {"id": range(100)} | rows(few, "jihgfedcba"))
    dataset, skipped = folder.find(str(letters))
    assert (dataset.classes, skipped, dataset.sealed_size) == (tuple("abcdefghij"), [], 0)
    samples = split.development(dataset)
    np.testing.assert_array_equal(samples.images, few.images)
    np.testing.assert_array_equal(samples.labels, 9 - few.labels)


def test_tables_without_a_header(few, tmp_path):
    (tmp_path / "mnist.csv").write_text(as_csv(rows(few), header=False))
    samples = split.development(folder.find(str(tmp_path / "mnist.csv"))[0])
    assert keys(samples) == keys(few)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_folder_that_kaggle_gives(few, tmp_path, sealed, labelled):
    """Its test file has no labels; one that has is the sealed test set."""
    train, test = few.take(np.arange(60)), few.take(np.arange(40))
    for name, columns in (("train", rows(train)), ("test", rows(test))):
        if name == "test" and not labelled:
            del columns["label"]
        as_table(tmp_path / f"{name}.csv", columns)
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    dataset, _ = folder.find(str(tmp_path))
    assert keys(split.development(dataset)) == keys(train)
    assert keys(sealed(dataset)) == (keys(test) if labelled else set())
    as_table(tmp_path / "more-train.csv", rows(train))
    with pytest.raises(DataError, match=r"has more-train\.csv, train\.csv"):
        folder.find(str(tmp_path))


def test_tables_that_are_refused(few, tmp_path):
    good = rows(few.take(np.arange(30)))
    wrong = {
        "colour.csv": good | {"pixel7": [256, *good["pixel7"][1:]]},
        "colour.parquet": good | {"pixel7": [-1, *good["pixel7"][1:]]},
        "null.parquet": good | {"pixel7": [None, *good["pixel7"][1:]]},
        "text.parquet": good | {"pixel7": ["0"] * 30},
        "short.csv": {key: values for key, values in good.items() if key != "pixel7"},
        "unlabelled.csv": {key: values for key, values in good.items() if key != "label"},
        "alike.csv": good | {"label": [1] * 30},
        "empty.parquet": {key: values[:0] for key, values in good.items()},
    }
    for name, columns in wrong.items():
        with pytest.raises(DataError) as caught:
            folder.find(str(as_table(tmp_path / name, columns)))
        assert name in str(caught.value)
        assert len(str(caught.value)) < 300
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "colour.parquet").read_bytes()[:1_000])
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(as_csv(good).encode())[:1_000])
    for name in ("cut.parquet", "cut.csv.gz"):
        with pytest.raises(DataError, match="cannot be read"):
            folder.find(str(tmp_path / name))


def test_damaged_copies_are_made_again(files, mnist, own_cache):
    root = files()
    dataset = folder.find(str(root))[0]
    copies = [own_cache / dataset.name / file.name for file in dataset.files]
    copies[0].write_bytes(bytes(dataset.files[0].size))
    with pytest.raises(DataError, match=f"the pictures of {dataset.name} are not on this machine"):
        split.development(dataset)
    before = copies[1].stat().st_mtime_ns
    assert folder.find(str(root))[0] == dataset
    np.testing.assert_array_equal(split.development(dataset).images, mnist.images[:2_000])
    assert copies[1].stat().st_mtime_ns == before  # what is right is not written again


@pytest.mark.parametrize(
    "labels", [idx.encode(np.zeros(2_000, np.uint8)), idx.encode(np.ones(1_999, np.uint8)), b"", None]
)
def test_what_is_no_dataset_is_refused(files, labels):
    root = files(test=labels is None)
    if labels is None:
        (root / "t10k-labels-idx1-ubyte").unlink()
    else:
        (root / "train-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(DataError):
        folder.find(str(root))


def test_it_trains_and_without_test_files_nothing_is_sealed(files, tmp_path):
    dataset, _ = folder.find(str(files(test=False)))
    recipe = suited(recipes.quick(), dataset, ["epochs=1", "precision=float32", "network.width=4"])
    run = train.train(recipe, tmp_path / "run")
    assert run.recipe.dataset == dataset.name
    assert (run.folder / "dataset.json").is_file()
    assert recipe.validation_size == 400
    with pytest.raises(DataError, match="has no test pictures"):
        evaluate.evaluate([run], test=True)
    assert not (tmp_path / split.LEDGER).exists()
