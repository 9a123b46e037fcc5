"""The program: `tenfold`, or `python -m tenfold`.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 data missing or damaged, 130 interrupted.
"""

import gc
import io
import signal
from typing import Any

import typer

from tenfold import terminal
from tenfold.errors import InterruptError, TenfoldError

# Python looks for garbage after so many new objects instead of 700, because imports make hundreds of thousands.
OBJECTS = 100_000
WrongUsage: Any = typer.BadParameter.__bases__[0]  # the parser's errors: an unknown option, a missing argument


def main() -> None:
    """Run the command line. Expected errors become one or two lines and an exit status."""
    terminal.prepare()
    signal.signal(signal.SIGTERM, _stop)
    gc.set_threshold(OBJECTS)
    status = _run()
    gc.freeze()  # at exit Python looks for garbage once more, which takes 0.3 s once PyTorch is imported
    if not terminal.finish():
        status = status or TenfoldError.status
    raise SystemExit(status)


def _run() -> int:
    """Run the requested verb and return the exit status."""
    try:
        from tenfold.cli import app

        return int(app(standalone_mode=False) or 0)
    except WrongUsage as error:
        with io.StringIO() as text:
            error.show(text)
            return _failed(text.getvalue().rstrip(), error.exit_code)
    except TenfoldError as error:
        return _failed(f"tenfold: {error}", error.status)
    except KeyboardInterrupt:
        return InterruptError.status
    except MemoryError:
        return _failed("tenfold: out of memory; free some, or raise the limit of `ulimit -v`", 1)
    except OSError as error:  # errors of the operating system; anything else is a bug and shows its traceback
        reason = error.strerror or str(error) or type(error).__name__
        return _failed(f"tenfold: {error.filename}: {reason}" if error.filename else f"tenfold: {reason}", 1)


def _failed(message: str, status: int) -> int:
    terminal.say(message)
    return status


def _stop(*_: object) -> None:
    """Stop as after Ctrl-C, even where Ctrl-C is ignored, as for `tenfold … &` in a script."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
