"""`tenfold export`: a run as one ONNX file, checked against the framework that trained it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenfold.cli._options import Json
from tenfold.cli._output import interval, percent, show, sure, wrote
from tenfold.errors import UsageError

if TYPE_CHECKING:
    from tenfold.export import Export


def export(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    out: Annotated[Path, typer.Option(help="The file to write; must not exist.")] = Path("model.onnx"),
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights and activations: a quarter of the size.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="16-bit floats: half the size.")] = False,
    as_json: Json = False,
) -> None:
    """Export a run to ONNX, checked against the trained model.

    Example: tenfold export runs/quick-seed0 --out model.onnx
    """
    from tenfold import export as stage
    from tenfold import progress
    from tenfold.runs import Run

    if int8 and fp16:
        raise UsageError("--int8 and --fp16 cannot be combined; choose one")
    precision = "int8" if int8 else "float16" if fp16 else "float32"
    result = stage.export(Run(run), out, precision, progress.for_terminal())
    show(as_json, lambda: text(result), result.document())
    wrote(as_json, out)


def text(result: "Export") -> str:
    """Return size, agreement with the framework, accuracy and calibration of an exported file."""
    from tenfold.scores import FEWEST_WRONG

    gate, cost = result.gate, result.cost
    ties = f", except for {gate.near_ties} near-ties" if gate.near_ties else ""
    lines = [
        f"{result.precision}, {result.bytes:,} bytes",
        f"in float32 it predicts the same as {gate.framework} on {gate.pictures:,} pictures{ties}; "
        f"logits differ by at most {gate.largest_logit_difference:.1g}",
    ]
    if cost:
        lines.append(
            f"{result.precision} instead of float32: {0 - cost.points_lost:+.2f} points of accuracy "
            f"(float32 has {cost.float32_accuracy:.2%} on {cost.pictures:,} validation pictures)"
        )
    lines += [
        f"{score.split}: {score.correct:,} of {score.total:,} right, {percent(score)} ({interval(score)})"
        for score in result.scores
    ]
    if result.temperature is None:
        wrong = f"fewer than {FEWEST_WRONG} validation answers are wrong"
        few = wrong if result.scores else "there are no validation pictures"
        lines.append(f"its probabilities are not calibrated: {few}, so no temperature can be fitted")
    else:
        lines.append(f"its probabilities are calibrated, at a temperature of {result.temperature:.3f}")
    lines.append(sure(result.threshold))
    return "\n".join(lines)
