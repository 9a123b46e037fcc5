"""Rows aligned under a header, and how accuracies are written."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows under a header, columns aligned: the first to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        "  ".join([line[0].ljust(first), *(c.rjust(w) for c, w in zip(line[1:], others, strict=True))]).rstrip()
        for line in lines
    )


def percent(entry: dict[str, Any] | None) -> str:
    """Return the accuracy of an entry of scores; "-" where there is none."""
    return f"{entry['accuracy']:.2%}" if entry else "-"


def interval(entry: dict[str, Any] | None) -> str:
    """Return the 95% interval of an entry of scores; "-" where there is none."""
    return "{:.2%} to {:.2%}".format(*entry["interval"]) if entry else "-"
