"""Draw the page of `tenfold serve` and a confusion matrix: `python -m benchmarks.pictures runs/life-1.json`.

Without a file from `tenfold run`, that command runs first.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import expect, sync_playwright

from benchmarks import provenance
from benchmarks.curve import DPI, write
from tenfold import lifecycle, progress
from tenfold.data import catalog
from tenfold.files import make_folder
from tenfold.report.figures import confusion, style
from tenfold.report.material import gather

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Draw, and say on what it was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("life", type=Path, nargs="?", help="what `tenfold run` wrote")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    words = parser.parse_args()
    print(provenance())
    life = words.life or lifecycle.live(progress=progress.for_terminal()).file
    found = gather([life])
    assert found.main is not None
    classes = catalog.find(found.main.run.recipe.dataset).classes
    make_folder(words.out)
    matrix = confusion.matrix(found.main.score.matrix, classes)
    write(style.png(matrix, DPI), words.out / "confusion.png")
    write(_pad(found.main.run.folder), words.out / "pad.png")


def _pad(model: Path) -> bytes:
    """Return the page of `tenfold serve` as a PNG file, with a 3 drawn on its pad and the model's answer."""
    bows = [(0.34, np.linspace(-150, 90, 14)), (0.66, np.linspace(-90, 150, 14))]  # the middle's height, degrees
    stroke = [
        (0.47 + 0.17 * float(np.cos(angle)), middle + 0.16 * float(np.sin(angle)))
        for middle, degrees in bows
        for angle in np.radians(degrees)
    ]
    command = [sys.executable, "-m", "tenfold", "serve", str(model), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        try:
            assert service.stdout is not None
            address = re.search(r"http://\S+?(?=;)", service.stdout.readline())
            assert address is not None, "the service did not start"
            return _drawn(address[0], stroke)
        finally:
            service.terminate()


def _drawn(address: str, stroke: list[tuple[float, float]]) -> bytes:
    """Return the page after a stroke, whose points are shares of the pad's sides."""
    chromium = next(path for name in BROWSERS if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=1.5)
        page.goto(address)
        expect(page.locator("#bars li")).to_have_count(10)
        pad = page.locator("#pad").bounding_box()
        assert pad is not None
        for number, (x, y) in enumerate(stroke):
            page.mouse.move(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"])
            if not number:
                page.mouse.down()
        page.mouse.up()
        expect(page.locator("#words")).not_to_have_text("Waiting for a digit.")
        page.mouse.move(0, 0)
        page.wait_for_load_state("networkidle")
        return page.screenshot(animations="disabled")


if __name__ == "__main__":
    main()
