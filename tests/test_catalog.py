import numpy as np
import pytest

from tenfold.data import catalog, download, idx
from tenfold.errors import UsageError


def test_an_unknown_dataset_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        catalog.find("mnits")


def test_pixel_mean_and_deviation_are_those_of_the_pictures(mnist):
    assert mnist.images.mean() == pytest.approx(catalog.MNIST.mean, abs=1e-9)
    assert mnist.images.std() == pytest.approx(catalog.MNIST.std, abs=1e-9)


def test_fashion_mnist_is_what_the_catalog_says(fashion_files, tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    known = catalog.FASHION_MNIST
    download.adopt(known, fashion_files)  # verifies the four hashes
    content = (tmp_path / known.name / known.train_images.name).read_bytes()
    images = idx.decode(content, 3, "images")
    assert images.shape == (60_000, 28, 28)
    assert images.mean() == pytest.approx(known.mean, abs=1e-9)
    assert images.std() == pytest.approx(known.std, abs=1e-9)
    assert len(known.classes) == len(
        np.unique(idx.decode((tmp_path / known.name / known.train_labels.name).read_bytes(), 1, "labels"))
    )
