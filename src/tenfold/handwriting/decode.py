"""Decode the bytes of a file to grey pixels: six formats, limits checked before decoding, one base class of errors.

The content of the file determines the format, not its name. Pillow decodes in memory. References in a file are not
followed, nothing is written, and no warnings are shown. Scans and chunks are counted first, because each costs time.
"""

import io
import math
import re
import threading
import time
import warnings

import numpy as np
from PIL import Image, ImageOps

from tenfold.errors import DataError
from tenfold.handwriting.grey import reduced

MAX_PIXELS = 4_000_000  # of the result; larger pictures are reduced
LARGEST_JPEG = 64_000_000  # pixels; large JPEGs are decoded at a half to an eighth of their size, with little memory
LARGEST = 16_000_000  # pixels of other formats
SCANS = 100  # of a JPEG; encoders write 10 to 15
SCANNED = 1_000_000_000  # pixels of all scans of a JPEG together; each scan processes the whole picture
SEGMENTS = 1_000  # of a JPEG
CHUNKS = 10_000  # of a PNG
PROFILES = 64  # chunks of a PNG that are decompressed separately, each to at most a megabyte
SECONDS = 5.0  # of processor time to read a file
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"RIFF", "WEBP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
)
JPEG_SEGMENT = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # without stuffing, restarts and padding
TILE_WIDTH, TILE_LENGTH = 322, 323  # of TIFF
LIGHT = 191
CLEARER = 2.5  # contrast of a colour channel, relative to the luminance, from which it is used instead


class _Silence:
    """Silence warnings of all threads while any thread decodes, because the filters are shared by the process.

    Threads do not wait for each other: a large picture must not delay a small one in an event loop.
    """

    def __init__(self) -> None:
        self._lock, self._within, self._filters = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._within:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                self._filters.__exit__(None, None, None)


_SILENCE = _Silence()


class _Content(io.BytesIO):
    """A file with a time limit, for decoders whose loops are controlled by the content."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._due = time.thread_time() + SECONDS

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes; raise `PictureError` when the time is over."""
        if time.thread_time() > self._due:
            raise PictureError("the picture takes too long to decode")
        return super().read(size)


class PictureError(DataError):
    """The picture is damaged and cannot be decoded."""


class FormatError(PictureError):
    """The bytes are in none of the supported formats."""


class TooLargeError(PictureError):
    """The picture has too many pixels."""


