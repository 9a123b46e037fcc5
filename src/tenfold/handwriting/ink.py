"""Find the ink in a picture: the grey of the paper, the pixels that differ from it, and parts that belong together."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tenfold.handwriting import paper
from tenfold.handwriting.grey import TOUCHING, plane, reduced, resized
from tenfold.handwriting.paper import Ground

PIXELS = 60_000  # approximate size of the reduced picture in which ink is searched
COARSE = 40  # longer side of the picture that shows the lighting of the paper
WIDEST = 0.4  # of the longer side: strokes are narrower
MOST_GAIN = 3
LEAST_CONTRAST = 10  # grey levels between ink and paper
LEAST_OVER_NOISE = 6  # standard deviations of the noise
MOST_DIRT = 0.2  # of the picture; with more of the strongest ink, fainter ink is not searched
LEAST_FRAME = 0.15  # of the longer side
SPECK = 0.1  # of the size of the largest ink; smaller ink is a speck
LEAST_SIZE = 8  # pixels of the picture; smaller ink cannot be read
MOST_PARTS = 200  # of a picture
MOST_PIECES = 8  # of a digit
FAINTEST = 0.2  # of the level of ink; fainter strokes are ignored
MOST_FAINT = 3  # faint strokes; more are a ruling or a texture
RULED = 0.9  # of the side of the picture; fainter lines of this length are a ruling
RULE = 6  # pixels from the middle of a ruled line within which pixels belong to it
TILTS = np.tan(np.radians(np.arange(-5, 6)))  # tilts at which ruled lines are searched
LEAST_FAINT = 0.06  # of the longer side; shorter faint strokes are blurred edges

Bounds = tuple[int, int, int, int]  # top, bottom, left, right


@dataclass(frozen=True)
class Sheet:
    """A picture interpreted as ink on paper.

    `light` is the picture, uint8 `[H, W]`, inverted if its ink is darker than its paper. Three arrays are reduced by
    `factor`, float32 `[h, w]`: `paper`, the brightness of the paper; `gain`, which compensates for shade; and
    `strength`, the brightness above the paper, at least 0, times `gain`. Ink has more than half of `level`. `labels`,
    int32 `[h, w]`, numbers its connected parts from 1. `taken` is a mask of excluded ink: frames, and stronger ink
    without a digit. `faint` is a mask of strokes that continue ink but have less than half of `level`. `origin` is the
    position (top, left) of the first pixel of `light` in the picture.
    """

    light: np.ndarray
    factor: int
    paper: np.ndarray
    gain: np.ndarray
    strength: np.ndarray
    level: float
    labels: np.ndarray
    taken: np.ndarray
    faint: np.ndarray
    origin: tuple[int, int]


@dataclass(frozen=True)
class Group:
    """Ink that belongs together: its box in the reduced picture, and the labels of its connected parts."""

    box: Bounds
    parts: tuple[int, ...]


def look(grey: np.ndarray) -> Iterator[Sheet]:
    """Yield interpretations of a grey picture, uint8 `[H, W]`, as ink on paper: first a sheet in it, then the whole.

    For each, the strongest ink comes first, then the ink without that. Yields nothing if there is only noise.
    """
    for ground in paper.grounds(grey):
        yield from _look(ground)


def _look(ground: Ground) -> Iterator[Sheet]:
    factor = max(1, round((ground.light.size / PIXELS) ** 0.5))
    small = reduced(ground.light.astype(np.float32), factor)
    further = -(-max(small.shape) // COARSE)
    blank = resized(_paper(reduced(small, further)), 1 / further, (0, 0, small.shape[1], small.shape[0]), small.shape)
    gain = _gain(blank) if ground.dark else np.ones_like(blank)
    strength = np.maximum(small - blank, 0) * gain
    least = max(LEAST_CONTRAST, LEAST_OVER_NOISE * _noise(small))
    taken = np.zeros(strength.shape, bool)
    for _ in range(3):
        level = _level(strength)
        if level < least:
            return
        strong = strength > level / 2
        # A line between two pixels has half of its strength in each, unless that is lost in the noise.
        faintest = min(level * FAINTEST, max(level * FAINTEST / 2, least))
        strength = np.where(_ruling(strength > faintest, strong) & ~strong, 0, strength)
        faint = _faint(strength, strong, max(level * FAINTEST, least))
        labels, _ = ndimage.label(strong | faint, TOUCHING)
        frames = _frames(labels)
        if not frames:
            yield Sheet(ground.light, factor, blank, gain, strength, level, labels, taken, faint, ground.origin)
            if (labels > 0).mean() > MOST_DIRT:
                return
        now = np.isin(labels, frames) if frames else labels > 0
        taken = taken | ndimage.binary_dilation(now, TOUCHING, iterations=2)
        strength = np.where(taken, 0, strength)


def _ruling(inked: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """Return a mask of thin lines straight across a mask of ink, nearly parallel to its rows or columns.

    Strong ink is part of a line where it covers it; beside the line it is a stroke, and the line stays thin.
    """
    found = np.zeros_like(inked)
    strokes = ndimage.binary_dilation(strong, TOUCHING, iterations=2)
    for mask, stroke, ruling in ((inked, strokes, found), (inked.T, strokes.T, found.T)):
        if not (mask[:, :3].any() and mask[:, -3:].any()):
            continue
        y, x = np.nonzero(ndimage.binary_dilation(mask, np.ones((3, 1))))
        for tilt in TILTS:
            line = np.rint(y + tilt * x).astype(int)
            line += RULE - line.min()
            share, faint = (
                np.bincount(line, weights, line.max() + RULE + 1) / mask.shape[1] for weights in (None, ~stroke[y, x])
            )
            beside = np.maximum(faint[: -2 * RULE], faint[2 * RULE :])
            ruled = np.pad((share[RULE:-RULE] >= RULED) & (beside < RULED / 2), RULE)
            ruling[y, x] |= ruled[line]
    return found


def _faint(strength: np.ndarray, strong: np.ndarray, least: float) -> np.ndarray:
    """Return a mask of strokes that continue strong ink, reach `least`, and are hardly wider than the strong ones."""
    weak = ndimage.binary_propagation(strong, TOUCHING, strength > least)
    beyond, count = ndimage.label(weak & ~ndimage.binary_dilation(strong, TOUCHING, iterations=2), TOUCHING)
    if not count:
        return np.zeros_like(strong)
    width = ndimage.distance_transform_edt(strong).max()
    away = ndimage.distance_transform_edt(weak)
    spans = [max(down.stop - down.start, over.stop - over.start) for down, over in ndimage.find_objects(beyond)]
    widths = ndimage.maximum(away, beyond, range(1, count + 1))
    strokes = [n for n in range(count) if spans[n] >= LEAST_FAINT * max(strong.shape) and widths[n] <= 1.5 * width + 1]
    if not 0 < len(strokes) <= MOST_FAINT:
        return np.zeros_like(strong)
    near = ndimage.binary_dilation(np.isin(beyond, np.add(strokes, 1)), TOUCHING, iterations=4)
    return np.asarray(weak & near & ~strong)


def _connected(belong: np.ndarray) -> np.ndarray:
    """Return the connected component of each part, int `[N]`, from the matrix bool `[N, N]`."""
    if len(belong) == 1:
        return np.zeros(1, int)
    from scipy.sparse import csgraph  # takes 70 ms to import, and most pictures have one part

    return np.asarray(csgraph.connected_components(belong, directed=False)[1])


def groups(sheet: Sheet) -> list[Group]:
    """Return the ink on a sheet in groups, each of which could be one digit, without specks.

    A texture has no groups.
    """
    slices = ndimage.find_objects(sheet.labels)
    boxes = np.array([[down.start, down.stop, over.start, over.stop] for down, over in slices])
    spans = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
    parts = np.flatnonzero(spans > SPECK * spans.max())
    if len(parts) > (1 if (sheet.labels > 0).mean() > 0.5 else MOST_PARTS):
        return []
    fainter, _ = ndimage.label(sheet.strength > sheet.level / 4, TOUCHING)
    linked = ndimage.maximum(fainter, sheet.labels, parts + 1) if len(parts) > 1 else np.zeros(1)
    owner = _connected(_belong(boxes[parts], linked))
    found = []
    for number in range(owner.max() + 1):
        own = parts[owner == number]
        if len(own) > MOST_PIECES:
            continue
        (top, left), (bottom, right) = boxes[own][:, [0, 2]].min(0), boxes[own][:, [1, 3]].max(0)
        if max(bottom - top, right - left) * sheet.factor >= LEAST_SIZE:
            found.append(Group((int(top), int(bottom), int(left), int(right)), tuple((own + 1).tolist())))
    return found


def together(groups: list[Group]) -> Group:
    """Combine several groups into one."""
    top, bottom, left, right = zip(*(group.box for group in groups), strict=True)
    parts = tuple(part for group in groups for part in group.parts)
    return Group((min(top), max(bottom), min(left), max(right)), parts)


def _noise(values: np.ndarray) -> float:
    """Return the standard deviation of the noise, from the median difference of neighbours."""
    differences = np.abs(np.diff(values, axis=1))
    return 1.4826 / 2**0.5 * float(np.median(differences)) if differences.size else 0.0


def _paper(coarse: np.ndarray) -> np.ndarray:
    """Remove everything that is lighter than its surroundings and as narrow as ink: grey opening with a square.

    This is done twice, the second time without the plane that fits the first result, because opening would cut off the
    upper end of a slope.
    """
    side = max(3, int(WIDEST * max(coarse.shape)))
    slope = np.zeros_like(coarse)
    for _ in range(2):
        opened = ndimage.maximum_filter(
            ndimage.minimum_filter(coarse - slope, side, mode="nearest"), side, mode="nearest"
        )
        found: np.ndarray = opened + slope
        slope = plane(found)
    return found


def _gain(blank: np.ndarray) -> np.ndarray:
    """Return the factor by which ink would be stronger in the best light of the sheet; the paper is inverted."""
    lit = 255 - blank
    return np.asarray(np.minimum(lit.max() / np.maximum(lit, 1), MOST_GAIN))


def _level(strength: np.ndarray) -> float:
    """Return the level of ink: the mean of the pixels above half of the strongest, without a few outliers."""
    count = min(3 + strength.size // 3000, strength.size)
    strongest = np.partition(strength, -count, axis=None)[-count]
    return float(strength[strength >= strongest / 2].mean()) if strongest > 0 else 0.0


def _frames(labels: np.ndarray) -> list[int]:
    """Return the labels of connected ink that surrounds something, or enters from the border of the picture."""
    least = LEAST_FRAME * max(labels.shape)
    return [
        number
        for number, (down, over) in enumerate(ndimage.find_objects(labels), 1)
        if max(down.stop - down.start, over.stop - over.start) > least
        and _is_frame(labels[down, over] == number, (down, over), labels.shape)
    ]


def _is_frame(own: np.ndarray, at: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    """Return True if a mask of connected ink at a position in the picture is a frame or enters from the border."""
    ring = max(1, round(0.03 * max(own.shape)))
    around = (own[:ring].any(0), own[-ring:].any(0), own[:, :ring].any(1), own[:, -ring:].any(1))
    if min(side.mean() for side in around) > 0.8 and min(own.shape) > 4 * ring and own.mean() < 0.7:
        return True
    (down, over), (height, width) = at, shape
    touches = (down.start == 0, down.stop == height, over.start == 0, over.stop == width)
    edges = [edge for edge, touch in zip((own[0], own[-1], own[:, 0], own[:, -1]), touches, strict=True) if touch]
    # The bar of a 7 may touch the border too, but neither in a corner nor along a whole side, and the 7 continues.
    corner = (touches[0] or touches[1]) and (touches[2] or touches[3])
    whole = own.shape[0] > 0.9 * height or own.shape[1] > 0.9 * width
    flat = min(own.shape) < 0.4 * max(own.shape)
    return (corner or whole or flat) and any(edge.mean() > 0.9 for edge in edges)


def _belong(boxes: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """Return which boxes `[n, 4]` are parts of one digit, bool `[n, n]`; fainter ink joins boxes of equal `linked`.

    Two parts belong together if they nearly touch, and one is too small to be a digit, or they are not side by side, or
    faint ink links them; or if one is above the other and as small as the bar of a 5. A flat part below, at a distance,
    underlines the digit.
    """
    top, bottom, left, right = boxes.T
    tall, wide = bottom - top, right - left
    down = np.maximum(top[:, None], top) - np.minimum(bottom[:, None], bottom)  # gaps; below 0 they overlap
    over = np.maximum(left[:, None], left) - np.minimum(right[:, None], right)
    spans = np.maximum(tall, wide)
    larger, smaller = np.maximum(spans[:, None], spans), np.minimum(spans[:, None], spans)
    shorter, narrower = np.minimum(tall[:, None], tall), np.minimum(wide[:, None], wide)
    largest = spans.max()
    one = (smaller < 0.5 * larger) | (-over > 0.25 * narrower) | (linked[:, None] == linked)
    flat = wide > 2 * tall
    under = flat & (tall < tall[:, None]) & (bottom > bottom[:, None])
    under |= under.T
    reach = np.where(under, np.maximum(tall[:, None], tall), larger)
    touch = one & (np.maximum(down, over) <= 0.08 * reach)
    across = (-over > 0.25 * narrower) | ((flat[:, None] | flat) & (over <= 0.05 * largest))
    above = across & (-down < 0.5 * shorter) & (down <= 0.35 * largest) & (shorter < 0.5 * largest)
    return np.asarray(touch | above & ~under)
