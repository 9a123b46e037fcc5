import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tenfold.data import catalog, download, idx
from tenfold.errors import DataError


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)))
def test_what_is_written_is_read(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(idx.encode(array))
    again = idx.decode(path.read_bytes(), array.ndim, "array")
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, array)


def test_the_real_file_as_numpy_alone_reads_it(mnist):
    raw = np.fromfile(download.cache_folder(catalog.MNIST) / "train-images-idx3-ubyte", np.uint8)
    np.testing.assert_array_equal(mnist.images.ravel(), raw[16:])
    assert mnist.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as everybody knows them


GOOD = struct.pack(">HBB3I", 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", GOOD[:10], GOOD[:-1], GOOD + b"\x00", b"\x01" + GOOD[1:], b"\x1f\x8b" + GOOD),
        GOOD[:2] + b"\x0d" + GOOD[3:],  # floats
        struct.pack(">HBBI", 0, 8, 1, 2000) + bytes(2000),
        *(struct.pack(">HBB3I", 0, 8, 3, *sides) for sides in ((2**31, 28, 28), [2**32 - 1] * 3)),
    ],
)
def test_bad_content_is_refused_before_anything_is_made(content):
    with pytest.raises(DataError):
        idx.decode(content, 3, "file")


@given(st.binary(max_size=64), st.integers(1, 3))
def test_no_bytes_break_the_reader(content, rank):
    try:
        array = idx.decode(content, rank, "fuzz")
    except DataError:
        return
    assert array.ndim == rank
    assert array.size == len(content) - 4 - 4 * rank
