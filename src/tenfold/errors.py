"""Errors that a user can cause and correct: one or two plain lines, and the exit status of the command line.

Any other exception is a bug and shows its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class TenfoldError(Exception):
    """The work failed. The message gives the reason and says what to do."""

    status = 1


class UsageError(TenfoldError):
    """The request is invalid: an unknown name, or a value out of range."""

    status = 2


class DataError(TenfoldError):
    """Data is missing, damaged or not in the announced format."""

    status = 3


class DivergedError(TenfoldError):
    """The loss of a training is no longer a finite number, because of the recipe."""


class BusyError(TenfoldError):
    """Another process is doing the same work."""


class StorageError(TenfoldError):
    """A disk is full or cannot be written."""


class InterruptError(TenfoldError):
    """The user stopped the work. The message says how to resume."""

    status = 130


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a `name` that is not in `known`; it suggests the nearest known name."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return UsageError(f"unknown {kind} {name!r}; {hint}")
