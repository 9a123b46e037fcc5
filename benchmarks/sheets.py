"""Digits of MNIST as people hand them in: enlarged, photographed, framed, drawn with a thin pen or a thick one.

Each way takes a digit uint8 `[28, 28]`, white on black, and a generator, and returns a grey picture, uint8 `[H, W]`.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

Way = Callable[[np.ndarray, np.random.Generator], np.ndarray]
FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


def resized(digit: np.ndarray, factor: float, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> np.ndarray:
    """Return the digit so many times as large."""
    side = round(28 * factor)
    return np.asarray(Image.fromarray(digit).resize((side, side), resampling))


def enlarged(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """3 to 40 times as large, by one of five interpolations."""
    return resized(digit, np.exp(rng.uniform(np.log(3), np.log(40))), FILTERS[rng.integers(len(FILTERS))])


def inverted(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black on white, as large as it is."""
    return 255 - digit


def moved(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Anywhere on a sheet of 1.5 to 10 times its side."""
    return placed(digit, rng, rng.uniform(1.5, 10, 2))


def placed(digit: np.ndarray, rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Return a black sheet so many times as high and as wide as the digit, with the digit somewhere on it."""
    height, width = (np.array(digit.shape) * times).astype(int)
    sheet = np.zeros((height, width), np.uint8)
    top, left = rng.integers(0, height - len(digit) + 1), rng.integers(0, width - digit.shape[1] + 1)
    sheet[top : top + len(digit), left : left + digit.shape[1]] = digit
    return sheet


def tinted(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey on grey: ink and paper at least 60 apart, either of them the lighter."""
    picture = resized(digit, rng.uniform(2, 8))
    dark = rng.uniform(0, 150)
    light = rng.uniform(dark + 60, 255)
    ink, paper = (dark, light) if rng.random() < 0.5 else (light, dark)
    return pixels(paper + (ink - paper) / 255 * picture.astype(np.float64))


def gradient(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black on paper lit from one side: the far end gets a third to two thirds of the light."""
    picture = resized(digit, rng.uniform(3, 10)).astype(np.float64)
    return pixels((255 - 0.85 * picture) * light(picture.shape, rng, rng.uniform(0.33, 0.67)))


def light(shape: tuple[int, ...], rng: np.random.Generator, least: float) -> np.ndarray:
    """Return a field that falls from 1 to `least` across a picture, in a random direction: float64 `[H, W]`."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    along = (along - along.min()) / np.ptp(along)
    return 1 - (1 - least) * along


def compressed(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black on white, as a JPEG of quality 15 to 60."""
    return jpeg(255 - resized(digit, rng.uniform(3, 12)), int(rng.integers(15, 61)))


def jpeg(grey: np.ndarray, quality: int) -> np.ndarray:
    """Return the picture as it comes back from a JPEG of that quality."""
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image)


def framed(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a border of 1 to 4% of the side, at the edge or a little within, as dark as the ink or greyer."""
    picture = placed(resized(digit, rng.uniform(3, 10)), rng, rng.uniform(1.1, 1.4, 2))
    height, width = picture.shape
    inset, thick = (
        int(rng.choice([0, 0, rng.uniform(0.01, 0.03)]) * width),
        max(1, int(rng.uniform(0.01, 0.04) * width)),
    )
    frame = Image.fromarray(picture)
    edge = (inset, inset, width - 1 - inset, height - 1 - inset)
    ImageDraw.Draw(frame).rectangle(edge, outline=int(rng.integers(128, 256)), width=thick)
    picture = np.maximum(np.asarray(frame), picture)
    return 255 - picture if rng.random() < 0.5 else picture


def shadowed(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black on white, over a soft shadow of itself of a fifth to two fifths of its darkness."""
    factor = rng.uniform(3, 10)
    picture = placed(resized(digit, factor), rng, np.array([1.2, 1.2])).astype(np.float64)
    down, over = rng.uniform(0.5, 2.5, 2) * factor * rng.choice([-1, 1], 2)
    shadow = ndimage.gaussian_filter(ndimage.shift(picture, (down, over), order=1), rng.uniform(0.3, 1.5) * factor)
    return pixels(255 - np.maximum(picture, rng.uniform(0.2, 0.4) * shadow))


def cropped(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut out closely, enlarged."""
    close = cut_out(digit)
    factor = rng.uniform(1, 10)
    size = [max(1, round(side * factor)) for side in close.shape[::-1]]
    picture = np.asarray(Image.fromarray(close).resize(size, Image.Resampling.BICUBIC))
    return 255 - picture if rng.random() < 0.5 else picture


def cut_out(digit: np.ndarray, least: int = 50) -> np.ndarray:
    """Return the part of a picture where pixels are lighter than `least`."""
    rows, columns = (np.flatnonzero((digit > least).any(axis)) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def skeleton(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drawn along the middle of its strokes, one pixel wide, on 1000×800."""
    return drawn(middle(digit), (1000, 800), rng.uniform(350, 750), 1)


def marker(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drawn along the middle of its strokes with a pen of a sixth to a quarter of its height."""
    size = rng.uniform(150, 300)
    return drawn(middle(digit), (400, 400), size, round(size * rng.uniform(0.17, 0.25)))


def middle(digit: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the middle of the strokes as short lines, pairs of (x, y), within a square of side 1."""
    from skimage.morphology import skeletonize

    large = ndimage.gaussian_filter(resized(digit, 8).astype(np.float32), 2) > 60
    points = np.argwhere(skeletonize(large))
    top, size = points.min(0), np.ptp(points, axis=0).max()
    near = np.abs(points[:, None] - points[None]).max(2) <= 1
    first, second = np.nonzero(np.triu(near))  # a point with itself too: a dot is drawn
    return [tuple(((points[i] - top) / size)[::-1] for i in pair) for pair in zip(first, second, strict=True)]


def drawn(lines: list[tuple[np.ndarray, np.ndarray]], canvas: tuple[int, int], size: float, width: int) -> np.ndarray:
    """Return black lines of that width with round ends on a white canvas (width, height), `size` pixels large."""
    picture = Image.new("L", canvas, 255)
    draw = ImageDraw.Draw(picture)
    span = np.max([point for line in lines for point in line], axis=0) * size
    start = (np.array(canvas) - span) / 2
    for line in lines:
        ends = [tuple(start + point * size) for point in line]
        draw.line(ends, 0, width)
        for x, y in ends if width > 2 else ():
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), 0)
    return np.asarray(picture)


def pencil(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a photograph of a pencil on ruled or squared paper: grey, grainy, unevenly lit, out of focus, a JPEG."""
    picture = placed(resized(digit, rng.uniform(5, 9)), rng, rng.uniform(1.3, 2.5, 2)).astype(np.float64) / 255
    ink = picture * grain(picture.shape, rng, 0.35, 0.6, 0.1)
    step = int(rng.uniform(20, 50))
    lines = np.zeros(picture.shape)
    for axis in range(rng.integers(0, 3)):
        lines.swapaxes(0, axis)[int(rng.integers(0, step)) :: step] = rng.uniform(0.08, 0.15)
    lit = light(picture.shape, rng, rng.uniform(0.5, 0.8)) * 230 * (1 - np.maximum(ink, lines))
    blurred = ndimage.gaussian_filter(lit, rng.uniform(0.5, 1.5)) + rng.normal(size=picture.shape) * rng.uniform(2, 6)
    return jpeg(pixels(blurred), 75)


def grain(shape: tuple[int, ...], rng: np.random.Generator, least: float, most: float, rough: float) -> np.ndarray:
    """Return how much of a pencil's stroke stays on rough paper, around a mean from `least` to `most`: 0 to 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1)
    return np.clip(rng.uniform(least, most) + rough * noise / noise.std(), 0, 1)


def on_desk(sheet: np.ndarray, margin: int, desk: int, tilt: float) -> np.ndarray:
    """Return a grey picture of a sheet that lies on a desk, turned by `tilt` degrees, so many pixels from the edge."""
    photograph = Image.new("L", (sheet.shape[1] + 2 * margin, sheet.shape[0] + 2 * margin), desk)
    photograph.paste(Image.fromarray(sheet), (margin, margin))
    return np.asarray(photograph.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=desk))


def half_faint(picture: np.ndarray, share: float) -> np.ndarray:
    """Return ink on white paper with that share of the ink in the right half."""
    fainter = picture.copy()
    right = fainter[:, picture.shape[1] // 2 :]
    right[:] = pixels(255 - share * (255 - right.astype(np.float64)))
    return fainter


def with_gap(picture: np.ndarray, centre: tuple[int, int], angle: float, width: float) -> np.ndarray:
    """Return ink on white paper without what lies in a straight gap: its centre (row, column), angle and width."""
    y, x = np.indices(picture.shape)
    aside = (y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)
    return np.where(abs(aside) < width / 2, np.uint8(255), picture)


def pixels(values: np.ndarray) -> np.ndarray:
    """Round and clip to uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


WAYS: dict[str, Way] = {
    "enlarged": enlarged,
    "inverted": inverted,
    "moved": moved,
    "tinted": tinted,
    "gradient": gradient,
    "JPEG": compressed,
    "border": framed,
    "shadow": shadowed,
    "pencil": pencil,
    "cropped": cropped,
    "1-pixel line": skeleton,
    "thick marker": marker,
}


def row(digits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Return digits `[N, 28, 28]` as a row with a ruled line under it, and the box (left, top, width, height) of each.

    Sizes differ by a fifth, gaps are 2 to 15 of MNIST's pixels, no two on the same height; paper and ink are tinted.
    """
    factor = rng.uniform(1.5, 5)
    cuts = [cut_out(resized(digit, factor * rng.uniform(0.8, 1.2)), 100) for digit in digits]
    gaps = (rng.uniform(2, 15, len(cuts) + 1) * factor).astype(int)
    height, width = int(40 * factor), sum(cut.shape[1] for cut in cuts) + gaps.sum()
    sheet, boxes, left = np.zeros((height, width)), [], int(gaps[0])
    for cut, gap in zip(cuts, gaps[1:], strict=True):
        top = int((height - cut.shape[0]) / 2 + rng.uniform(-3, 3) * factor)
        sheet[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        boxes.append((left, top, cut.shape[1], cut.shape[0]))
        left += cut.shape[1] + int(gap)
    line = int(height - 4 * factor)
    sheet[line : line + max(1, int(factor / 3))] = 255 * rng.uniform(0.1, 0.4)
    ink, paper = rng.uniform(0, 80), rng.uniform(160, 255)
    return pixels(paper + (ink - paper) / 255 * sheet), boxes
