"""Results as pictures, and one page that holds them: `figures` make pictures of arrays, `build` makes the page."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tenfold.errors import TenfoldError
from tenfold.progress import SILENT, Progress


def write(paths: Sequence[Path], out: Path, progress: Progress = SILENT) -> Path:
    """Write the report on run folders, lives, cross-validations and studies to `out`, and return that path.

    What the given runs do not allow is left out, and the page says so. Raises `UsageError` for what is no run,
    `TenfoldError` where the libraries that draw are not installed.
    """
    require_libraries()
    from tenfold.report.build import build

    return build(paths, out, progress)


def require_libraries() -> None:
    """Raise `TenfoldError` naming the extra where what draws figures and pages is not installed."""
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise TenfoldError(f"figures need {name}, which is not installed: pip install 'tenfold[report]'")
