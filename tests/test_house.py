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


def test_the_base_install_evaluates_without_pytorch_or_scikit_learn(run):
    program = """
import sys
from pathlib import Path
class NotInstalled:
    def find_spec(self, name, *_):
        if name in ("torch", "tensorflow", "keras", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from tenfold import evaluate
from tenfold.runs import Run
print(evaluate.evaluate([Run(Path(sys.argv[1]))])[0].entry["total"])
"""
    command = [sys.executable, "-c", program, str(run.folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1000\n"


def test_the_readme_maps_every_source_file():
    readme = (ROOT / "README.md").read_text()
    mapped = re.findall(r"^\| `([^`]+)` \|", readme, re.MULTILINE)
    assert all((ROOT / path).exists() for path in mapped)
    sources = [path for path in _tracked() if re.match(r"(src|benchmarks)/.*\.py$", path)]
    missing = [path for path in sources if path not in mapped and not path.endswith("__init__.py")]
    assert missing == []


TESTED_WITH = {
    "answers": "predict",
    "follow": "parallel",
    "processes": "parallel",
    "errors": "cli",
    "frameworks.pytorch.machine": "pytorch",
    "frameworks.pytorch.modules": "pytorch",
    "frameworks.pytorch.optimizer": "pytorch",
    "frameworks.pytorch.training": "pytorch",
    "report.figures.style": "figures_style",
    "report.figures.texts": "figures_network",
    "report.thumbnails": "thumbnails",
    "report.verbs": "cli",
}


def test_every_module_has_its_test_file():
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").rglob("test_*.py")}
    for name in MODULES:
        module = name.removeprefix("tenfold").removeprefix(".")
        last = module.rpartition(".")[2]
        if "." not in module and (ROOT / f"src/tenfold/{module}/__init__.py").is_file():
            continue  # a folder: its files have theirs
        if module in ("frameworks.pytorch", "report.figures", "report.sections"):
            continue
        if module.startswith("frameworks.keras."):
            last = "keras"
        if module in TESTED_WITH:
            last = TESTED_WITH[module]
        elif module.startswith("report.figures."):
            last = f"figures_{last}"
        elif module.startswith(("report.", "cli.", "console.", "networks.", "score.")):
            last = module.partition(".")[0]
        assert last in tested, module


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
