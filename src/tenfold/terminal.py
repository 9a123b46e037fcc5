"""Print text safely: escape control characters, and never fail because a stream is full or closed."""

import errno
import io
import os
import sys
import unicodedata
from contextlib import suppress

from tenfold.errors import TenfoldError

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories: control, format, surrogate, line and paragraph ends


def printable(text: str) -> str:
    """Return a text with control and invisible characters written as escapes, except line ends."""
    return "".join(
        c.encode("unicode_escape").decode() if c != "\n" and unicodedata.category(c) in STEERING else c for c in text
    )


def show(text: str) -> None:
    """Print a result on standard output; raise `TenfoldError` if it cannot be written."""
    try:
        print(printable(text), flush=True)
    except OSError as error:
        raise TenfoldError(f"cannot write to standard output: {error.strerror}") from None


def say(text: str) -> None:
    """Print a line on standard error, if possible."""
    with suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


class _Closed(io.TextIOBase):
    """Replacement for a closed standard output."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


def prepare() -> None:
    """Set up the standard streams: no encoding loses text, and no file can get the descriptor of a closed stream.

    If a stream is closed, text for standard error is dropped, and writing to standard output raises `OSError`.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor: this one
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a symbol that the code page lacks must not lose the result


def finish() -> bool:
    """Flush the standard streams and return whether all was written; the rest is dropped without a traceback."""
    whole = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            whole = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return whole
