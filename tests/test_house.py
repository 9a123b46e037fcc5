"""The house as the design has it: who imports what, and documents that say what is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "src").rglob("*.py"))
    if path.name != "__main__.py"
]


def _tracked():
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_no_module_imports_a_framework_but_its_own_files():
    others = [n for n in MODULES if not n.startswith(("tenfold.frameworks.pytorch", "tenfold.frameworks.keras"))]
    program = f"import importlib, sys\nfor name in {others}: importlib.import_module(name)\n"
    program += "print(sorted({'torch', 'sklearn', 'tensorflow', 'keras'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("-run", r"torch==2\.13\.0"),
        ("-run", r"-e \."),
        ("", "-r requirements-run.txt"),
        ("-dev", "-r requirements.txt"),
    ],
)
def test_requirements_pin_what_pip_must_take(file, pattern):
    assert re.search(rf"^{pattern}$", (ROOT / f"requirements{file}.txt").read_text(), re.MULTILINE)


def test_no_source_file_is_longer_than_two_ideas():
    sources = [p for p in _tracked() if p.startswith("src/") and not p.startswith("src/tenfold/models/")]
    long = {p: n for p in sources if (n := len((ROOT / p).read_text().splitlines())) > 300}
    assert long == {}
