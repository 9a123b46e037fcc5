"""Results as pictures, and one page that holds them: `figures` make pictures of arrays, `build` makes the page."""

from collections.abc import Sequence
from pathlib import Path

from tenfold import extras
from tenfold.progress import SILENT, Progress


def write(paths: Sequence[Path], out: Path, progress: Progress = SILENT) -> Path:
    """Write the report on run folders, lives, cross-validations and studies to `out`, and return that path.

    What the given runs do not allow is left out, and the page says so. Raises `UsageError` for what is no run,
    `TenfoldError` where the libraries that draw are not installed.
    """
    extras.require("report", "the report")
    from tenfold.report.build import build

    return build(paths, out, progress)
