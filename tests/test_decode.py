"""Bytes to grey pixels: formats, limits, and one kind of error."""

import functools
import io
import struct
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tenfold.handwriting import decode as decoding
from tenfold.handwriting.decode import FormatError, PictureError, TooLargeError, decode

COLOURS = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
FORMS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")


def encoded(picture, form="PNG", **options):
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_lossless_formats_give_the_pixels_back(form, mnist):
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(decode(encoded(mnist.images[0], form, **options)), mnist.images[0])


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "JPEG"])
def test_colours_become_their_luminance(form):
    red, green, blue = COLOURS.astype(float).transpose(2, 0, 1)
    expected = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R 601
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    assert np.abs(decode(encoded(COLOURS, form, **options)) - expected).max() < (3 if form == "JPEG" else 1.1)


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_is_read(mode):
    grey = np.repeat(np.repeat(np.uint8([[0, 255], [255, 0]]), 4, 0), 4, 1)
    form = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    picture = Image.fromarray(np.stack([grey] * 3, -1)).convert("L" if mode == "LA" else "RGB").convert(mode)
    assert np.abs(decode(encoded(picture, form)).astype(int) - grey).max() <= 1


def test_sixteen_bits_are_scaled_to_eight():
    values = np.uint16([[0, 257, 32896, 65535]])
    assert decode(encoded(values)).tolist() == [[0, 1, 128, 255]]


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_of_wide_pixels_the_smallest_is_black_and_the_largest_white(kind):
    assert decode(encoded(kind([[-5, 0, 5]]), "TIFF")).tolist() == [[0, 128, 255]]
    assert decode(encoded(kind([[7, 7]]), "TIFF")).tolist() == [[255, 255]]
    odd = np.float32([[0, np.nan, np.inf, 1e38, -1e38]])
    assert decode(encoded(odd, "TIFF")).tolist() == [[128, 128, 128, 255, 0]]


def test_what_is_transparent_is_paper():
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = (0, 0, 0, 255)
    picture[0, 1] = (0, 0, 0, 128)
    assert decode(encoded(picture)).tolist() == [[0, 127], [255, 255]]
    picture[..., :3] = 255  # a white pen on nothing
    assert decode(encoded(picture)).tolist() == [[255, 128], [0, 0]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_says_what_is_up(orientation):
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    stored = {  # EXIF 2.32, table 6: where row 0 and column 0 of the stored picture are
        1: grey,
        2: grey[:, ::-1],
        3: grey[::-1, ::-1],
        4: grey[::-1],
        5: grey.T,
        6: grey.T[::-1],
        7: grey.T[::-1, ::-1],
        8: grey.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(encoded(np.ascontiguousarray(stored), exif=exif)), grey)


def test_of_a_gif_the_first_frame_is_read():
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (30, 200)]
    assert (decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])) == 30).all()


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 ...", b"GIF", b"RIFF0000WAVEfmt ", b"<svg/>", b"P5 2 2 255 abcd"])
def test_other_formats_are_refused(content):
    with pytest.raises(FormatError, match="PNG, JPEG, WebP, BMP, TIFF, GIF"):
        decode(content)


