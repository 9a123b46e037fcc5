"""The figures and tables of README and docs/benchmarks.md, from `results.json`: `python -m benchmarks.curve`.

The figures show accuracy on MNIST's test set against the seconds of training and against the parameters: a line through
the best of ours, and each published recipe by itself. README's table has five records, that of docs/benchmarks.md
has all.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from benchmarks import results
from benchmarks.results import Record
from tenfold.files import atomic, make_folder
from tenfold.report.figures import baselines, style
from tenfold.report.figures.style import headline

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- results -->", "<!-- /results -->"  # the tables stand between these marks
DPI, COLOURS = 160, 64  # sharp at twice the width of a page; few colours make small files
SECONDS = {0.5: "0.5 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "60 min"}
GOALS = (0.99, 0.995, 0.997)  # the headlines say what it takes to reach them
PARAMETERS = {1e4: "10,000", 1e5: "100,000", 1e6: "1 million"}
BY_SECONDS, BY_PARAMETERS = "accuracy-against-seconds.png", "accuracy-against-parameters.png"
HEADER = (
    "recipe | dataset | parameters | multiply-adds | seeds | test accuracy: mean ± sd (95% interval of the mean) | "
    "seconds of training: median (min to max) | seconds of the whole command | share of peak"
)
SUMMARY_HEADER = "recipe | test accuracy | seconds of training | parameters | seeds"
SUMMARY = (  # titles of MNIST's records in README, in this order
    *("quick", "standard", "best, on 55,000 pictures", "best, on 55,000 pictures, committee of 5"),
    "published one-epoch recipe",
)
NOTE = (
    "Each design was chosen on validation pictures, except where a footnote says otherwise. It was then frozen and "
    "trained on all 60,000 pictures, unless its title says otherwise, before its test score was measured. Accuracies "
    "are means over all seeds at the final epoch. The clock starts with the pictures in memory and ends with trained "
    "weights. Share of peak is the share of the machine's fastest matrix product. Published recipes were rewritten in "
    "PyTorch and run in float32; their pictures were converted to floats before the clock started."
)


def train_seconds(record: Record) -> float:
    """Return the median of its seconds of training."""
    return float(record["train_seconds"]["median"])


def parameters(record: Record) -> float:
    """Return how many its network has."""
    return float(record["parameters"])


def against(
    records: Sequence[Record],
    cost: Callable[[Record], float],
    label: str,
    marks: dict[float, str],
    worded: Callable[[float], str],
    legend: str,
) -> Figure:
    """Draw the test accuracies of MNIST's records against what they cost, on an axis with these marks.

    `worded` is how the headline says a cost; the `legend` stands in that corner.
    """
    mine = [record for record in records if record["dataset"] == "mnist"]
    kinds = (
        ("Tenfold", "o", style.COLOURS[0], [record for record in mine if "source" not in record], True),
        ("published", "s", style.COLOURS[4], [record for record in mine if "source" in record], False),
    )
    series = [
        baselines.Series(name, marker, colour, [point(one, cost(one)) for one in members], joined)
        for name, marker, colour, members, joined in kinds
        if members
    ]
    reached = [cost(record) for record in mine]
    limits = min(*marks, *reached) / 1.2, max(*marks, *reached) * 1.2
    label = f"{label}, logarithmic; bars: 95% interval of the mean"
    figure = baselines.accuracy_against(series, limits, label, marks.__getitem__, list(marks), legend)
    enough = {goal: [one.cost for one in series[0].points if one.accuracy >= goal] for goal in GOALS}
    costs = ", ".join(f"{100 * goal:g}% {worded(min(some))}" for goal, some in enough.items() if some)
    headline(figure, f"Test accuracy: {costs}")
    return figure


def in_words(seconds: float) -> str:
    """Return how long a training takes, for a headline."""
    return f"in {seconds:.2g} s" if seconds < 100 else f"in {seconds / 60:.0f} min"


def point(record: Record, cost: float) -> baselines.Point:
    """Return a record as a point, whose name says if it was measured on one core of several."""
    accuracy = record["accuracy"]
    name = record["title"] + (", one core" if on_one_core(record) else "")
    return baselines.Point(name, cost, accuracy["mean"], accuracy["interval"] and tuple(accuracy["interval"]))


def summary(records: Sequence[Record]) -> str:
    """Return README's table: the records of MNIST that `SUMMARY` names."""
    known = {record["title"]: record for record in records if record["dataset"] == "mnist"}
    rows = [summary_row(known[title]) for title in SUMMARY if title in known]
    return "\n".join([f"| {SUMMARY_HEADER} |", "|---|---:|---:|---:|---:|", *rows])


