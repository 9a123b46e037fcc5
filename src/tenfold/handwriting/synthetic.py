"""Draw synthetic handwriting: vary skeletons of digits at random, render them, and preprocess the pictures.

MNIST's writers are American. The skeletons add other forms: a 1 with a flag, a crossed 7, a 9 with a curl, and digits
of straight lines drawn with a mouse.
"""

import functools
import math
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tenfold import machine, pool
from tenfold.handwriting import picture
from tenfold.handwriting.grey import SIDE
from tenfold.handwriting.skeletons import DISPLAYS, SEGMENTS, SKELETONS, SPARSER

DISPLAYED = 0.02  # share of seven-segment digits; with more, a 5 with a closed bowl is read as a 6
BLOCK = 50  # pictures per task
FINER = 3  # drawn pixels per pixel of a picture, along each side

Strokes = list[np.ndarray]  # float64 [N, 2] each


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` preprocessed digits, uint8 `[N, 28, 28]`, and their labels, int64 `[N]`.

    Digit `i` has the label `i % 10`, and depends only on `seed` and `i`.
    """
    starts = iter(range(0, count, BLOCK))
    images = np.empty((count, SIDE, SIDE), np.uint8)

    def draw() -> tuple[slice, partial[np.ndarray]] | None:
        start = next(starts, None)
        if start is None:
            return None
        block = range(start, min(start + BLOCK, count))
        return slice(block.start, block.stop), partial(_images, seed, block)

    with pool.started(min(machine.cores(), max(1, count // BLOCK))) as workers:
        for at, result in workers.completed(draw):
            images[at] = result()
    return images, np.arange(count) % len(SKELETONS)


def _images(seed: int, numbers: range) -> np.ndarray:
    """Return the digits with these numbers, uint8 `[N, 28, 28]`."""
    return np.stack([_image(np.random.default_rng([seed, number]), number % len(SKELETONS)) for number in numbers])


def _image(rng: np.random.Generator, digit: int) -> np.ndarray:
    """Draw a digit until the preprocessing accepts it, uint8 `[28, 28]`."""
    while (image := picture.read(draw(rng, choose(rng, digit))).image) is None:
        pass
    return image


def choose(rng: np.random.Generator, digit: int) -> str:
    """Return a random skeleton of a digit, sometimes that of a seven-segment display."""
    if rng.random() < DISPLAYED:
        segments = SPARSER[digit] if digit in SPARSER and rng.random() < 0.5 else DISPLAYS[digit]
        return " / ".join(SEGMENTS[segment] for segment in segments)
    return str(rng.choice(list(SKELETONS[digit].values())))


def draw(rng: np.random.Generator, skeleton: str) -> np.ndarray:
    """Draw a skeleton with random variation as a grey picture, uint8 `[H, W]`."""
    stretched = rng.random() < 0.2
    size = rng.uniform(16, 36) if stretched or rng.random() < 0.4 else rng.uniform(36, 80)  # pixels, the longer side
    coverage = _rendered(rng, _varied(rng, skeleton), size, _width(rng))
    if stretched:
        coverage = _stretched(rng, coverage)
    return _scanned(rng, coverage)


@functools.cache
def _parsed(skeleton: str) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return the points of each stroke, float64 `[N, 2]`, and the mask of corners, bool `[N]`."""
    strokes = []
    for stroke in skeleton.split("/"):
        words = stroke.split()
        points = np.array([word.rstrip("*").split(",") for word in words], np.float64)
        strokes.append((points, np.array([word.endswith("*") for word in words])))
    return tuple(strokes)


def _varied(rng: np.random.Generator, skeleton: str) -> Strokes:
    """Return the paths of a skeleton with random variation, each float64 `[N, 2]`."""
    parsed = _parsed(skeleton)
    smooth, unsteady = rng.random() < 0.85, rng.choice([1.0, 2.5, 4.0])
    where, which = np.unique(np.concatenate([points for points, _ in parsed]), axis=0, return_inverse=True)
    moved = (where + rng.normal(0, unsteady, where.shape))[which.ravel()]  # points that meet in the skeleton still meet
    strokes, start = [], 0
    for points, corners in parsed:
        own = moved[start : start + len(points)]
        start += len(points)
        if len(parsed) > 1:
            own = own + rng.normal(0, 2.5, 2)
        for end, beside in ((0, 1), (-1, -2)):  # ends overshoot or fall short
            along = own[end] - own[beside]
            own[end] += along / max(math.hypot(*along), 1) * rng.normal(0, 4)
        strokes.append(_path(own, corners, smooth))
    angle, slant, aspect = np.radians(rng.normal(0, 5)), rng.normal(0.05, 0.23), np.exp(rng.normal(0, 0.2))
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turned @ np.array([[aspect, -slant], [0, 1]])
    bend, phase = rng.normal(0, 4, 2), rng.uniform(0, 2 * np.pi, 2)
    bent = [path + bend * np.sin(path[:, ::-1] / 40 + phase) for path in strokes]
    paths = [path @ linear.T for path in bent]
    return _broken(rng, paths) if rng.random() < 0.05 else paths


def _path(points: np.ndarray, corners: np.ndarray, smooth: bool) -> np.ndarray:
    """Return the path through points `[N, 2]`, float64: straight, or smooth except at corners (Catmull-Rom splines)."""
    if not smooth:
        return points
    t = np.linspace(0, 1, 9)[:, None]
    basis = (
        np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    )  # [9, 4]
    inner = np.flatnonzero(corners[1:-1]) + 1
    paths = []
    for run in np.split(np.arange(len(points)), inner):
        # A corner ends one run and starts the next.
        own = points[run[0] : min(run[-1] + 2, len(points))]
        around = np.concatenate([2 * own[:1] - own[1:2], own, 2 * own[-1:] - own[-2:-1]])
        fours = np.stack([around[at : len(around) - 3 + at] for at in range(4)], axis=1)  # [N - 1, 4, 2]
        paths.append((basis @ fours).reshape(-1, 2))
    return np.concatenate(paths)


def _broken(rng: np.random.Generator, paths: Strokes) -> Strokes:
    """Return the paths with a small gap in one of them."""
    at = int(rng.integers(len(paths)))
    path = paths[at]
    along = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    fine = np.linspace(0, along[-1], 60)
    path = np.stack([np.interp(fine, along, path[:, axis]) for axis in (0, 1)], axis=1)
    middle, half = rng.uniform(0.1, 0.9) * along[-1], rng.uniform(3, 7)
    pieces = [path[fine < middle - half], path[fine > middle + half]]
    return paths[:at] + [piece for piece in pieces if len(piece) > 1] + paths[at + 1 :]


def _width(rng: np.random.Generator) -> float:
    """Return a random line width as a share of the digit's size: that of a pencil, a pen or a brush."""
    least, most = ((0.015, 0.05), (0.05, 0.12), (0.12, 0.2))[rng.choice(3, p=(0.35, 0.5, 0.15))]
    return float(rng.uniform(least, most))


def _rendered(rng: np.random.Generator, paths: Strokes, size: float, width: float) -> np.ndarray:
    """Draw paths with a pen of uneven pressure; return the coverage of each pixel by ink, float32 `[H, W]`, 0 to 1."""
    every = np.concatenate(paths)
    low, high = every.min(0), every.max(0)
    scale = size / max(*(high - low), 1) * FINER
    pen = max(width * size, 1) * FINER
    before, after = rng.uniform(0.08, 0.4, (2, 2)) * size * FINER + pen  # margins: left, top; right, bottom
    canvas = Image.new("L", [math.ceil(side) for side in (high - low) * scale + before + after])
    pencil = ImageDraw.Draw(canvas)
    pressure, waves, phase = rng.uniform(0, 0.45), rng.uniform(0.01, 0.05), rng.uniform(0, 2 * np.pi)
    lightest = rng.uniform(0.6, 1)
    for path in paths:
        points = (path - low) * scale + before
        along = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
        pressed = (1 + np.sin(along * waves * 2 * np.pi + phase)) / 2  # [N], 0 to 1
        widths = pen * (1 - pressure * pressed)
        inks = np.rint(255 * (1 - (1 - lightest) * pressed)).astype(int)
        for (x0, y0), (x1, y1), wide, ink in zip(points, points[1:], widths[1:], inks[1:], strict=False):
            fill, half = int(ink), wide / 2
            pencil.line([x0, y0, x1, y1], fill, max(1, round(wide)))
            pencil.ellipse([x1 - half, y1 - half, x1 + half, y1 + half], fill)
        (x0, y0), half = points[0], widths[0] / 2
        pencil.ellipse([x0 - half, y0 - half, x0 + half, y0 + half], int(inks[0]))
    return np.asarray(canvas.reduce(FINER), np.float32) / 255


def _stretched(rng: np.random.Generator, coverage: np.ndarray) -> np.ndarray:
    """Return a digit stretched to fill a small square, in black and white, as in some datasets."""
    rows, columns = np.flatnonzero((coverage > 0.3).any(1)), np.flatnonzero((coverage > 0.3).any(0))
    if not len(rows):
        return coverage
    own = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = int(rng.integers(14, 33))
    square = np.asarray(Image.fromarray(own).resize((side, side), Image.Resampling.BILINEAR))
    return np.pad((square > rng.uniform(0.25, 0.55)).astype(np.float32), int(rng.integers(2, 9)))


def _scanned(rng: np.random.Generator, coverage: np.ndarray) -> np.ndarray:
    """Return ink on paper as in a scan, a photograph or a drawing program, uint8 `[H, W]`."""
    ink = coverage
    if rng.random() < 0.2:  # black and white: thin strokes break, or all become wider
        ink = (ink > rng.uniform(0.15, 0.45)).astype(np.float32)
    if rng.random() < 0.4:
        blurred = Image.fromarray(np.uint8(ink * 255)).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
        ink = np.asarray(blurred, np.float32) / 255
    if rng.random() < 0.3:  # a pencil's grain
        ink = ink * rng.uniform(rng.uniform(0.3, 1), 1, ink.shape)
    contrast = rng.uniform(0.25, 1) if rng.random() < 0.5 else 1
    paper = 1 - rng.uniform(0, 1 - contrast)
    light = np.full(ink.shape, paper)
    if rng.random() < 0.3:  # light from one side
        y, x = np.mgrid[: ink.shape[0], : ink.shape[1]] / max(ink.shape) - 0.5
        light = light * (1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y)
    values = light - contrast * ink
    if rng.random() < 0.4:
        values = values + rng.normal(0, rng.uniform(0, 0.03), ink.shape)
    grey: np.ndarray = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return 255 - grey if rng.random() < 0.25 else grey