@pytest.mark.parametrize("form", FORMS)
def test_a_large_picture_is_reduced_and_a_larger_one_refused(form):
    assert decode(encoded(np.full((2000, 2000), 90, np.uint8), form)).shape == (2000, 2000)
    half = decode(encoded(np.full((3000, 4000), 90, np.uint8), form))
    assert half.shape == (1500, 2000)
    assert abs(half.astype(int) - 90).max() <= 1
    most = 64_000_000 if form == "JPEG" else 16_000_000
    with pytest.raises(TooLargeError, match=f"{most:,}"):
        decode(encoded(np.zeros((most // 4000 + 1, 4000), np.uint8), form))


def test_ink_whose_luminance_is_that_of_its_paper_is_seen():
    coloured = np.full((60, 60, 3), (60, 160, 60), np.uint8)
    coloured[20:40, 28:32] = (230, 80, 60)
    grey = decode(encoded(coloured, "PNG"))
    assert abs(int(grey[30, 30]) - int(grey[5, 5])) > 60


def test_a_bomb_is_refused_by_its_header():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (12_000, 100_000):  # past Pillow's own warning, and past its error
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        with pytest.raises(TooLargeError):
            decode(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))


def test_a_tiff_of_one_huge_tile_is_refused():
    tags = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 322: 30_000, 323: 30_000, 324: 8, 325: 4}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    with pytest.raises(TooLargeError, match=r"30,000 × 30,000"):
        decode(b"II*\0" + struct.pack("<IIH", 12, 0, len(tags)) + entries + bytes(4))


def _chunks(kind, body, count):
    """A PNG of 40×40 with that many more chunks."""
    content = encoded(np.zeros((40, 40), np.uint8))
    one = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return content[:33] + one * count + content[33:]


def _segments(kind, body, count):
    """A JPEG of 40×40 with that many more segments."""
    content = encoded(np.zeros((40, 40), np.uint8), "JPEG")
    return content[:2] + (b"\xff" + kind + struct.pack(">H", len(body) + 2) + body) * count + content[2:]


def _scans(side, count):
    """A progressive JPEG whose last scan comes so many times more."""
    content = encoded(np.zeros((side, side), np.uint8), "JPEG", progressive=True)
    return content[:-2] + content[content.rindex(b"\xff\xda") : -2] * count + b"\xff\xd9"


PROFILE = b"x\0\0" + zlib.compress(bytes(1_000_000), 9)
COSTLY = {
    "scans": lambda: _scans(1_000, 5_000),
    "scans of many pixels": lambda: _scans(4_000, 60),
    "segments": lambda: _segments(b"\xfe", b"", 1_000_000),
    "ends": lambda: b"\xff\xd8" + b"\xff\xd9" * 1_000_000,
    **{str(kind): functools.partial(_chunks, kind, PROFILE, 1_970) for kind in (b"iCCP", b"zTXt", b"iTXt")},
    "empty chunks": lambda: _chunks(b"IDAT", b"", 500_000),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_work_that_no_picture_needs_is_refused_before_it_is_done(kind):
    content = COSTLY[kind]()
    start = time.thread_time()
    with pytest.raises(PictureError) as error:
        decode(content)
    assert time.thread_time() - start < 0.3
    assert "\n" not in str(error.value)
    assert " at 0x" not in str(error.value)


@pytest.mark.parametrize("count", [4, 40])
def test_as_many_scans_as_encoders_write_are_read(count):
    np.testing.assert_array_equal(decode(_scans(1_000, count)), np.zeros((1_000, 1_000), np.uint8))


@pytest.mark.slow
def test_a_decoder_that_loops_as_the_file_tells_it_is_stopped():
    """Pillow decodes runs of a BMP in Python, two bytes at a time."""
    content = bytearray(encoded(np.zeros((4, 4), np.uint8), "BMP"))
    content[18:34] = struct.pack("<iiHHI", 4_000, 4_000, 1, 8, 1)
    with pytest.raises(PictureError, match="too long"):
        decode(bytes(content) + b"\0\2\0\0" * 3_000_000)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_off_file_is_damaged(form, share):
    content = encoded(COLOURS, form)
    with pytest.raises(PictureError, match="damaged"):
        decode(content[: int(share * len(content))])


@given(st.sampled_from(FORMS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_bytes_changed_at_random_give_pixels_or_one_kind_of_error(form, changes):
    content = bytearray(encoded(COLOURS, form))
    for at, value in changes:
        content[int(at * (len(content) - 1))] = value
    try:
        decoded = decode(bytes(content))
    except PictureError:
        return
    assert decoded.dtype == np.uint8
    assert decoded.ndim == 2


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF89a", b"BM"]), st.binary())
def test_what_only_begins_like_a_picture_is_damaged(signature, rest):
    with pytest.raises(PictureError):
        decode(signature + rest)


def test_a_small_picture_does_not_wait_for_a_large_one():
    """A lock around decoding kept the event loop of the service waiting for large pictures in other threads."""
    before, small = list(warnings.filters), encoded(np.full((4, 4), 90, np.uint8), "PNG")
    with ThreadPoolExecutor(4) as pool:
        with decoding._SILENCE:  # as while another thread decodes
            assert pool.submit(decode, small).result(timeout=20).shape == (4, 4)
        large = encoded(np.full((3000, 3000), 90, np.uint8), "PNG")
        list(pool.map(decode, [large, small] * 4))
    assert list(warnings.filters) == before
