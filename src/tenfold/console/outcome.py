"""What comes out at the end as text: a life, an exported file, from when its answers are sure."""

from typing import Any

from tenfold.console.tables import interval, percent, table
from tenfold.export import Export
from tenfold.lifecycle import Life


def life(result: Life) -> str:
    """Return the table that `tenfold run` ends with, and where everything lies."""
    rows = [
        [
            ("→ " if row.get("chosen") else "  ") + row["model"],
            f"{row['parameters']:,}" if "parameters" in row else "-",
            f"{row['train_seconds']:.1f}",
            percent(row.get("validation")),
            percent(row.get("test")),
            interval(row.get("test") or row.get("validation")) + ("" if "test" in row else " (validation)"),
        ]
        for row in result.table()
    ]
    test = next(entry for entry in result.chosen.scores if entry["split"] == "test")
    return "\n".join(
        [
            table(["  model", "parameters", "seconds", "validation", "test", "95% interval"], rows),
            "",
            f"chosen on validation: {result.chosen.name}; "
            f"{test['correct']:,} of {test['total']:,} test pictures right: {percent(test)} ({interval(test)})",
        ]
    )


def export(result: Export) -> str:
    """Return what is known of an exported file."""
    gate, cost = result.gate, result.cost
    ties = f", but for {gate.near_ties} near-ties" if gate.near_ties else ""
    lines = [
        f"{result.precision}, {result.bytes:,} bytes",
        f"in float32 it predicts what {gate.framework} predicts on {gate.pictures:,} pictures{ties}; "
        f"logits differ by {gate.largest_logit_difference:.1g} at most",
    ]
    if cost:
        lines.append(
            f"{result.precision} instead of float32: {0 - cost.points_lost:+.2f} points of accuracy "
            f"(float32 has {cost.float32_accuracy:.2%} on {cost.pictures:,} validation pictures)"
        )
    lines += [
        f"{score['split']}: {score['correct']:,} of {score['total']:,} right, {percent(score)} ({interval(score)})"
        for score in result.scores
    ]
    if result.temperature is None:
        lines.append("its probabilities are not calibrated: the run kept no validation pictures")
    else:
        lines.append(f"its probabilities are calibrated, at a temperature of {result.temperature:.3f}")
    lines.append(sure(result.threshold))
    return "\n".join(lines)


def sure(threshold: dict[str, Any] | None) -> str:
    """Return from when an answer is sure, and what shows it."""
    if threshold is None:
        return "no answer is sure: its validation pictures cannot show from when 99.9% are right"
    return (
        f"sure from {threshold['confidence']:.2%}: of {threshold['answered']:,} such answers to "
        f"{threshold['total']:,} validation pictures {threshold['correct']:,} were right"
    )
