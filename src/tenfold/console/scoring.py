"""A job of very many pictures as text: what the answers were, and how far its pictures drifted."""

from typing import Any

from tenfold.console.tables import table
from tenfold.score.job import Result
from tenfold.score.summary import FEWEST


def scoring(result: Result) -> str:
    """Return the counts, the drift against what the model learnt from, and what was bad."""
    said = result.summary
    pictures = said["pictures"]
    verdicts = [[name, f"{count:,}", _share(count, pictures)] for name, count in said["verdicts"].items()]
    digits = [[name, f"{count:,}", _share(count, pictures)] for name, count in said["digits"].items()]
    rows = [[one["what"], *_drift(one), _flag(one["drifted"])] for one in said["drift"]]
    blocks = [
        table(["verdict", "pictures", "share"], verdicts),
        table(["digit", "pictures", "share"], digits),
        table(["drift", "here", "in training", "distance", "limit", ""], rows),
    ]
    if sum(said["digits"].values()) < FEWEST:
        blocks.append(f"fewer than {FEWEST:,} answers differ by chance: nothing is said to have drifted")
    if said["bad"]:
        blocks.append(f"{said['bad']:,} could not be read; each with its reason: {result.folder / 'bad'}")
    if said["skipped"]:
        blocks.append(f"{said['skipped']:,} files in tar files are no pictures, and were passed over")
    speed = f"; {result.pictures:,} of them now, {result.pictures / max(result.seconds, 1e-3):,.0f} a second"
    return "\n\n".join([*blocks, f"{pictures:,} pictures answered{speed if result.pictures else ''}"])


def _share(count: int, total: int) -> str:
    return f"{count / total:.2%}" if total else "-"


def _drift(one: dict[str, Any]) -> list[str]:
    """Return a figure here, in training, their distance and its limit; shares of classes are in the table above."""
    many = isinstance(one["here"] or one["training"], dict)
    ends = ["", ""] if many else [_figure(one["what"], one[key]) for key in ("here", "training")]
    return [*ends, "not known" if one["distance"] is None else f"{one['distance']:.4f}", f"{one['limit']}"]


def _figure(what: str, value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:.2f}" if what == "mean ink" else f"{value:.2%}"


def _flag(drifted: bool | None) -> str:
    return "DRIFTED" if drifted else ""
