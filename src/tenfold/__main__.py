"""The program: `tenfold`, or `python -m tenfold`.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 data missing or damaged, 130 interrupted.
"""

import io
import signal
import sys
from typing import NoReturn

from tenfold.cli import app
from tenfold.errors import TenfoldError


def main() -> None:
    """Run the command line; expected errors become a line or two and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no result is lost for a symbol that a code page lacks
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app()
    except TenfoldError as error:
        _fail(str(error), error.status)
    except OSError as error:  # the file system's refusals; anything else is a bug and shows its traceback
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", TenfoldError.status)


def _fail(message: str, status: int) -> NoReturn:
    print(f"tenfold: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
