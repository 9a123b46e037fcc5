"""Texts for a terminal: nothing in them steers it, and no work fails for a stream that is full or closed."""

import errno
import io
import os
import sys
import unicodedata
from contextlib import suppress

from tenfold.errors import TenfoldError

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # kinds of characters: control, format, surrogate, line and paragraph ends


def printable(text: str) -> str:
    """Return a text whose escapes, control and invisible characters are spelt out, but for the ends of lines."""
    return "".join(
        c.encode("unicode_escape").decode() if c != "\n" and unicodedata.category(c) in STEERING else c for c in text
    )


def show(text: str) -> None:
    """Print a result on standard output; `TenfoldError` where it cannot be written."""
    try:
        print(printable(text), flush=True)
    except OSError as error:
        raise TenfoldError(f"standard output cannot be written: {error.strerror}") from None


def say(text: str) -> None:
    """Print a line on standard error, if that can be."""
    with suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


class _Closed(io.TextIOBase):
    """Standard output where it is closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


def prepare() -> None:
    """Make standard streams that lose no text to an encoding, and none of whose numbers a file can get.

    Where they are closed, what goes to standard error is dropped, and a result is an `OSError`.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no result is lost for a symbol that a code page lacks


def finish() -> bool:
    """Flush the standard streams and return whether all was written; what was not is dropped without a traceback."""
    whole = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            whole = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return whole
