"""Show the progress of a stage on standard error: bars on a terminal, lines elsewhere.

Standard output is only for results, so that `--json` can be piped.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tenfold import terminal

SELDOM = 10.0  # seconds between two lines of the same board in a log


class Progress:
    """Show nothing. The command line uses `Bars` or `Lines`; library calls are `SILENT` by default."""

    def line(self, text: str) -> None:
        """Show a line that stays on the screen."""

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show a task; call the yielded function with the part of `total` that is done."""
        yield lambda done: None

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Show a text of several lines that changes; call the yielded function with each new text."""
        yield lambda text: None


class Lines(Progress):
    """Print lines for logs and pipes, and the title of each task."""

    def line(self, text: str) -> None:
        """Print the line."""
        terminal.say(text)

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Print the title only."""
        self.line(title)
        yield lambda done: None

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Print the first line of the newest text at most every ten seconds, and all lines of the last text."""
        newest, printed = "", time.monotonic()

        def show(text: str) -> None:
            nonlocal newest, printed
            newest = text
            if time.monotonic() - printed >= SELDOM:
                self.line(text.partition("\n")[0])
                printed = time.monotonic()

        yield show
        self.line(newest)


class Bars(Progress):
    """Show a bar with the remaining time of each task; lines scroll above it."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    def line(self, text: str) -> None:
        """Print the line above the bar."""
        self.console.print(terminal.printable(text), markup=False)

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Show a bar that disappears when the task ends."""
        from rich.markup import escape
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with RichProgress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(escape(terminal.printable(title)), total=total)
            yield lambda done: bars.update(task, completed=done)

    @contextmanager
    def board(self) -> Iterator[Callable[[str], None]]:
        """Show the newest text in place of the previous one; the last one stays."""
        from rich.live import Live
        from rich.text import Text

        with Live(console=self.console, refresh_per_second=4) as live:
            yield lambda text: live.update(Text(terminal.printable(text)))


SILENT = Progress()


def for_terminal() -> Progress:
    """Return `Bars` if standard error is a terminal, otherwise `Lines`."""
    return Bars() if sys.stderr.isatty() else Lines()
