"""The house as the design has it: who imports what, and documents that say what is there."""

import subprocess
import sys
from pathlib import Path

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


def test_no_source_file_is_longer_than_two_ideas():
    sources = [p for p in _tracked() if p.startswith("src/") and not p.startswith("src/tenfold/models/")]
    long = {p: n for p in sources if (n := len((ROOT / p).read_text().splitlines())) > 300}
    assert long == {}
