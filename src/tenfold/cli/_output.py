"""Printing and drawing of results: aligned tables, JSON, figures."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold import terminal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tenfold.scores import Score
    from tenfold.statistics import Threshold


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows under a header, columns aligned: the first to the left, the others to the right."""
    lines = [[_cell(text) for text in row] for row in (header, *rows)]
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        "  ".join([line[0].ljust(first), *(c.rjust(w) for c, w in zip(line[1:], others, strict=True))]).rstrip()
        for line in lines
    )


def _cell(text: str) -> str:
    return terminal.printable(text).replace("\n", "\\n")


def percent(score: "Score | None") -> str:
    """Return the accuracy of a score, or "-" if there is none."""
    return f"{score.accuracy:.2%}" if score else "-"


def interval(score: "Score | None") -> str:
    """Return the 95% interval of a score, or "-" if there is none."""
    return "{:.2%} to {:.2%}".format(*score.interval) if score else "-"


def show(as_json: bool, text: Callable[[], str], document: Any) -> None:
    """Print a result, as text or as JSON."""
    terminal.show(json.dumps(document, allow_nan=False) if as_json else text())


def wrote(as_json: bool, *paths: Path) -> None:
    """Print the paths that were written, on standard error if standard output holds a JSON document."""
    for path in paths:
        (terminal.say if as_json else terminal.show)(f"wrote {path}")


def draw(path: Path | None, figure: "Callable[[], Figure]") -> list[Path]:
    """Write the figure that `--figure` asks for, if any, and return the paths written."""
    if path is None:
        return []
    from tenfold.report.figures import style

    style.save(figure(), path)
    return [path]


def sure(threshold: "Threshold | None") -> str:
    """Return the confidence from which an answer is called sure or likely, and the validation counts behind it."""
    from tenfold.statistics import SURE

    if threshold is None:
        return "every answer is unsure: to show 95% takes at least 19 validation pictures and few errors on them"
    few = f" (too few pictures to show more than {threshold.level:.0%})"
    word, few = ("sure", "") if threshold.level >= SURE else ("likely", few)
    return (
        f"{word}: confidence of at least {threshold.confidence:.2%}; on {threshold.total:,} validation pictures, "
        f"{threshold.correct:,} of {threshold.answered:,} such answers were correct{few}"
    )
