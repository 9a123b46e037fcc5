"""Errors that a user can cause and mend: one or two plain lines, and the exit status of the command line.

Anything else that is raised is a bug and shows its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class TenfoldError(Exception):
    """The work failed for a reason that the message says, with what to do."""

    status = 1


class UsageError(TenfoldError):
    """The request makes no sense: an unknown name, a value out of range."""

    status = 2


class DataError(TenfoldError):
    """Data is missing, damaged or not what it claims to be."""

    status = 3


class DivergedError(TenfoldError):
    """The loss of a training stopped being a number: the recipe's fault."""


class BusyError(TenfoldError):
    """Another process is at it."""


class StorageError(TenfoldError):
    """A disk is full, or does not let anything be changed."""


class InterruptError(TenfoldError):
    """The user stopped the work; the message says how to go on."""

    status = 130


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a `name` that is none of `known`, with the nearest known one."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return UsageError(f"unknown {kind} {name!r}; {hint}")
