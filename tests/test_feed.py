"""Orders of pictures that are read from a file: each once, the same again, from any step; and the memory that takes."""

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenfold import augment, frameworks, recipes, train
from tenfold.data import catalog, idx, mapped
from tenfold.data.split import Samples
from tenfold.frameworks import feed

PICTURES = 150_000


def numbered(count):
    """Pictures that show their number, so that one can tell which is which."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(count), 256)
    return Samples(images, np.arange(count))


def epoch_of(window):
    """What a window trains on, in order: each picture's number, and its map if it has one."""
    pictures = window.images[window.order]
    numbers = pictures[:, 0, 0].astype(int) * 256 + pictures[:, 0, 1]
    np.testing.assert_array_equal(numbers, window.labels[window.order])
    return [numbers[window.batch(step)] for step in window.steps]


def test_what_lies_in_memory_is_one_window_in_the_order_of_old(small):
    samples = numbered(1_000)
    recipe = recipes.replace(small, batch_size=128)
    first, second = feed.windows(recipe, samples, 3, 12)
    assert (first.steps, second.steps) == (range(3, 8), range(8, 12))
    assert first.images is samples.images
    order, maps = augment.epoch(recipe, 1_000, 0)
    np.testing.assert_array_equal(first.order, order)
    np.testing.assert_array_equal(first.maps, maps)
    assert first.batch(3) == slice(384, 512)
    assert first.batch(7) == slice(896, 1_000)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 700), st.integers(2, 90), st.integers(1, 40), st.integers(1, 300), st.integers(0, 9), st.data())
def test_every_picture_comes_once_an_epoch_and_again_from_any_step(
    monkeypatch, small, count, batch_size, block, window, seed, data
):
    monkeypatch.setattr(mapped, "LARGE", 0)
    monkeypatch.setattr(feed, "BLOCK", block)
    monkeypatch.setattr(feed, "WINDOW", window)
    recipe = recipes.replace(small, batch_size=batch_size, seed=seed)
    samples = numbered(count)
    steps = 2 * recipe.steps_per_epoch(count)
    whole = [batch for one in feed.windows(recipe, samples, 0, steps) for batch in epoch_of(one)]
    half = steps // 2
    for epoch in (whole[:half], whole[half:]):
        assert Counter(np.concatenate(epoch).tolist()) == dict.fromkeys(range(count), 1)
        assert {len(batch) for batch in epoch[:-1]} <= {batch_size}
    first = data.draw(st.integers(0, steps - 1))
    last = data.draw(st.integers(first + 1, steps))
    again = [batch for one in feed.windows(recipe, samples, first, last) for batch in epoch_of(one)]
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(whole[first:last]))


def test_orders_differ_by_epoch_window_and_seed_and_mix_the_file(monkeypatch, small):
    monkeypatch.setattr(mapped, "LARGE", 0)
    monkeypatch.setattr(feed, "WINDOW", 4_096)
    recipe = recipes.replace(small, batch_size=128)
    count = 40_000
    samples = numbered(count)
    per_epoch = recipe.steps_per_epoch(count)
    one, *_, last = feed.windows(recipe, samples, 0, per_epoch)
    (other,) = feed.windows(recipes.replace(recipe, seed=1), samples, 0, 1)
    (second,) = feed.windows(recipe, samples, per_epoch, per_epoch + 1)
    assert not np.array_equal(one.maps[: len(last.maps)], last.maps)
    numbers = np.concatenate(epoch_of(one))
    for another in (other, second):
        assert not np.array_equal(epoch_of(another)[0], numbers[:128])
    assert np.bincount(numbers // 10_000, minlength=4).min() > 300  # of 4,096: from all over the file
    assert np.abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.1
    assert not np.array_equal(one.maps[0], np.eye(2, 3))


@pytest.mark.parametrize("framework", ["pytorch", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_training_from_a_file_goes_on_from_any_step(framework, small, mnist, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 1_500 * mapped.PICTURE)
    monkeypatch.setattr(feed, "WINDOW", 700)
    recipe = recipes.replace(small, framework=framework, averaging=0.9)
    samples = mnist.take(np.arange(2_000))
    assert isinstance(samples.images, mapped.Rows)
    module = frameworks.load(framework)
    states = list(module.train(recipe, samples, pauses=[3, 20]))
    assert [(state.step, state.pictures) for state in states] == [(3, 384), (16, 2_000), (20, 512), (32, 2_000)]
    for state in (states[0], states[2]):
        *_, last = module.train(recipe, samples, resume=state)
        assert (last.loss_sum, last.correct) == (states[-1].loss_sum, states[-1].correct)
        for name, value in states[-1].tensors.items():
            np.testing.assert_array_equal(last.tensors[name], value)
    assert states[-1].correct > 1_600
    batch = frameworks.first_batch(recipe, samples)
    (window,) = feed.windows(recipe, samples, 0, 1)
    np.testing.assert_array_equal(batch.raw, window.images[window.order[:128]])


def test_a_long_epoch_is_written_down_on_the_way(small, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT", 5)
    steps = []
    write = train.runs.write_tensors

    def watched(path, tensors, numbers=None):
        steps.extend([numbers["step"]] if numbers else [])
        write(path, tensors, numbers)

    monkeypatch.setattr(train.runs, "write_tensors", watched)
    run = train.train(recipes.replace(small, epochs=1), tmp_path / "run")
    assert steps == [5, 10, 15]
    assert len(run.history) == 1


PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np
from tenfold import recipes, train
from tenfold.data import catalog, folder, mapped
from tenfold.data.split import Samples
from tenfold.frameworks import feed, load

words = ["epochs=0.1", "validation_size=1000", "precision=float32", "network.width=4", "rotation=5"]
known = catalog.find(sys.argv[1])
recipe = recipes.suited(recipes.quick(), known, words)
few = Samples(np.zeros((600, 28, 28), np.uint8), np.arange(600) % 10)
list(load("pytorch").train(recipe, few))  # libraries, threads and buffers are there before the limit is
mapped.LARGE, feed.WINDOW = int(sys.argv[2]), 8_192
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
limit = int(status["VmData"].split()[0]) * 1024 + 80_000_000
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
run = train.train(recipe, Path(sys.argv[3]))
print(run.history[-1]["train_accuracy"])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts memory of one's own and not mapped files")
def test_more_pictures_than_memory_takes(mnist, own_cache, tmp_path):
    """With 80 MB left, 118 MB of pictures cannot be read, but trained on they can be."""
    root = tmp_path / "many"
    root.mkdir()
    index = np.random.default_rng(0).integers(0, 10_000, PICTURES)
    for file, array in zip(catalog.MNIST.files, (mnist.images, mnist.labels.astype(np.uint8)), strict=False):
        (root / file.name).write_bytes(idx.encode(array[index]))
    from tenfold.data import folder

    known, _ = folder.find(str(root))

    def trained(large, out):
        command = [sys.executable, "-c", PROGRAM, known.name, str(large), str(tmp_path / out)]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    in_memory = trained(1 << 30, "in-memory")
    assert in_memory.returncode == 1
    assert in_memory.stderr.splitlines()[-1] == "MemoryError"
    from_file = trained(50_000_000, "mapped")
    assert from_file.returncode == 0, from_file.stderr
    assert float(from_file.stdout) > 0.7
