"""Read pictures from requests: a picture file, a form with files, or JSON arrays of 28×28.

Everything stays in memory: nothing in a request is written to a file or used as a file name. Nothing is parsed or
decoded on the event loop.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeGuard, TypeVar

import numpy as np
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from tenfold.errors import BusyError, StorageError, TenfoldError
from tenfold.handwriting import picture
from tenfold.handwriting.picture import Reading
from tenfold.networks import INPUT
from tenfold.predict import Reader

BODY = 12_000_000  # bytes of a request: enough for a photograph of 50 million pixels
JSON_BODY = 1_000_000  # bytes of JSON; 64 pictures with three digits per pixel take 200,000
MOST_OF_OTHERS = 16  # largest pixel of pictures with another range, 0 to 1 or 0 to 16
EXPECTED = "a JSON picture must be 28 rows of 28 integers from 0 to 255, white on black"
BATCH = 64  # pictures per request
BATCH_PIXELS = 4 * picture.MAX_PIXELS  # pixels per request
FIELD = "picture"  # the field of a form
SMALL = 64 * 64  # pixels of a picture that does not wait for larger ones
SMALL_BYTES = 65_536  # its bytes
STATUS: dict[type, int] = {  # of errors; all others have 422
    picture.FormatError: 415,
    picture.TooLargeError: 413,
    BusyError: 409,
    StorageError: 507,
}
WAITING = 32  # requests that may wait for a thread
SECONDS = 20.0  # longest time for a thread to answer
BUSY = "busy: too many pictures at once; try again in a second"

Result = TypeVar("Result")


class RefusedError(TenfoldError):
    """A refused request, with its HTTP status."""

    def __init__(self, http_status: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.headers = {"retry-after": "1"} if http_status == 503 else {}


class Workers:
    """Threads that parse, decode and explain."""

    def __init__(self, threads: int, seconds: float = SECONDS) -> None:
        self._pool, self._threads, self._seconds = ThreadPoolExecutor(threads), threads, seconds
        self._unfinished: list[Future[Any]] = []

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread and return its result; refuse if too many requests wait, or if it takes too long."""
        self._unfinished = [future for future in self._unfinished if not future.done()]
        if len(self._unfinished) >= self._threads + WAITING:
            raise RefusedError(503, BUSY)
        future = self._pool.submit(work)
        self._unfinished.append(future)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RefusedError(503, f"not answered within {self._seconds:g} seconds") from None


def one(reader: Reader, headers: Headers, body: bytes, steps: bool = False) -> Reading:
    """Return the one picture of a request, a file or an array, prepared for the model."""
    content = body
    match _media_type(headers):
        case "application/json":
            return array(_parsed(body))
        case "multipart/form-data":
            content, *more = asyncio.run(_form(headers, body))
            if more:
                raise RefusedError(422, "/predict needs exactly one picture; send several to /predict/batch")
    return reader.prepare(picture.decode(content), steps)


def several(reader: Reader, headers: Headers, body: bytes) -> list[Reading]:
    """Return the pictures of a request, a form or an array of arrays, prepared for the model."""
    match _media_type(headers):
        case "application/json":
            return _arrays(_parsed(body))
        case "multipart/form-data":
            return _files(reader, asyncio.run(_form(headers, body)))
        case _:
            raise RefusedError(415, "send several pictures as a form or as JSON")


def is_small(headers: Headers, body: bytes) -> bool:
    """Return True for an array, or a PNG with few pixels in its header: they are read quickly."""
    width, height = int.from_bytes(body[16:20]), int.from_bytes(body[20:24])
    few = body.startswith(b"\x89PNG") and width * height <= SMALL
    return len(body) <= SMALL_BYTES and (few or _media_type(headers) == "application/json")


def array(value: Any) -> Reading:
    """Return a picture from JSON: 28 rows of 28 integers from 0 to 255, white on black, used as it is.

    `{"image": rows of numbers, "range": [black, white]}` is scaled to that: [0, 1], [0, 16], or [255, 0] for black on
    white. Any other shape or type is refused before an array is made. Numbers out of range are refused too, and
    pictures that seem to have another range.
    """
    declared = value.get("range") if isinstance(value, dict) else None
    rows = value.get("image") if isinstance(value, dict) else value
    if not _is_list(rows, INPUT[1]) or not all(_is_list(row, INPUT[2], int, float) for row in rows):
        raise RefusedError(422, EXPECTED)
    if declared is not None and not (_is_list(declared, 2, int, float) and all(abs(end) <= 1e6 for end in declared)):
        raise RefusedError(422, 'range must be [black, white], as in {"image": rows, "range": [0, 1]}')
    black, white = declared or (0, 255)
    pixels = np.array(rows, np.float64)
    if black == white or not ((pixels >= min(black, white)) & (pixels <= max(black, white))).all():
        raise RefusedError(422, f"{EXPECTED}; some numbers are not from {black} to {white}")
    if declared is None:
        if (pixels % 1 != 0).any() or 0 < pixels.max() <= MOST_OF_OTHERS:  # JSON's 7.0 is an integer too
            raise RefusedError(422, f'{EXPECTED}; for another range, send {{"image": rows, "range": [0, 1]}}')
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        if np.median(border) > 127:
            raise RefusedError(422, f'{EXPECTED}; for black on white, send {{"image": rows, "range": [255, 0]}}')
    return Reading(np.rint((pixels - black) / (white - black) * 255).astype(np.uint8), "digit")


def _is_list(value: Any, length: int, *kinds: type) -> TypeGuard[list[Any]]:
    """Return True if a value is a list of that length and these types. Booleans do not count as integers."""
    if not isinstance(value, list) or len(value) != length:
        return False
    return not kinds or all(type(one) in kinds and abs(one) < 2**53 for one in value)


def _media_type(headers: Headers) -> str:
    """Return the media type of the body, without parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _arrays(value: Any) -> list[Reading]:
    images = value.get("images") if isinstance(value, dict) else None
    if not isinstance(images, list) or not images:
        raise RefusedError(422, 'several pictures as JSON must be {"images": [one, another]}')
    _check_count(len(images))
    return [array(image) for image in images]


def _files(reader: Reader, contents: list[bytes]) -> list[Reading]:
    _check_count(len(contents))
    readings, pixels = [], 0
    for content in contents:
        grey = picture.decode(content)
        pixels += grey.size
        if pixels > BATCH_PIXELS:
            raise RefusedError(413, f"the pictures of a request must have at most {BATCH_PIXELS:,} pixels in total")
        readings.append(reader.prepare(grey))
    return readings


def _check_count(count: int) -> None:
    if count > BATCH:
        raise RefusedError(422, f"a request must have at most {BATCH} pictures, got {count}")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(422, "the body is not valid JSON") from None


class _InMemory(MultiPartParser):
    """Starlette's parser of forms, without its temporary files for more than a megabyte."""

    spool_max_size = BODY


async def _form(headers: Headers, body: bytes) -> list[bytes]:
    """Return the contents of the fields `picture` of a form; there is at least one."""

    async def stream() -> AsyncGenerator[bytes]:
        yield body

    parser = _InMemory(headers, stream(), max_files=BATCH, max_fields=BATCH)
    try:
        fields = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(422, f"the form cannot be read: {error.message.lower().rstrip('.')}") from None
    try:
        files = fields.getlist(FIELD)
        contents = [await file.read() for file in files if isinstance(file, UploadFile)]
    finally:
        await fields.close()
    if not contents or len(contents) != len(files):
        raise RefusedError(422, f"the form has no file in a field named {FIELD!r}")
    return contents
