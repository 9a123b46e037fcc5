"""Call every verb once in an environment: it works, or says in one line which extra it needs.

    python tests/ways_in.py .venv/bin/python train report

checks the environment of that Python, in which `pip install` brought these extras. This file needs nothing but the
standard library, so that the environment can be one that has only what a user installs.
"""

import argparse
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import urllib.request
from collections.abc import Collection
from pathlib import Path

SMALL = [
    word for key in ("train_size=500", "validation_size=500", "network.width=4", "epochs=1") for word in ("--set", key)
]
# Each verb with a small job, and the extras that it needs. They run in this order, in one folder.
JOBS: list[tuple[list[str], list[str]]] = [
    (["--version"], []),
    (["data"], []),
    (["data", "--figure", "classes.png"], ["report"]),
    (["baseline", "ridge", "--train-size", "1000"], ["train"]),
    (["train", *SMALL, "--out", "trained"], ["train"]),
    (["train", *SMALL, "--out", "logged", "--tensorboard"], ["tensorboard", "train"]),
    (["train", *SMALL, "--out", "keras", "--framework", "tensorflow"], ["tensorflow"]),
    (["tune", *SMALL, "--trials", "1", "--jobs", "1", "--study", "small"], ["tune"]),
    (["tune", *SMALL, "--storage", "postgresql://127.0.0.1:1/none"], ["tune", "postgres"]),
    (["crossval", *SMALL, "--folds", "2", "--out", "crossed"], ["train"]),
    (["evaluate", "RUN"], []),
    (["evaluate", "--test", "RUN"], []),
    (["report", "RUN", "--out", "page.html"], ["report"]),
    (["export", "RUN", "--out", "model.onnx"], []),
    (["predict", "seven.png"], []),
    (["score", "pictures", "--out", "scores", "--jobs", "1"], ["score"]),
    (["score", "pictures", "--out", "clustered", "--scheduler", "local", "--jobs", "1"], ["score", "cluster"]),
    (["serve", "--port", "0"], ["serve"]),
    (["run", "--minutes", "0.02"], ["train", "report"]),
    (["doctor"], []),
]
UNREACHABLE = "postgresql://127.0.0.1:1/none"  # a server that is not there: with its extra, that is the error
SEVEN = """
from pathlib import Path
from PIL import Image, ImageDraw
picture = Image.new("L", (200, 200), 255)
ImageDraw.Draw(picture).line([(50, 50), (150, 50), (90, 160)], fill=0, width=14)
Path("pictures").mkdir()
picture.save("seven.png")
picture.save("pictures/seven.png")
"""


def problems(
    python: str, extras: Collection[str], run: Path | None = None, here: bool = False, about: Collection[str] = ()
) -> list[str]:
    """Return what is wrong with the verbs where `python` has these extras; `run` is a run folder to work on.

    Without one, the run that `train` made is taken. With `here`, all are called in this process, which is faster. With
    `about`, only the jobs that need all of these extras are done.
    """
    found = []
    call = _call_here if here else _call
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        subprocess.run([python, "-c", SEVEN], check=True)
        for words, needs in JOBS:
            if not set(about) <= set(needs):
                continue
            words = [str(run or "trained") if word == "RUN" else word for word in words]
            before = _files()
            status, output, errors = call(python, words)
            title = f"{' '.join(words)}: status {status}\n{output}{errors}"
            if missing := [extra for extra in needs if extra not in extras]:
                hints = re.findall(r"pip install -e '\.\[(\w+)\]'", errors)
                left = _files() - before
                if status != 1 or output or len(errors.splitlines()) != 1 or hints != missing[:1] or left:
                    found.append(f"{title}needs {missing[0]}; it left {sorted(left)}")
            elif UNREACHABLE in words:
                if status != 1 or "Traceback" in errors or len(errors.splitlines()) > 2:
                    found.append(title)
            elif status != 0:
                found.append(title)
    return found


def _files() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def _call(python: str, words: list[str]) -> tuple[int, str, str]:
    """Run the program and return its exit status, output and errors; the service is asked once and stopped."""
    command = [python, "-m", "tenfold", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = ""
        try:
            if words[0] == "serve":
                line = _asked(process.stdout.readline())
                process.terminate()
            output, errors = process.communicate(timeout=300)
        except BaseException:
            process.kill()
            raise
        return process.returncode, line + output, errors


def _call_here(_: str, words: list[str]) -> tuple[int, str, str]:
    """Do the same in this process."""
    from tenfold.__main__ import main

    sys.argv = ["tenfold", *words]
    output, errors = io.StringIO(), io.StringIO()
    asking = threading.Thread(target=_ask_here, args=(output,), daemon=True)
    status: int | str | None = 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        if words[0] == "serve":
            asking.start()
        try:
            main()
        except SystemExit as end:
            status = end.code
        except Exception:
            traceback.print_exc()
            status = 1
    return int(status or 0), "" if asking.is_alive() else output.getvalue(), errors.getvalue()


def _ask_here(output: io.StringIO) -> None:
    """Stop the service in this process once it has answered."""
    while "http" not in output.getvalue():
        threading.Event().wait(0.05)
    _asked(output.getvalue())
    output.truncate(0)
    os.kill(os.getpid(), signal.SIGTERM)


def _asked(line: str) -> str:
    """Ask the service whose address is in this line for its health; return the line if there is no address."""
    if not (address := re.search(r"http://\S+(?=;)", line)):
        return line
    with urllib.request.urlopen(f"{address[0]}/health", timeout=30) as answer:
        json.load(answer)
    return ""


def main() -> None:
    """Check an environment, print what is wrong, and fail if anything is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="the Python of the environment")
    parser.add_argument("extras", nargs="*", help="the extras that were installed")
    parser.add_argument("--run", type=Path, help="a run folder to work on")
    parser.add_argument("--here", action="store_true", help="call the verbs in this process")
    parser.add_argument("--about", nargs="+", default=(), help="do only the jobs that need all of these extras")
    words = parser.parse_args()
    found = problems(os.path.abspath(words.python), words.extras, words.run, words.here, words.about)
    print(*found, f"{len(JOBS)} jobs, {len(found)} problems", sep="\n\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
