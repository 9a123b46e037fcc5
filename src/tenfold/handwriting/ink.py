"""Find the ink in a picture: the paper's grey, the pixels that differ from it, and the parts that belong together."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tenfold.handwriting import paper
from tenfold.handwriting.grey import TOUCHING, plane, reduced, resized
from tenfold.handwriting.paper import Ground

PIXELS = 60_000  # to about so many is a picture reduced to look for ink
COARSE = 40  # and its longer side to so many to see how its paper is lit
WIDEST = 0.4  # of the longer side: nothing drawn is as wide
MOST_GAIN = 3
LEAST_CONTRAST = 10  # of ink, in grey levels
LEAST_OVER_NOISE = 6  # times its standard deviation
MOST_DIRT = 0.2  # of the picture: where it has more of the strongest ink, no fainter one is looked for
LEAST_FRAME = 0.15  # of the longer side
SPECK = 0.1  # of the size of the largest ink
LEAST_SIZE = 8  # pixels of the picture: what is smaller cannot be read
MOST_PARTS = 200  # of a picture
MOST_PIECES = 8  # of a digit
FAINTEST = 0.2  # of the level of ink: fainter strokes are not seen
MOST_FAINT = 3  # strokes: more are a ruling, or a texture
RULED = 0.9  # of the picture's side: fainter lines as long are a ruling
RULE = 6  # pixels: nothing so far from the middle of a ruled line belongs to it
TILTS = np.tan(np.radians(np.arange(-5, 6)))  # at which ruled lines are looked for
LEAST_FAINT = 0.06  # of the longer side: shorter faint strokes are blurred edges

Bounds = tuple[int, int, int, int]  # top, bottom, left, right


@dataclass(frozen=True)
class Sheet:
    """A picture taken for ink on paper.

    `light` is the picture, uint8 `[H, W]`, inverted where its ink is darker than its paper. Reduced by `factor`, each
    float32 `[h, w]`: `paper`, how light that is; `strength`, how much lighter than it a pixel is, from 0, times `gain`,
    which makes up for ink in the shade. What reaches half of `level` is ink; `labels`, int32 `[h, w]`, number its
    connected parts from 1. `taken` is a mask of what is none: frames, and stronger ink in which there was no digit.
    `faint` is a mask of strokes that go on fainter than half of `level`. `origin` is the place (top, left) of the first
    pixel of `light` in the picture.
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
    """Ink that belongs together: its box in the reduced picture, and the numbers of its connected parts."""

    box: Bounds
    parts: tuple[int, ...]


def look(grey: np.ndarray) -> Iterator[Sheet]:
    """Tell ink from paper in a grey picture, uint8 `[H, W]`: on a sheet that lies in it, then in all of it.

    In each first the strongest ink, then what is there without it. Nothing where nothing stands out from noise.
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
        strength = np.where(_ruling(strength > level * FAINTEST) & ~strong, 0, strength)
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


def _ruling(inked: np.ndarray) -> np.ndarray:
    """Return a mask of the thin lines that run straight across a mask of ink, nearly along its rows or columns."""
    found = np.zeros_like(inked)
    for mask, ruling in ((inked, found), (inked.T, found.T)):
        if not (mask[:, :3].any() and mask[:, -3:].any()):
            continue
        y, x = np.nonzero(ndimage.binary_dilation(mask, np.ones((3, 1))))
        for tilt in TILTS:
            line = np.rint(y + tilt * x).astype(int)
            line += RULE - line.min()
            share = np.bincount(line, minlength=line.max() + RULE + 1) / mask.shape[1]
            beside = np.maximum(share[: -2 * RULE], share[2 * RULE :])
            ruled = np.pad((share[RULE:-RULE] >= RULED) & (beside < RULED / 2), RULE)
            ruling[y, x] |= ruled[line]
    return found


def _faint(strength: np.ndarray, strong: np.ndarray, least: float) -> np.ndarray:
    """Return a mask of strokes that go on from strong ink, reach `least`, and are hardly wider than the strong ones."""
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
    """Return the number of the component that each part is in, int `[N]`, of a matrix bool `[N, N]`."""
    if len(belong) == 1:
        return np.zeros(1, int)
    from scipy.sparse import csgraph  # takes 70 ms to import, and most pictures are of one part

    return np.asarray(csgraph.connected_components(belong, directed=False)[1])


def groups(sheet: Sheet) -> list[Group]:
    """Return the ink on a sheet in groups, each of which could be one digit; specks are in none.

    Of a texture there are no groups.
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
    """Return several groups as one."""
    top, bottom, left, right = zip(*(group.box for group in groups), strict=True)
    parts = tuple(part for group in groups for part in group.parts)
    return Group((min(top), max(bottom), min(left), max(right)), parts)


