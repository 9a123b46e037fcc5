"""What a request brings, as pictures: a picture, a form with pictures, or JSON arrays of 28×28.

Bodies are in memory and stay there: nothing that comes with a request is written to, or names, a file.
"""

import json
from typing import Any

import numpy as np
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from tenfold.data import picture
from tenfold.data.picture import Reading
from tenfold.errors import TenfoldError
from tenfold.networks import INPUT

BODY = 2_000_000  # bytes
BATCH = 64  # pictures of a request
FIELD = "picture"  # of a form


class RefusedError(TenfoldError):
    """A request that is not answered, with the HTTP status that says so."""

    def __init__(self, http_status: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status


class _InMemory(MultiPartParser):
    """Starlette's parser of forms, without its temporary files: no part is larger than the body may be."""

    spool_max_size = BODY


def media_type(request: Request) -> str:
    """Return the type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def form(request: Request) -> list[bytes]:
    """Return the contents of the fields `picture` of a form."""
    parser = _InMemory(request.headers, request.stream(), max_files=BATCH + 1, max_fields=BATCH + 1)
    try:
        fields = (await parser.parse()).getlist(FIELD)
    except MultiPartException as error:
        raise RefusedError(422, f"the form cannot be read: {error.message}") from None
    files = [field for field in fields if isinstance(field, UploadFile)]
    if not files or len(files) != len(fields):
        raise RefusedError(422, f"the form has no file in a field named {FIELD!r}")
    return [await file.read() for file in files]


def parsed(body: bytes) -> Any:
    """Return what a body of JSON holds."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(422, "the body is not JSON") from None


def array(value: Any) -> Reading:
    """Return a picture from JSON: 28 rows of 28 integers from 0 to 255, white on black, taken as it is."""
    try:
        pixels = np.array(value)
    except ValueError:  # rows of different lengths, or nested too deep
        pixels = np.array(None)
    if pixels.shape != INPUT[1:] or pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
        raise RefusedError(422, "a picture as JSON is 28 rows of 28 integers from 0 to 255, white on black")
    return Reading(pixels.astype(np.uint8), "digit")


def file(content: bytes, steps: bool = False) -> Reading:
    """Return a picture file as the contract reads it."""
    try:
        return picture.read(picture.decode(content), steps)
    except picture.FormatError as error:
        raise RefusedError(415, str(error)) from None
    except picture.TooLargeError as error:
        raise RefusedError(413, str(error)) from None
    except picture.PictureError as error:
        raise RefusedError(422, str(error)) from None
