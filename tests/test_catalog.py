import json

import numpy as np
import pytest

from tenfold.data import catalog, download, folder, idx
from tenfold.errors import DataError


@pytest.mark.slow
def test_pixel_mean_and_deviation_are_those_of_the_pictures(mnist):
    assert mnist.images.mean() == pytest.approx(catalog.MNIST.mean, abs=1e-9)
    assert mnist.images.std() == pytest.approx(catalog.MNIST.std, abs=1e-9)


@pytest.mark.slow
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


@pytest.fixture
def own(few, as_pngs, own_cache):
    """A dataset made of a folder, as it is when nobody knows it yet, and its description."""
    dataset, _ = folder.read(as_pngs(few, "digits"))
    del catalog.CATALOG[dataset.name]
    return dataset, own_cache / dataset.name / catalog.DESCRIPTION


def _named(document):
    """Give a changed description the name that its content would have."""
    values = {key: value for key, value in document.items() if key != "pictures"}
    files = {key: catalog.File(**value) for key, value in values.items() if isinstance(value, dict)}
    changed = catalog.Dataset(**values | files | {"classes": tuple(values["classes"])})
    return document | {"name": f"digits-{catalog.fingerprint(changed)}"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d | {"mirrors": ["http://127.0.0.1/"]}, "user dataset"),
        (lambda d: d | {"name": f"../{d['name']}"}, "user dataset"),
        (lambda d: _named(d | {"train_images": d["train_images"] | {"name": "../../x"}}), "user dataset"),
        (lambda d: d | {"classes": d["classes"][::-1]}, "name"),
        (lambda d: _named(d | {"std": 0.0}), "standard deviation"),
        (lambda d: _named(d | {"classes": ["a"]}), "classes"),
        (lambda d: d | {"std": "wide"}, "validation error"),
        (lambda d: [], "validation error"),
    ],
)
def test_a_description_from_elsewhere_is_not_trusted(own, change, reason):
    dataset, path = own
    content = path.read_text()
    path.write_text(json.dumps(change(json.loads(content))))
    before = dict(catalog.CATALOG)
    with pytest.raises(DataError, match=reason):
        catalog.register(path)
    assert before == catalog.CATALOG
    path.write_text(content)
    catalog.register(path)
    assert catalog.find(dataset.name) == dataset