def _noise(values: np.ndarray) -> float:
    """Return the standard deviation of noise, from the median by which neighbours differ."""
    differences = np.abs(np.diff(values, axis=1))
    return 1.4826 / 2**0.5 * float(np.median(differences)) if differences.size else 0.0


def _paper(coarse: np.ndarray) -> np.ndarray:
    """Take away whatever is lighter and nowhere as wide as ink may be: grey opening with a square.

    Twice, the second time without the plane that fits the first: of a slope, opening would cut off the upper end.
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
    """Return by how much ink would be stronger in the best light of the sheet, whose paper comes inverted."""
    lit = 255 - blank
    return np.asarray(np.minimum(lit.max() / np.maximum(lit, 1), MOST_GAIN))


def _level(strength: np.ndarray) -> float:
    """Return how strong ink is: the mean of what reaches half of the strongest, but for a few pixels."""
    count = min(3 + strength.size // 3000, strength.size)
    strongest = np.partition(strength, -count, axis=None)[-count]
    return float(strength[strength >= strongest / 2].mean()) if strongest > 0 else 0.0


def _frames(labels: np.ndarray) -> list[int]:
    """Return the numbers of connected ink that runs around something, or comes in from the border of the picture."""
    least = LEAST_FRAME * max(labels.shape)
    return [
        number
        for number, (down, over) in enumerate(ndimage.find_objects(labels), 1)
        if max(down.stop - down.start, over.stop - over.start) > least
        and _is_frame(labels[down, over] == number, (down, over), labels.shape)
    ]


def _is_frame(own: np.ndarray, at: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    """Return whether a mask of connected ink, found there in the picture, is a frame or comes in from the border."""
    ring = max(1, round(0.03 * max(own.shape)))
    around = (own[:ring].any(0), own[-ring:].any(0), own[:, :ring].any(1), own[:, -ring:].any(1))
    if min(side.mean() for side in around) > 0.8 and min(own.shape) > 4 * ring and own.mean() < 0.7:
        return True
    (down, over), (height, width) = at, shape
    touches = (down.start == 0, down.stop == height, over.start == 0, over.stop == width)
    edges = [edge for edge, touch in zip((own[0], own[-1], own[:, 0], own[:, -1]), touches, strict=True) if touch]
    # A 7's bar may touch the border too, but neither in a corner nor along a whole side, and the 7 goes on from it.
    corner = (touches[0] or touches[1]) and (touches[2] or touches[3])
    whole = own.shape[0] > 0.9 * height or own.shape[1] > 0.9 * width
    flat = min(own.shape) < 0.4 * max(own.shape)
    return (corner or whole or flat) and any(edge.mean() > 0.9 for edge in edges)


def _belong(boxes: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """Return which boxes `[n, 4]` hold parts of one digit, bool `[n, n]`; fainter ink `linked` `[n]` holds each.

    They nearly touch, and one of them is too small for a digit of its own, or not beside the other, or faint ink links
    them; or one is above the other like a 5's bar, and as small. A flat one below, at a distance, underlines the digit.
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
