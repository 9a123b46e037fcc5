"""Synthetic handwriting: skeletons, the dataset made of them, and training on it."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tenfold import predict, recipes, train
from tenfold.data import catalog, download, split
from tenfold.data import drawn as drawing
from tenfold.data.catalog import File
from tenfold.errors import UsageError
from tenfold.handwriting import picture, skeletons, synthetic

DIGITS = range(10)


def test_nearly_every_drawing_is_read_as_one_digit():
    rng = np.random.default_rng(0)
    read = [
        [picture.read(synthetic.draw(rng, skeleton)).verdict == "digit" for skeleton in [*forms.values()] * 3]
        for forms in skeletons.SKELETONS
    ]
    assert np.mean([one for some in read for one in some]) >= 0.95
    assert min(map(np.mean, read)) >= 0.85  # of some 45 a class


@pytest.mark.parametrize("digit", DIGITS)
def test_each_form_is_drawn(digit):
    rng = np.random.default_rng(digit)
    chosen = {synthetic.choose(rng, digit) for _ in range(1_000)}
    assert set(skeletons.SKELETONS[digit].values()) < chosen  # and those of displays


def test_a_path_goes_through_its_points_and_turns_at_its_corners():
    points = np.array([[0, 0], [10, 40], [50, 0], [50, 100.0]])
    path = synthetic._path(points, np.array([False, False, True, False]), smooth=True)
    for point in points:
        assert np.hypot(*(path - point).T).min() < 1e-9
    after = path[np.flatnonzero((path == points[2]).all(1))[-1] :]
    np.testing.assert_allclose(after[:, 0], 50)  # the last piece is straight: nothing before the corner bends it


def test_the_same_seed_draws_the_same_pictures_in_one_process_or_several():
    count = 2 * synthetic.BLOCK  # in two processes where there are two cores
    images, labels = synthetic.samples(count, seed=7)
    assert (images.shape, images.dtype, labels.dtype) == ((count, 28, 28), np.uint8, np.int64)
    assert np.bincount(labels).tolist() == [count // 10] * 10
    again, _ = synthetic.samples(synthetic.BLOCK, seed=7)
    np.testing.assert_array_equal(images[: synthetic.BLOCK], again)
    others, _ = synthetic.samples(synthetic.BLOCK, seed=8)
    assert (images[: synthetic.BLOCK] != others).any((1, 2)).all()


@pytest.fixture
def drawn(monkeypatch, own_cache):
    """The dataset in the catalog with few pictures, in a cache of the test's own."""
    sizes = {
        "train_images": 60 * 784 + 16,
        "train_labels": 68,
        "test_images": 20 * 784 + 16,
        "test_labels": 28,
    }
    files = {role: File(getattr(catalog.MNIST, role).name, size, "") for role, size in sizes.items()}
    few = dataclasses.replace(catalog.SYNTHETIC_DIGITS, **files)
    monkeypatch.setitem(catalog.CATALOG, few.name, few)
    return few


def test_the_dataset_is_drawn_once_without_a_network_and_mends_itself(drawn, monkeypatch):
    monkeypatch.setattr(download, "_fetch", None)  # called, it would fail
    assert len(download.missing_files(drawn)) == 4
    development = split.development(drawn)
    assert (development.images.shape, np.bincount(development.labels).tolist()) == ((60, 28, 28), [6] * 10)
    assert download.missing_files(drawn) == []
    folder = download.cache_folder(drawn)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("*ubyte")}
    split.development(drawn)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    damaged = folder / drawn.train_images.name
    damaged.write_bytes(b"\0" * drawn.train_images.size)
    np.testing.assert_array_equal(split.development(drawn).images, development.images)


@pytest.mark.parametrize("note", [b"[]", b'{"code": "older", "sha256": {}}'])
def test_without_a_note_of_this_code_it_is_drawn_again(drawn, note):
    split.development(drawn)
    (download.cache_folder(drawn) / drawing.DRAWN).write_bytes(note)
    assert len(download.missing_files(drawn)) == 4
    split.development(drawn)
    assert download.missing_files(drawn) == []


def test_its_test_pictures_are_others_than_its_development_pictures(drawn, tmp_path):
    test = split.open_test(drawn, tmp_path / "ledger", "a test", [])
    development = {image.tobytes() for image in split.development(drawn).images}
    assert len(test) == 20
    assert not development & {image.tobytes() for image in test.images}


def test_a_drawn_dataset_takes_no_files(drawn, tmp_path):
    with pytest.raises(UsageError, match="is drawn on this machine"):
        download.adopt(drawn, tmp_path)


def test_training_takes_it_as_more_pictures(drawn, small, tmp_path):
    recipe = recipes.override(small, ["extra=synthetic-digits", "extra_repeats=2", "epochs=0.5"])
    pictures = train.split_for(recipe)
    assert (len(pictures.train), len(pictures.validation)) == (2_000 + 2 * 60, 1_000)
    run = train.train(recipe, tmp_path / "run")
    assert (run.recipe.extra, run.finished) == ("synthetic-digits", True)
    with pytest.raises(UsageError, match="unknown dataset"):
        train.split_for(recipes.override(small, ["extra=synthetic"]))
    with pytest.raises(UsageError, match="classes"):
        train.split_for(recipes.override(small, ["extra=fashion-mnist"]))


HANDS = {  # forms that MNIST's writers do not write: lines on 100×140 pixels
    "1 with a flag": ("1", [[(25, 62), (60, 20), (60, 120)]]),
    "1 with a long flag": ("1", [[(18, 85), (55, 20), (60, 120)]]),
    "1 with a flag and a foot": ("1", [[(25, 50), (52, 20), (52, 118)], [(25, 120), (80, 120)]]),
    "1 with a flag, slanting": ("1", [[(20, 60), (72, 20), (48, 120)]]),
    "0 open at the side": ("0", [[(34, 36), (60, 20), (84, 48), (84, 90), (60, 120), (34, 116), (22, 90)]]),
    "crossed 7": ("7", [[(22, 24), (80, 20), (40, 122)], [(32, 72), (78, 68)]]),
    "7 with a serif": ("7", [[(20, 40), (22, 20), (78, 20), (42, 120)]]),
    "z-like 2": ("2", [[(22, 22), (78, 20), (20, 120), (82, 118)]]),
    "open 4": ("4", [[(38, 20), (20, 78), (82, 78)], [(62, 50), (60, 122)]]),
    "flat-topped 3": ("3", [[(24, 20), (76, 20), (44, 60), (74, 78), (64, 112), (22, 118)]]),
    "angular 9": ("9", [[(72, 24), (26, 22), (24, 66), (72, 66), (72, 22), (74, 122)]]),
    "slashed 0": (
        "0",
        [[(50, 20), (22, 45), (22, 95), (50, 120), (78, 95), (78, 45), (50, 20)], [(82, 22), (18, 118)]],
    ),
}


@pytest.mark.parametrize("width", [3, 9])
@pytest.mark.parametrize(("digit", "lines"), HANDS.values(), ids=HANDS)
def test_the_bundled_model_reads_other_hands(bundled, digit, lines, width):
    sheet = Image.new("L", (100, 140), 250)
    for line in lines:
        ImageDraw.Draw(sheet).line(line, 30, width, joint="curve")
    (answer,) = bundled.read([bundled.prepare(np.asarray(sheet))])
    assert answer.label == digit


@pytest.fixture(scope="module")
def bundled():
    return predict.open_reader(threads=1)
