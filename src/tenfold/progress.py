"""What a stage tells while it works: bars on a terminal, plain lines elsewhere, on standard error.

Standard output is left to results, so that `--json` can be piped.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

SELDOM = 10.0  # seconds between two lines about the same work in a log


class Progress(Protocol):
    """Told by stages; the command line passes a `Bars` or a `Lines`, a library call is `SILENT`."""

    def line(self, text: str) -> None:
        """Say one thing that stays on the screen."""

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show a piece of work; the function it gives is called with how much of `total` is done."""

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Show a text of some lines that changes; the function it gives is called with the newest."""


class Silent:
    """Says nothing."""

    def line(self, text: str) -> None:
        """Drop the line."""

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show nothing."""
        yield lambda done: None

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Show nothing."""
        yield lambda text: None


class Lines(Silent):
    """Plain lines for logs and pipes: what stays, and the title of each piece of work."""

    def line(self, text: str) -> None:
        """Print the line."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Print the title only."""
        self.line(title)
        yield lambda done: None

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Print the first line of the newest text, at most every ten seconds, and the whole of the last."""
        newest, printed = "", time.monotonic()

        def show(text: str) -> None:
            nonlocal newest, printed
            newest = text
            if time.monotonic() - printed >= SELDOM:
                self.line(text.partition("\n")[0])
                printed = time.monotonic()

        yield show
        self.line(newest)


class Bars:
    """A bar with the time left for each piece of work; lines scroll above it."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    def line(self, text: str) -> None:
        """Print the line above the bar."""
        self.console.print(text, markup=False)

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show a bar that vanishes when the work ends."""
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with RichProgress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(title, total=total)
            yield lambda done: bars.update(task, completed=done)

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Show the newest text in place of the one before; the last one stays."""
        from rich.live import Live
        from rich.text import Text

        with Live(console=self.console, refresh_per_second=4) as live:
            yield lambda text: live.update(Text(text))


SILENT: Progress = Silent()


def for_terminal() -> Progress:
    """Return bars where standard error is a terminal, lines where it is not."""
    return Bars() if sys.stderr.isatty() else Lines()
