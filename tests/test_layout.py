"""The layout of a folder: parts, classes, files, and an order that is the same everywhere."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.data import layout
from tenfold.errors import UsageError


def make(root: Path, *files: str) -> Path:
    """Make empty files, and folders of those that end with a slash."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(parents=True) if file.endswith("/") else path.touch()
    return root


def found(root: Path) -> dict[str, dict[str, list[str]]]:
    parts = layout.look(root).parts
    return {part: {name: [p.name for p in paths] for name, paths in of.items()} for part, of in parts.items()}


@pytest.mark.parametrize("names", ["0 1 2 10", "2b 10a a B c", "x1 x2 x10", "7 a ä", "a01 a1 a2"])
def test_names_are_sorted_as_people_do(names):
    assert " ".join(sorted(sorted(names.split(), reverse=True), key=layout.natural)) == names


@given(st.lists(st.text(max_size=6), unique=True, max_size=8))
def test_any_names_have_one_order(names):
    once = sorted(names, key=layout.natural)
    names.reverse()
    assert sorted(names, key=layout.natural) == once


def test_class_folders_and_their_pictures(tmp_path):
    root = make(tmp_path, "b/2.png", "b/10.JPG", "b/1.webp", "a/x.tif", "a/y.gif", "10/p.bmp", "9/p.jpeg", "readme.md")
    assert found(root) == {
        "train": {"9": ["p.jpeg"], "10": ["p.bmp"], "a": ["x.tif", "y.gif"], "b": ["1.webp", "2.png", "10.JPG"]}
    }
    assert layout.classes(layout.look(root)) == ("9", "10", "a", "b")


def test_hidden_files_and_those_that_systems_leave_are_passed_over_in_silence(tmp_path):
    make(tmp_path, "a/1.png", "a/.DS_Store", "a/._1.png", "a/Thumbs.db", "a/desktop.ini", "b/1.png")
    make(tmp_path, ".git/config.png", "__MACOSX/1.png")
    read = layout.look(tmp_path)
    assert (list(read.parts["train"]), read.skipped) == (["a", "b"], [])


def test_what_is_no_picture_is_told_of(tmp_path):
    """Nor do loops of links or pipes keep it."""
    make(tmp_path, "a/1.png", "a/notes.txt", "a/more/2.png", "a/3", "b/1.png")
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self.png").symlink_to("self.png")
    (tmp_path / "c").symlink_to("c")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    reasons = dict(layout.look(tmp_path).skipped)
    names = ["3", "gone.png", "more", "notes.txt", "pipe.png", "self.png", "up"]
    assert list(reasons) == [f"a/{name}" for name in names]
    assert found(tmp_path)["train"] == {"a": ["1.png"], "b": ["1.png"]}


@pytest.mark.parametrize(
    ("train", "others"),
    [
        ("train", {"test": "test"}),
        ("training", {"test": "testing"}),
        ("Train", {"test": "Test"}),
        ("train", {"validation": "val"}),
        ("TRAIN", {"validation": "Valid", "test": "TEST"}),
        ("train", {"validation": "validation", "test": "test"}),
    ],
)
def test_parts(tmp_path, train, others):
    make(tmp_path, f"{train}/a/1.png", f"{train}/b/1.png", ".hidden/x.png", "notes.txt")
    make(tmp_path, *(f"{name}/b/{part}.png" for part, name in others.items()))
    expected = {"train": {"a": ["1.png"], "b": ["1.png"]}} | {part: {"b": [f"{part}.png"]} for part in others}
    assert found(tmp_path) == expected
    assert list(found(tmp_path)) == list(expected)


def test_classes_with_the_names_of_parts(tmp_path):
    make(tmp_path, "train/1.png", "test/1.png", "val/1.png")
    assert found(tmp_path) == {"train": {"test": ["1.png"], "train": ["1.png"], "val": ["1.png"]}}
    make(tmp_path, "bus/1.png", "train/more/1.png")
    assert list(found(tmp_path)["train"]) == ["bus", "test", "train", "val"]


def test_a_test_folder_without_classes_is_skipped(tmp_path):
    make(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png", "test/2.png")
    assert found(tmp_path) == {"train": {"a": ["1.png"], "b": ["1.png"]}}
    assert [name for name, _ in layout.look(tmp_path).skipped] == ["test"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no folders"),
        (["1.png", "2.png"], "no folders"),
        (["a/1.png"], r"from 2 to 256 .* 1 \(a\)"),
        ([f"{n}/" for n in range(1200)], r"from 2 to 256 .* 1,200 \(0, 1, .* 9 and 1,190 more\)"),
        (["train/a/1.png", "test/a/1.png", "7/1.png"], "test, train next to 7"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "same part.* val, valid"),
        (["train/a/1.png", "train/b/1.png", "test/c/1.png"], "test has .*train .*: c"),
    ],
)
def test_other_layouts_are_refused(tmp_path, files, message):
    make(tmp_path, *files)
    with pytest.raises(UsageError, match=message):
        layout.classes(layout.look(tmp_path))


def test_what_is_no_folder(tmp_path):
    (tmp_path / "file.zip").touch()
    for name in ("nowhere", "file.zip"):
        with pytest.raises(UsageError, match=name):
            layout.look(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_names_that_people_give(tmp_path):
    """Composed and decomposed are one name; what would spoil a terminal or is no text is escaped."""
    make(tmp_path, "my seven/1.png", "\u00e4/1.png", "a\u0308/2.png", "字/1.png", "new\nline/1.png")
    make(tmp_path, os.fsdecode(b"\xff/1.png"))
    names = layout.classes(layout.look(tmp_path))
    assert set(names) == {"my seven", r"new\nline", r"\udcff", "ä", "字"}
    assert found(tmp_path)["train"]["ä"] == ["2.png", "1.png"]
