"""Doubtful labels: the pictures whose labels the models doubt most, and how many planted errors they find."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tenfold import doubt
from tenfold.report.figures import style
from tenfold.report.figures.data import captioned
from tenfold.report.figures.style import headline, shown

SHOWN = 40  # pictures in all


def doubtful(images: np.ndarray, given: np.ndarray, suggested: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the first 40 of a ranked list `[M]`: uint8 images `[M, 28, 28]`, their labels and what models suggest."""
    names = [shown(name, 14) for name in classes]
    between = "\n→ " if max(map(len, classes)) > 3 else " → "  # "Ankle boot → Sneaker" takes two lines
    pairs = zip(given[:SHOWN], suggested[:SHOWN], strict=True)
    captions = [f"{names[before]}{between}{names[after]}" for before, after in pairs]
    return captioned(images[:SHOWN], captions, _finding(given, suggested, classes))


def planted(found: np.ndarray, total: int) -> Figure:
    """Draw precision and recall along a ranked list; `found` bool `[M]` says which of it are of the `total` planted."""
    precision, recall = doubt.precision_and_recall(found, total)
    figure, ((axis,),) = style.new(3.3)
    length = np.arange(1, len(found) + 1)
    axis.plot(length, precision, color=style.COLOURS[0], label="precision: of the list so far, wrong on purpose")
    label = "recall: of those wrong on purpose, in the list so far"
    axis.plot(length, recall, "--", color=style.COLOURS[4], label=label)
    axis.axvline(total, color=style.MUTED, linewidth=0.8, linestyle=":")
    axis.annotate(f"{total:,} planted ", (total, 0.5), color=style.MUTED, fontsize=8, ha="right")
    axis.set(xlim=(0, None), ylim=(0, 1.03), xlabel="labels of the list, the most doubtful first", ylabel="share")
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.grid(axis="y")
    style.legend(figure, axis, 1)
    hits = int(found.sum())
    text = f"{hits:,} of {total:,} planted wrong labels are found ({hits / total:.0%}), in a list of {len(found):,}"
    headline(figure, text)
    return figure


def _finding(given: np.ndarray, suggested: np.ndarray, classes: Sequence[str]) -> str:
    if not len(given):
        return "No label is in doubt"
    what = "1 label is" if len(given) == 1 else f"{len(given):,} labels are"
    pairs = Counter(zip(given.tolist(), suggested.tolist(), strict=True))
    times = max(pairs.values())
    most = [f"{shown(classes[a])} that looks like {shown(classes[b])}" for (a, b), n in pairs.items() if n == times]
    if times == 1:  # the list is ranked
        return f"{what} in doubt; most of all {most[0]}"
    return f"{what} in doubt; most often {style.listed(most)}: {times:,}{' each' if len(most) > 1 else ''}"
