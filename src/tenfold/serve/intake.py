"""Pictures from requests: a picture file, a form of them, or JSON arrays of 28×28.

Everything stays in memory: nothing that comes with a request is written to a file, or names one. Nothing is parsed or
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

BODY = 12_000_000  # bytes of a request: a photograph of 50 million pixels
JSON_BODY = 1_000_000  # bytes of JSON: 64 pictures of three digits a pixel are 200,000
MOST_OF_OTHERS = 16  # the largest pixel of pictures whose pixels are from 0 to 1, or to 16
EXPECTED = "a picture as JSON is 28 rows of 28 integers from 0 to 255, white on black"
BATCH = 64  # pictures of a request
BATCH_PIXELS = 4 * picture.MAX_PIXELS  # of all of them
FIELD = "picture"  # of a form
SMALL = 64 * 64  # pixels, and
SMALL_BYTES = 65_536  # that do not wait for larger pictures
STATUS: dict[type, int] = {  # of errors; of others 422
    picture.FormatError: 415,
    picture.TooLargeError: 413,
    BusyError: 409,
    StorageError: 507,
}
WAITING = 32  # requests that may wait for a thread
SECONDS = 20.0  # in which a thread must have answered
BUSY = "busy: too many pictures at once; come back in a second"

Result = TypeVar("Result")


class RefusedError(TenfoldError):
    """A request that is not answered, with the HTTP status that says so."""

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
        """Return what `work` returns, from a thread; refuse where too many wait already, or it takes too long."""
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
    """Return the one picture of a request, a file or an array, as the model is to see it."""
    content = body
    match _media_type(headers):
        case "application/json":
            return array(_parsed(body))
        case "multipart/form-data":
            content, *more = asyncio.run(_form(headers, body))
            if more:
                raise RefusedError(422, "one picture, please; /predict/batch takes several")
    return reader.prepare(picture.decode(content), steps)


def several(reader: Reader, headers: Headers, body: bytes) -> list[Reading]:
    """Return the pictures of a request, a form or an array of arrays, as the model is to see them."""
    match _media_type(headers):
        case "application/json":
            return _arrays(_parsed(body))
        case "multipart/form-data":
            return _files(reader, asyncio.run(_form(headers, body)))
        case _:
            raise RefusedError(415, "several pictures come as a form, or as JSON")


def is_small(headers: Headers, body: bytes) -> bool:
    """Return True for an array, and for a PNG whose header has few pixels: they take no time to read."""
    width, height = int.from_bytes(body[16:20]), int.from_bytes(body[20:24])
    few = body.startswith(b"\x89PNG") and width * height <= SMALL
    return len(body) <= SMALL_BYTES and (few or _media_type(headers) == "application/json")


def array(value: Any) -> Reading:
    """Return a picture from JSON: 28 rows of 28 integers from 0 to 255, white on black, taken as it is.

    Or `{"image": rows of numbers, "range": [black, white]}`, which is brought to that: [0, 1], [0, 16], or [255, 0]
    for black on white. Refused, before any array is made, is all that has another shape or other types; then numbers
    out of their range, and a picture that looks as if it had another one.
    """
    declared = value.get("range") if isinstance(value, dict) else None
    rows = value.get("image") if isinstance(value, dict) else value
    if not _is_list(rows, INPUT[1]) or not all(_is_list(row, INPUT[2], int, float) for row in rows):
        raise RefusedError(422, EXPECTED)
    if declared is not None and not (_is_list(declared, 2, int, float) and all(abs(end) <= 1e6 for end in declared)):
        raise RefusedError(422, 'a range is [black, white], as in {"image": rows, "range": [0, 1]}')
    black, white = declared or (0, 255)
    pixels = np.array(rows, np.float64)
    if black == white or not ((pixels >= min(black, white)) & (pixels <= max(black, white))).all():
        raise RefusedError(422, f"{EXPECTED}; these are not from {black} to {white}")
    if declared is None:
        if (pixels % 1 != 0).any() or 0 < pixels.max() <= MOST_OF_OTHERS:  # JSON's 7.0 is an integer too
            raise RefusedError(422, f'{EXPECTED}; for another one send {{"image": rows, "range": [0, 1]}}')
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        if np.median(border) > 127:
            raise RefusedError(422, f'{EXPECTED}; for black on white send {{"image": rows, "range": [255, 0]}}')
    return Reading(np.rint((pixels - black) / (white - black) * 255).astype(np.uint8), "digit")


def _is_list(value: Any, length: int, *kinds: type) -> TypeGuard[list[Any]]:
    """Return whether a value is a list of that length, of those kinds; truth values are no integers."""
    if not isinstance(value, list) or len(value) != length:
        return False
    return not kinds or all(type(one) in kinds and abs(one) < 2**53 for one in value)


def _media_type(headers: Headers) -> str:
    """Return the type of the body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _arrays(value: Any) -> list[Reading]:
    images = value.get("images") if isinstance(value, dict) else None
    if not isinstance(images, list) or not images:
        raise RefusedError(422, 'several pictures as JSON are {"images": [one, another]}')
    _check_count(len(images))
    return [array(image) for image in images]


def _files(reader: Reader, contents: list[bytes]) -> list[Reading]:
    _check_count(len(contents))
    readings, pixels = [], 0
    for content in contents:
        grey = picture.decode(content)
        pixels += grey.size
        if pixels > BATCH_PIXELS:
            raise RefusedError(413, f"these pictures have more than {BATCH_PIXELS:,} pixels together")
        readings.append(reader.prepare(grey))
    return readings


def _check_count(count: int) -> None:
    if count > BATCH:
        raise RefusedError(422, f"{count} pictures; at most {BATCH} a request, please")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(422, "the body is not JSON") from None


class _InMemory(MultiPartParser):
    """Starlette's parser of forms, which would put what is over a megabyte into a temporary file."""

    spool_max_size = BODY


async def _form(headers: Headers, body: bytes) -> list[bytes]:
    """Return the contents of the fields `picture` of a form, at least one."""

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
