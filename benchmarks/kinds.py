"""Kinds of pictures that people hand in, and how each is read: `python -m benchmarks.kinds [--figure FILE.png]`.

Each kind is made of the same validation pictures of MNIST, written to files, and read as `tenfold predict` reads files,
by the bundled model. Where a kind shows no single digit, every answer that is sure is wrong.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from benchmarks import provenance, sheets
from benchmarks.curve import DPI, write
from tenfold import predict
from tenfold.data import catalog, split
from tenfold.handwriting.grey import SIDE
from tenfold.predict import FileResult, Reader
from tenfold.report.figures import style

FIRST = 1_000  # the reader was designed on the pictures before it
COLUMNS = 7  # of the figure
PENS = [(25, 50, 150), (190, 30, 40), (20, 120, 60), (110, 40, 140), (225, 120, 20)]  # blue, red, green, violet, orange
PAPERS = [(250, 230, 130), (250, 190, 205), (165, 215, 165), (165, 200, 240), (235, 200, 160)]
LINES = (150, 175, 205)  # ruled and squared paper
LETTERS = "ACEFHKMNPRTUVWXYadefhkmnprtuvwxy?!&%#+@*"  # but those that look like a digit


@dataclass(frozen=True)
class Kind:
    """A kind of picture: its name, and how it is drawn of an MNIST digit, as uint8 `[H, W]` or `[H, W, 3]`.

    `labels` are the digits it is made of; `single` is False where no single digit is to be seen.
    """

    name: str
    draw: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    labels: str = "0123456789"
    single: bool = True


def sheet(digit: np.ndarray, rng: np.random.Generator, least: float = 1.3, most: float = 2) -> np.ndarray:
    """Return a digit drawn with a pen, 5 to 10 times as large, on a sheet of `least` to `most` times its size.

    It is the coverage with ink, 0 to 255; strokes of MNIST, which fade towards their edges, are as dark as a pen's.
    """
    coverage = sheets.pixels((sheets.resized(digit, rng.uniform(5, 10)).astype(np.float64) - 60) * 3)
    return sheets.placed(coverage, rng, rng.uniform(least, most, 2))


def inked(coverage: np.ndarray, ink: object = (40, 40, 45), paper: object = (255, 255, 255)) -> np.ndarray:
    """Return ink of one colour on paper of another, or of colours `[H, W, 3]`, from a coverage of 0 to 255."""
    share = coverage[..., None] / 255
    return sheets.pixels(np.asarray(paper) * (1 - share) + np.asarray(ink) * share)


def photographed(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a scene `[H, W, 3]` as a phone takes it: unevenly lit, dark in the corners, blurred, noisy, a JPEG."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in scene.shape[:2]), indexing="ij")
    dark_corners = 1 - rng.uniform(0.1, 0.25) * (x**2 + y**2)
    lit = scene * (sheets.light(scene.shape[:2], rng, rng.uniform(0.5, 0.8)) * dark_corners)[..., None]
    blurred = ndimage.gaussian_filter(lit, (sigma := rng.uniform(0.7, 2), sigma, 0))
    noisy = blurred + rng.normal(size=scene.shape) * rng.uniform(2, 6)
    return sheets.jpeg(sheets.pixels(noisy), int(rng.integers(50, 81)))


def plain(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw with a black pen on white paper."""
    return inked(sheet(digit, rng))