def decode(content: bytes) -> np.ndarray:
    """Return the picture as grey pixels, uint8 `[H, W]`, oriented by its EXIF data and reduced to at most 4 million.

    Reads PNG, JPEG, WebP, BMP, TIFF and the first frame of a GIF, in colour, grey, palette or one bit. 16 bits are
    scaled to 8; of 32-bit and floating pixels, the smallest becomes black and the largest white. The background of
    transparent areas is white, or black if everything visible is light.

    Raises `FormatError`, `TooLargeError` (before decoding) and, for damaged pictures and those that take too long,
    `PictureError`.
    """
    name = sniff(content)
    scans = _check_jpeg(content) if name == "JPEG" else 1
    if name == "PNG":
        _check_png(content)
    with _SILENCE:
        try:
            with Image.open(_Content(content), formats=[name]) as image:
                _check_size(image, scans)
                factor = math.ceil((image.width * image.height / MAX_PIXELS) ** 0.5)
                if name == "JPEG":
                    image.draft(None, (image.width // factor, image.height // factor))
                image.load()
                grey = _grey(ImageOps.exif_transpose(image))
                factor = math.ceil((grey.size / MAX_PIXELS) ** 0.5)
                return np.ascontiguousarray(reduced(grey, factor))
        except PictureError:
            raise
        except Image.DecompressionBombError:
            raise TooLargeError(f"the picture has more than {_largest(name):,} pixels; make it smaller") from None
        except Exception as error:  # Pillow raises many types for damaged files
            reason = str(error).partition("\n")[0].partition(" <")[0] or type(error).__name__  # no address
            raise PictureError(f"the picture is damaged: {reason}") from None


def sniff(content: bytes) -> str:
    """Return Pillow's name of the format, from the first bytes; raise `FormatError` if they fit none."""
    for signature, name in SIGNATURES:
        if content.startswith(signature) and (name != "WEBP" or content[8:12] == b"WEBP"):
            return name
    raise FormatError("not a picture in a supported format: PNG, JPEG, WebP, BMP, TIFF, GIF")


def _check_jpeg(content: bytes) -> int:
    """Return the number of scans; refuse too many scans or segments."""
    at, segments, scans = 2, 0, 0
    while found := JPEG_SEGMENT.search(content, at):
        kind, at, segments = found[1], found.end(), segments + 1
        if kind == b"\xd9" and scans:
            break
        if kind != b"\xd9":
            scans += kind == b"\xda"
            at += int.from_bytes(content[at : at + 2])
        if segments > SEGMENTS or scans > SCANS:
            raise _too_much("scans or segments")
    return scans


def _check_png(content: bytes) -> None:
    """Refuse too many chunks."""
    at, chunks, profiles = 8, 0, 0
    while at < len(content):
        chunks += 1
        profiles += content[at + 4 : at + 8] in (b"iCCP", b"zTXt", b"iTXt")
        at += int.from_bytes(content[at : at + 4]) + 12
        if chunks > CHUNKS or profiles > PROFILES:
            raise _too_much("chunks")


def _too_much(what: str) -> PictureError:
    return PictureError(f"the picture has far more {what} than necessary; save it again")


def _check_size(image: Image.Image, scans: int) -> None:
    sizes, most = [image.size], _largest(image.format)
    tags = getattr(image, "tag_v2", {})
    if TILE_WIDTH in tags:  # a small TIFF can be part of one huge tile
        sizes.append((tags[TILE_WIDTH], tags.get(TILE_LENGTH, 1)))
    for width, height in sizes:
        if width * height > most:
            raise TooLargeError(f"the picture has {width:,} × {height:,} pixels, more than {most:,}; make it smaller")
    if scans * image.width * image.height > SCANNED:
        raise TooLargeError(f"a JPEG of {scans} scans has more than {SCANNED // scans:,} pixels; make it smaller")


def _largest(name: str | None) -> int:
    return LARGEST_JPEG if name == "JPEG" else LARGEST


def _grey(image: Image.Image) -> np.ndarray:
    """Pillow's picture in any mode -> uint8 [H, W]."""
    if image.has_transparency_data:
        grey, opacity = np.asarray(image.convert("RGBA").convert("LA")).transpose(2, 0, 1)  # [2, H, W]
        seen = grey[opacity > 127]
        paper = 0 if len(seen) and seen.min() > LIGHT else 255
        share = opacity.astype(np.uint16)
        return np.asarray((grey * share + paper * (255 - share) + 127) // 255, np.uint8)
    if image.mode.startswith("I;16"):
        return (np.asarray(image).astype(np.uint32) // 257).astype(np.uint8)
    if image.mode in ("I", "F"):
        return _stretched(np.asarray(image, np.float64))
    if image.mode in ("RGB", "YCbCr", "P", "CMYK"):
        return _most_contrast(image.convert("RGB"))
    return np.asarray(image.convert("L"))


def _most_contrast(image: Image.Image) -> np.ndarray:
    """Return the luminance, or a colour channel with far more contrast, as for red ink on a green sheet."""
    bands = [image.convert("L"), *image.split()]
    few = [np.asarray(band.reduce(max(1, max(image.size) // 256))) for band in bands]
    contrasts = [float(np.ptp(np.percentile(band, (0.5, 99.5)))) for band in few]
    best = int(np.argmax(contrasts))
    return np.asarray(bands[best if contrasts[best] > CLEARER * contrasts[0] else 0])


def _stretched(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    low, high = values.min(), values.max()
    if low == high:
        return np.full(values.shape, 255, np.uint8)
    scaled = (values / 2 - low / 2) / (high / 2 - low / 2) * 255  # halves avoid overflow
    return np.asarray(np.rint(scaled), np.uint8)