def summary_row(record: Record) -> str:
    """Return the line of a record in README's table."""
    accuracy, seconds = record["accuracy"], train_seconds(record)
    spread = "" if accuracy["sd"] is None else f" ± {accuracy['sd']:.2%}"
    digits = 2 if seconds < 10 else 1 if seconds < 100 else 0
    took = f"{seconds:,.{digits}f}" + (", one core" if on_one_core(record) else "")
    cells = (linked(record), f"{accuracy['mean']:.2%}{spread}", took, f"{record['parameters']:,}", f"{record['seeds']}")
    return f"| {' | '.join(cells)} |"


def table(records: Sequence[Record]) -> str:
    """Return the table of docs/benchmarks.md: all records, the machines that they were measured on, and the rules."""
    rows = sorted(
        records, key=lambda one: (one["dataset"] != "mnist", one["dataset"], "source" in one, train_seconds(one))
    )
    rule = "|".join(["---"] * 2 + ["---:"] * 7)
    places: dict[str, list[str]] = {}
    for record in rows:
        places.setdefault(place(record), []).append(f"{record['title']} ({record['dataset']})")
    lines = [f"- {', '.join(titles)}: {where}" for where, titles in places.items()]
    return "\n".join([f"| {HEADER} |", f"|{rule}|", *map(row, rows), "", NOTE, "", *lines])


def row(record: Record) -> str:
    """Return the line of a record in the table of docs/benchmarks.md."""
    whole = record["command_seconds"]
    cells = (
        linked(record),
        record["dataset"],
        f"{record['parameters']:,}",
        f"{record['multiply_adds']:,}",
        f"{record['seeds']}",
        results.spread(record["accuracy"]),
        results.seconds(record["train_seconds"]),
        results.seconds(whole) if whole else "-",
        f"{record['share_of_peak']:.0%}",
    )
    return f"| {' | '.join(cells)} |"


def linked(record: Record) -> str:
    """Return the title of a record, as a link if it is a published recipe."""
    return f"[{record['title']}](https://{record['source']})" if "source" in record else str(record["title"])


def on_one_core(record: Record) -> bool:
    """Return whether a record was measured on one core of several."""
    return bool(record["machine"]["threads"] == 1 < record["machine"]["cores"])


def place(record: Record) -> str:
    """Return the machine, threads, precision and commit of a record."""
    here = record["machine"]
    threads = "1 thread" if here["threads"] == 1 else f"{here['threads']} threads"
    return f"{here['processor']}, {here['cores']} cores, {threads}, {here['precision']}; commit {record['commit']}"


def rewritten(page: str, content: str) -> str:
    """Return a page with this content between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


def write(picture: bytes, path: Path) -> None:
    """Write a PNG file with fewer colours."""
    small = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with atomic(path) as file:
        small.save(file, "png", optimize=True)
    print(f"wrote {path}, {path.stat().st_size:,} bytes")


def main() -> None:
    """Draw both figures and rewrite both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=results.FILE)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    words = parser.parse_args()
    records = results.read(words.results)
    if not any(record["dataset"] == "mnist" for record in records):
        raise SystemExit(f"{words.results} has no records of MNIST yet; python -m benchmarks.recipes quick makes one")
    make_folder(words.out)
    by_seconds = against(records, train_seconds, "seconds of training", SECONDS, in_words, "lower right")
    write(style.png(by_seconds, DPI), words.out / BY_SECONDS)
    by_parameters = against(
        records, parameters, "parameters", PARAMETERS, "with {:,.0f} parameters".format, "lower left"
    )
    write(style.png(by_parameters, DPI), words.out / BY_PARAMETERS)
    for path, content in ((words.readme, summary(records)), (words.page, table(records))):
        page = rewritten(path.read_text(), content)
        with atomic(path) as file:
            file.write(page.encode())
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
