"""Texts in figures: headlines, titles, values, and names that people gave to runs and classes."""

from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.report.figures import style

LINE = 88  # characters of a headline that a figure has room for


def shown(name: str, longest: int = 32) -> str:
    """Return the name in one line of at most `longest` characters, with `$` escaped so that it starts no formula."""
    line = " ".join(name.split())
    short = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return short.replace("$", r"\$")


def number(value: object) -> str:
    """Return a hyperparameter's value in at most four significant digits; "-" for None."""
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def headline(figure: Figure, text: str) -> None:
    """Write the finding above all axes of a figure, in the style of a title, wrapped to its width."""
    text = "\n".join(fill(line, LINE) for line in text.split("\n"))
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold", color=style.INK)


def panel(axis: Axes, text: str) -> None:
    """Write a title above one of several axes."""
    axis.set_title(text, fontsize=9, fontweight="normal")
