"""Results in the cache are found again, whichever process wrote them and however it ended."""

import dataclasses
import itertools
import json
import shutil

import pytest

from tenfold import recipes
from tenfold.data import catalog
from tenfold.errors import TenfoldError
from tenfold.tune import cache
from tenfold.tune.cache import FILE, Cache, Training, identity

WHOLE = Training([0.5, 0.9], 2, 0.9, 1.0)
HALF = Training([0.5], 2, None, 0.5)
LONGER = Training([0.5, 0.6], 9, None, 0.7)
NOTHING = Training([], 0, 0.9, 1.0)


def test_an_identity_is_all_that_a_result_follows_from(tiny, monkeypatch):
    known = {identity(tiny, None), identity(tiny, 5), identity(tiny, 10)}
    known |= {identity(recipes.override(tiny, [change]), None) for change in ("seed=1", "batch_size=64", "epochs=0.4")}
    known.add(identity(recipes.override(tiny, ["network.width=5"]), None))
    known.add(identity(recipes.replace(tiny, precision="bfloat16"), None))
    assert len(known) == 8
    assert identity(recipes.replace(tiny, seed=0), None) in known
    other = dataclasses.replace(catalog.MNIST.train_images, sha256="0" * 64)
    monkeypatch.setitem(catalog.CATALOG, "mnist", dataclasses.replace(catalog.MNIST, train_images=other))
    assert identity(tiny, None) not in known


def test_what_one_wrote_the_other_knows(tmp_path):
    one, other = Cache(tmp_path), Cache(tmp_path)
    assert one.find("a") is None
    assert not (tmp_path / FILE).exists()
    one.add("a", WHOLE)
    assert other.find("a") == one.find("a") == WHOLE
    other.add("b", NOTHING)
    assert one.find("b") == NOTHING
    assert one.find("c") is None
    assert Cache(tmp_path).find("a") == WHOLE


@pytest.mark.parametrize(
    "order", [*itertools.permutations([HALF, LONGER, NOTHING]), *itertools.permutations([WHOLE, NOTHING])]
)
def test_the_longest_of_a_point_counts(tmp_path, order):
    """One that came to its end counts before all that did not, one with checks before one without."""
    for training in order:
        Cache(tmp_path).add("a", training)
    assert Cache(tmp_path).find("a") == (WHOLE if WHOLE in order else NOTHING)


def test_half_a_line_costs_that_training_and_no_other(tmp_path):
    Cache(tmp_path).add("a", WHOLE)
    path = tmp_path / FILE
    whole = path.read_bytes()
    for cut in range(1, len(whole) - 1):  # without its end alone it is whole
        path.write_bytes(whole + whole[:cut].replace(b'"a"', b'"b"'))
        known = Cache(tmp_path)
        assert known.find("a") == WHOLE
        assert known.find("b") is None
        known.add("c", NOTHING)  # ends the half line where it stands
        assert (known.find("a"), known.find("b"), known.find("c")) == (WHOLE, None, NOTHING)
        assert Cache(tmp_path).find("c") == NOTHING


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / FILE
    line = json.dumps({"identity": "a"} | vars(WHOLE)).encode() + b"\n"
    path.write_bytes(line[:30])
    known = Cache(tmp_path)
    assert known.find("a") is None
    with open(path, "ab") as file:
        file.write(line[30:])
    assert known.find("a") == WHOLE


@pytest.mark.parametrize("line", [b"3", b"null", b"[]", b'"text"', b"{}", b'{"identity": "a"}', b"\xff\x00", b""])
def test_other_lines_are_passed_over(tmp_path, line):
    (tmp_path / FILE).write_bytes(line + b"\n")
    known = Cache(tmp_path)
    known.add("b", WHOLE)
    assert known.find("a") is None
    assert known.find("b") == WHOLE


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(TenfoldError, match=r"cannot write .*trained\.jsonl"):
        Cache(tmp_path).add("a", WHOLE)


@pytest.mark.parametrize("file", ["networks.py", "data/split.py", "frameworks/onnx.py"])
def test_another_code_is_another_version(tmp_path, monkeypatch, file):
    version = cache.code_version.__wrapped__
    before = version("pytorch")
    shutil.copytree(cache.PACKAGE, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(cache, "PACKAGE", tmp_path)
    (tmp_path / "cli" / "run.py").write_text("")  # how results are printed changes none
    assert version("pytorch") == before
    (tmp_path / file).write_text((tmp_path / file).read_text() + "\nx = 1\n")
    changed = version("pytorch")
    training = tmp_path / "frameworks/pytorch/training.py"
    training.rename(training.with_name("loop.py"))
    assert len({before, changed, version("pytorch")}) == 3
