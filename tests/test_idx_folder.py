"""A folder of IDX files is a dataset: found, described, copied, refused where it is none."""

import shutil

import numpy as np
import pytest

from tenfold import evaluate, recipes, train
from tenfold.data import catalog, folder, idx, split
from tenfold.errors import DataError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def files(tmp_path, mnist):
    """`files("name")` is a folder of IDX files, of 2,000 pictures to develop with and 100 to test."""

    def write(name="My digits", test=True):
        root = tmp_path / name
        root.mkdir()
        arrays = mnist.images[:2_000], mnist.labels[:2_000], mnist.images[-100:], mnist.labels[-100:]
        for file, array in list(zip(catalog.MNIST.files, arrays, strict=True))[: 4 if test else 2]:
            (root / file.name).write_bytes(idx.encode(array.astype(np.uint8)))
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


def test_plain_measures_mean_and_deviation(files, mnist):
    root = files()
    dataset = folder.find(str(root), plain=True)[0]
    assert dataset.mean == mnist.images[:2_000].mean()
    assert dataset.std == pytest.approx(mnist.images[:2_000].std())
    assert folder.find(str(root), plain=True)[0] == dataset


def test_a_changed_file_is_another_dataset_beside_the_old_one(files, mnist):
    root = files()
    before = folder.find(str(root))[0]
    path = root / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert folder.find(str(root))[0].name != before.name
    np.testing.assert_array_equal(split.development(before).images, mnist.images[:2_000])


def test_what_is_no_dataset_is_refused(files, mnist):
    root = files()
    (root / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="has no t10k-labels-idx1-ubyte, which belongs"):
        folder.find(str(root))
    labels = root / "train-labels-idx1-ubyte"
    shutil.rmtree(root)
    root = files(test=False)
    labels.write_bytes(idx.encode(np.zeros(2_000, np.uint8)))
    with pytest.raises(DataError, match="every label is 0"):
        folder.find(str(root))
    labels.write_bytes(idx.encode(np.ones(1_999, np.uint8)))
    with pytest.raises(DataError, match="2,000 pictures but 1,999 labels"):
        folder.find(str(root))
    labels.write_bytes(b"")
    with pytest.raises(DataError, match="too few for an IDX header"):
        folder.find(str(root))


def test_it_trains_and_without_test_files_nothing_is_sealed(files, tmp_path):
    dataset, _ = folder.find(str(files(test=False)))
    recipe = recipes.suited(recipes.quick(), dataset, ["epochs=1", "precision=float32", "network.width=4"])
    run = train.train(recipe, tmp_path / "run")
    assert run.recipe.dataset == dataset.name
    assert (run.folder / "dataset.json").is_file()
    assert recipe.validation_size == 400
    with pytest.raises(DataError, match="has no test pictures"):
        evaluate.evaluate([run], test=True)
    assert not (tmp_path / split.LEDGER).exists()
