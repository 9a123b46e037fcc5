"""Datasets, baselines and the machine as text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tenfold import baselines
from tenfold.console.tables import interval, percent, table
from tenfold.data.catalog import Dataset
from tenfold.doctor import Finding


def dataset(known: Dataset, document: Mapping[str, Any], counts: Mapping[str, Sequence[int]]) -> str:
    """Return a dataset's description, from what `--json` says of it; `counts` are pictures a class, by part."""
    lines = [
        f"{known.title} ({known.name})",
        f"by {known.credit}; licence: {known.licence}",
        f"{known.development_size:,} development pictures of 28×28 pixels, {len(known.classes)} classes; "
        f"pixel mean {document['pixel_mean']:.2f}, deviation {document['pixel_std']:.2f} (of 255)",
        f"sources: {', '.join(known.sources) or 'a folder of pictures'}",
        "the test set is sealed; `tenfold evaluate --test` opens it",
        "",
        table(
            ["class", *counts],
            [
                *([name, *(f"{part[at]:,}" for part in counts.values())] for at, name in enumerate(known.classes)),
                ["all", *(f"{sum(part):,}" for part in counts.values())],
            ],
        ),
        "",
        table(["file", "bytes", "SHA-256"], [[f.name, f"{f.size:,}", f.sha256] for f in known.files]),
    ]
    return "\n".join(lines)


def findings(found: Iterable[Finding]) -> str:
    """Return what was found on this machine, and under it what to do about it."""
    lines = []
    for one in found:
        lines.append(f"{'ok' if one.fine else '!!'}  {one.subject:<14}  {one.state}")
        if one.advice:
            lines += [f"{'':20}→ {line}" for line in one.advice.splitlines()]
    return "\n".join(lines)


def baseline_scores(entries: Iterable[dict[str, Any]]) -> str:
    """Return the comparison of classical models."""
    return table(
        ["model", "validation", "95% interval", "fit s", "predict s", "MB", "published (test)"],
        [
            [
                baselines.BASELINES[entry["name"]].title,
                percent(entry),
                interval(entry),
                f"{entry['train_seconds']:.1f}",
                f"{entry['predict_seconds']:.1f}",
                f"{entry['bytes'] / 1e6:.2f}",
                entry["published"] or "-",
            ]
            for entry in entries
        ],
    )