def desk(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lay a sheet on a darker desk, straight."""
    return turned_desk(digit, rng, 0)


def turned_desk(digit: np.ndarray, rng: np.random.Generator, tilt: float | None = None) -> np.ndarray:
    """Lay it there turned, by 10 to 15 degrees if no `tilt` is given."""
    tilt = rng.uniform(10, 15) * rng.choice([-1, 1]) if tilt is None else tilt
    paper = sheets.pixels(rng.uniform(190, 235) - 0.6 * sheet(digit, rng))
    taken = sheets.on_desk(paper, int(rng.uniform(0.1, 0.5) * max(paper.shape)), int(rng.integers(20, 111)), tilt)
    return sheets.pixels(taken + rng.normal(size=taken.shape) * rng.uniform(0, 4))


def phone(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take a photograph with a phone in bad light."""
    return photographed(inked(sheet(digit, rng), (50, 50, 60), (235, 228, 215)), rng)


def ruled(
    digit: np.ndarray, rng: np.random.Generator, least: float = 0.7, most: float = 1.5, squares: bool = False
) -> np.ndarray:
    """Draw on paper with lines from `least` to `most` times the digit's height apart, or squares, tilted a little."""
    coverage = sheet(digit, rng)
    paper = Image.new("RGB", coverage.shape[::-1], "white")
    height = len(sheets.cut_out(coverage))
    step, thick = int(rng.uniform(least, most) * height), max(1, round(rng.uniform(0.01, 0.025) * height))
    tilt, pencil = rng.uniform(-0.03, 0.03), ImageDraw.Draw(paper)
    for at in range(-int(rng.integers(0, step)), paper.height + step, step):
        pencil.line((0, at, paper.width, at + tilt * paper.width), LINES, thick)
    for at in range(-int(rng.integers(0, step)), paper.width + step, step) if squares else ():
        pencil.line((at, 0, at - tilt * paper.height, paper.height), LINES, thick)
    return inked(coverage, paper=paper)


def squared(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw on squared paper, a digit 1.2 to 2.2 squares high."""
    return ruled(digit, rng, 0.45, 0.85, squares=True)


def underlined(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a line under the digit, with the same pen."""
    coverage = sheet(digit, rng, 1.5)
    rows, columns = (np.flatnonzero((coverage > 50).any(axis)) for axis in (1, 0))
    height, middle = rows[-1] - rows[0], columns.mean()
    y = rows[-1] + height * rng.uniform(0.12, 0.3)
    half, slope = height * rng.uniform(0.3, 0.7), height * rng.uniform(-0.03, 0.03)
    line = Image.fromarray(np.pad(coverage, ((0, height // 2), (0, 0))))
    ends = (middle - half, y - slope, middle + half, y + slope)
    ImageDraw.Draw(line).line(ends, 255, max(1, round(0.08 * height)))
    return inked(np.asarray(line))


def coloured(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw with a blue, red, green, violet or orange pen on white paper."""
    return inked(sheet(digit, rng), rng.choice(PENS))


def on_coloured(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw with the same pens on yellow, pink, green, blue or brown paper."""
    return inked(sheet(digit, rng), rng.choice(PENS), rng.choice(PAPERS))


def faint(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw with a faint pencil: a tenth to a quarter of the ink."""
    coverage = sheet(digit, rng) / 255
    grey = 240 * (1 - coverage * sheets.grain(coverage.shape, rng, 0.1, 0.25, 0.03))
    return sheets.pixels(grey + rng.normal(size=grey.shape) * 2)


def half_faint(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leave a fifth to a half of the ink in one half of the digit."""
    grey = 255 - sheet(digit, rng, 1, 1)
    turns = int(rng.integers(4))
    return np.rot90(sheets.half_faint(np.rot90(grey, turns), rng.uniform(0.2, 0.5)), -turns)


def in_pieces(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Break the digit by two gaps of 2 to 6% of the digit's size."""
    coverage = sheet(digit, rng)
    grey, points = 255 - coverage, np.argwhere(coverage > 128)
    for _ in range(2):
        width = rng.uniform(0.02, 0.06) * np.ptp(points, axis=0).max()
        grey = sheets.with_gap(grey, rng.choice(points), rng.uniform(0, np.pi), width)
    return grey


def boxed(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw in a box of a printed form."""
    coverage = np.pad(sheet(digit, rng, 1, 1.4), int(rng.uniform(20, 60)))
    box = Image.fromarray(coverage)
    inset = int(rng.uniform(5, 20))
    edge = (inset, inset, box.width - 1 - inset, box.height - 1 - inset)
    ImageDraw.Draw(box).rectangle(edge, outline=int(rng.integers(100, 256)), width=int(rng.integers(2, 6)))
    return inked(np.maximum(np.asarray(box), coverage))


def stretched(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretch the digit to fill a square of 16 to 32 pixels, black and white."""
    side = int(rng.integers(16, 33))
    square = Image.fromarray(sheets.cut_out(digit)).resize((side, side), Image.Resampling.BILINEAR)
    return np.where(np.asarray(square) > 100, 0, 255).astype(np.uint8)


def wide(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the digit 1.8 to 2.5 times as wide."""
    cut = Image.fromarray(sheets.cut_out(sheet(digit, rng, 1, 1)))
    stretched = cut.resize((round(cut.width * rng.uniform(1.8, 2.5)), cut.height), Image.Resampling.BICUBIC)
    return inked(np.pad(np.asarray(stretched), 40))


def on_its_side(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the digit by 90 degrees."""
    return np.rot90(plain(digit, rng), rng.choice([1, 3]))


def touching(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the digit twice, with a pixel of MNIST's in common."""
    cut = sheets.cut_out(sheet(digit, rng, 1, 1))
    apart = cut.shape[1] - len(cut) // 20
    sides = [np.pad(cut, ((40, 40), (40 + before, 40 + apart - before))) for before in (0, apart)]
    return inked(np.maximum(*sides))


def letter(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Print a letter or another sign."""
    page = Image.new("L", (260, 260))
    font = ImageFont.load_default(rng.uniform(100, 180))
    sign = str(rng.choice(list(LETTERS)))
    ImageDraw.Draw(page).text((130, 130), sign, 255, font, anchor="mm", stroke_width=int(rng.integers(0, 5)))
    return inked(np.asarray(page.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC)))


def filled(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw with so thick a pen that loops are filled."""
    coverage = sheet(digit, rng)
    return inked(255.0 * ndimage.binary_fill_holes(ndimage.binary_dilation(coverage > 100, iterations=6)))


def screen(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take a photograph of a screen that shows the digit light on dark; its pixels are seen as a pattern."""
    scene = inked(sheet(digit, rng), (235, 240, 250), (25, 28, 35)).astype(np.float64)
    y, x = np.indices(scene.shape[:2])
    period, angle = rng.uniform(3, 7), rng.uniform(-0.2, 0.2)
    waves = [np.sin(2 * np.pi / period * (one + angle * other)) for one, other in ((x, y), (y, -x))]
    return photographed(scene * (1 + 0.12 * (waves[0] + waves[1]))[..., None], rng)


KINDS = (
    Kind("plain", plain),
    Kind("sheet on a desk", desk),
    Kind("sheet, turned", turned_desk),
    Kind("phone photograph", phone),
    Kind("ruled paper", ruled),
    Kind("squared paper", squared),
    Kind("underlined", underlined),
    Kind("coloured ink", coloured),
    Kind("on coloured paper", on_coloured),
    Kind("faint pencil", faint),
    Kind("half faint", half_faint),
    Kind("in pieces", in_pieces),
    Kind("printed box", boxed),
    Kind("close cut", sheets.cropped),
    Kind("stretched", stretched),
    Kind("very wide", wide),
    Kind("screen", screen),
    Kind("filled loops", filled, "689"),
    Kind("on its side", on_its_side, "234579"),
    Kind("two that touch", touching, single=False),
    Kind("letter or sign", letter, single=False),
)


@dataclass(frozen=True)
class Read:
    """Pictures of a kind as files, the digits they are made of, and the results."""

    kind: Kind
    paths: list[Path]
    labels: list[str]
    results: list[FileResult]


def read(kind: Kind, images: np.ndarray, labels: np.ndarray, count: int, reader: Reader, folder: Path) -> Read:
    """Draw `count` pictures of a kind into a new folder, and read them."""
    rng = np.random.default_rng([0, KINDS.index(kind)])
    places = [at for at, label in enumerate(labels) if str(label) in kind.labels][:count]
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(len(places))]
    for place, path in zip(places, paths, strict=True):
        Image.fromarray(kind.draw(images[place], rng)).save(path)
    return Read(kind, paths, [str(labels[place]) for place in places], predict.read_files(reader, paths))


def row(read: Read) -> str:
    """Return a kind's line of the table."""
    answers = [result.answers[0] for result in read.results]
    right = [read.kind.single and answer.label == label for answer, label in zip(answers, read.labels, strict=True)]
    sure = [is_right for answer, is_right in zip(answers, right, strict=True) if answer.verdict == "sure"]
    refused = sum(answer.label is None for answer in answers)
    share = f"{sum(right) / len(right):.1%}" if read.kind.single else "-"
    return f"{read.kind.name:18} {len(right):8} {share:>7} {len(sure):6} {sure.count(False):12} {refused:8}"


def drawing(every: list[Read], reader: Reader) -> Figure:
    """Draw a picture of each kind, what the network sees of it, and the answer; the first kind's first, and so on."""
    bands = -(-len(every) // COLUMNS)
    figure, axes = style.new(2.45 * bands, 2 * bands, COLUMNS, height_ratios=[1.5, 1] * bands)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for number, one in enumerate(every):
        path = one.paths[number % len(one.paths)]
        steps, answer = predict.explain(reader, path)
        above, below = axes[2 * (number // COLUMNS) :, number % COLUMNS][:2]
        above.imshow(Image.open(path), cmap="gray", vmin=0, vmax=255)
        above.spines[:].set(visible=True, color=style.GRID)
        above.set_title(one.kind.name, fontsize=8, fontweight="normal", loc="center")
        seen = steps[-1][1] if answer.label else np.zeros((SIDE, SIDE))
        below.imshow(seen, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        words = answer.verdict if answer.label is None else f"{answer.label}, {answer.verdict}"
        below.set_xlabel(words, fontsize=8)
    return figure


def main() -> None:
    """Measure every kind, print the table, and draw the figure if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200, help="of each kind")
    parser.add_argument("--figure", type=Path, help="draw a picture of each kind into this PNG file")
    words = parser.parse_args()
    print(provenance())
    reader = predict.open_reader()
    validation = split.split(catalog.MNIST, split.VALIDATION_SIZE).validation
    images, labels = validation.images[FIRST:], validation.labels[FIRST:]
    print(f"{'kind':18} pictures   right   sure  wrong, sure  refused")
    every = []
    with tempfile.TemporaryDirectory() as place:
        for kind in KINDS:
            every.append(read(kind, images, labels, words.pictures, reader, Path(place) / kind.name))
            print(row(every[-1]), flush=True)
        if words.figure:
            write(style.png(drawing(every, reader), DPI), words.figure)


if __name__ == "__main__":
    main()
