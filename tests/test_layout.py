"""How a folder is laid out: parts, classes, files."""

import pytest

from tenfold.data import layout


@pytest.mark.parametrize("names", ["0 1 2 10", "2b 10a a B c", "x1 x2 x10"])
def test_names_are_sorted_as_people_do(names):
    assert " ".join(sorted(sorted(names.split()), key=layout.natural)) == names
