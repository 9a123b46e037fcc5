"""The promises of SECURITY.md: nothing is sent, and nothing is written except what the documentation names."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from tenfold.data import catalog


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["predict", "seven.png"],
        ["evaluate", "run"],
        ["export", "run", "--out", "model.onnx"],
        ["predict", "run", "seven.png", "--explain", "steps.png"],
        ["score", "run", "pictures", "--out", "scores"],
    ],
    ids=lambda words: words[0],
)
def test_no_dependency_leaves_a_file_or_reports_anything(words, run, tmp_path):
    """The wheel of onnxruntime would leave an identity of the machine here, and events for its telemetry."""
    home, temporary, here = (tmp_path / name for name in ("home", "temporary", "here"))
    for folder in (home, temporary, here / "pictures"):
        folder.mkdir(parents=True)
    run.folder.rename(here / "run")
    for path in (here / "seven.png", here / "pictures" / "seven.png"):
        Image.new("L", (40, 40), 255).save(path)
    places = {"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home / ".cache")}
    places["TENFOLD_CACHE"] = str(catalog.folder_of("mnist").parent)
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | places
    subprocess.run([sys.executable, "-m", "tenfold", *words], cwd=here, env=environment, check=True, timeout=200)
    left = [path for folder in (home, temporary) for path in folder.rglob("*") if path.is_file()]
    assert [path for path in left if "matplotlib" not in path.parts] == []  # its list of fonts, which it names itself
