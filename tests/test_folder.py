"""A folder of pictures becomes a dataset: what is read, in which order, what is skipped, what is refused."""

import pytest

from tenfold.data import folder, split

pytestmark = pytest.mark.usefixtures("own_cache")


def test_pictures_come_back_as_they_were(few, as_pngs):
    dataset, skipped = folder.read(as_pngs(few, "digits"), plain=True)
    assert (dataset.classes, skipped) == (tuple("0123456789"), [])
    development = split.development(dataset)
    assert len(development) == 80
    written = {(image.tobytes(), label) for image, label in zip(few.images, few.labels, strict=True)}
    read = {(image.tobytes(), label) for image, label in zip(development.images, development.labels, strict=True)}
    assert read < written
