"""Do what a page of the documentation says, in the current folder: commands, programs, files; see test_docs."""

import json
import sys
import traceback
from pathlib import Path

from tenfold.__main__ import main


def do(kind: str, title: str, *words: str, names: dict[str, object]) -> bool:
    """Do one step; False if it failed."""
    print(f"--- {title}", file=sys.stderr, flush=True)
    if kind == "file":
        Path(title).write_text(words[0])
        return True
    try:
        if kind == "python":
            exec(compile(words[0], title, "exec"), names)
        else:
            sys.argv = ["tenfold", *words]
            main()
    except SystemExit as end:
        return not end.code
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.path.insert(0, "")
    shared: dict[str, object] = {"__name__": "__main__"}
    sys.exit(not all(do(*step, names=shared) for step in json.loads(sys.argv[1])))
