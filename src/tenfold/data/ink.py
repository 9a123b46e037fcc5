"""Where the ink is: a picture's paper, what stands out from it, and which of that belongs to a digit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

CELLS = 60_000  # to so many pixels is a picture reduced to look for ink
COARSE = 40  # and its longer side to so many to see how its paper is lit
LEAST_CONTRAST = 10  # of ink, in grey levels
OVER_NOISE = 6
EIGHT = np.ones((3, 3), bool)  # pixels touch at corners too


@dataclass(frozen=True)
class Sheet:
    """A picture as ink on paper: `light` is uint8 `[H, W]`, its ink lighter than its paper.

    `paper` is the brightness of the paper, float32, coarse; `strength` how much lighter a pixel is than its paper,
    float32 `[h, w]`, the picture reduced by `factor`; `level` is that of ink.
    """

    light: np.ndarray
    paper: np.ndarray
    strength: np.ndarray
    factor: int
    level: float


def shrunk(grey: np.ndarray, factor: int) -> np.ndarray:
    """Return means over squares of `factor` pixels, float32."""
    if factor == 1:
        return grey.astype(np.float32)
    return np.asarray(Image.fromarray(grey).reduce(factor), np.float32)


def stretched(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return a coarse float32 field at that many pixels."""
    return np.asarray(Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BILINEAR))


def sheets(grey: np.ndarray) -> Iterator[Sheet]:
    """Yield the picture with the ink that its border suggests, then with the other; none where nothing stands out."""
    factor = max(1, round((grey.size / CELLS) ** 0.5))
    small = shrunk(grey, factor)
    coarse = shrunk(small, 1) if max(small.shape) <= COARSE else None
    if coarse is None:
        coarse = np.asarray(Image.fromarray(small).reduce(-(-max(small.shape) // COARSE)))
    lighter = _stands_out(coarse) > 0
    for light_ink in (lighter, not lighter):
        one = small if light_ink else 255 - small
        paper = _paper(coarse if light_ink else 255 - coarse)
        strength = np.maximum(one - stretched(paper, one.shape), 0)
        level = _level(strength)
        if level >= max(LEAST_CONTRAST, OVER_NOISE * _noise(small)):
            yield Sheet(grey if light_ink else 255 - grey, paper, strength, factor, level)


def _stands_out(coarse: np.ndarray) -> float:
    """Return how far the extreme is from a plane through the border: above 0 where that is lighter than the border."""
    height, width = coarse.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    plane = np.stack([np.ones_like(x), y, x], -1)  # [h, w, 3]
    edge = np.ones((height, width), bool)
    edge[1:-1, 1:-1] = False
    weight = np.ones(int(edge.sum()))
    for _ in range(4):  # least absolute deviations: what little ink there is does not tilt the plane
        fit = np.linalg.lstsq(plane[edge] * weight[:, None], coarse[edge] * weight, rcond=None)[0]
        weight = 1 / np.sqrt(np.abs(coarse[edge] - plane[edge] @ fit) + 1)
    flat = coarse - plane @ fit
    sides = (flat[0, 1:-1], flat[-1, 1:-1], flat[1:-1, 0], flat[1:-1, -1])
    mixed = sum(np.ptp(side) > 0.5 * np.ptp(flat) for side in sides if len(side))
    flat -= np.median(flat[edge] if mixed >= 2 else flat)
    return float(flat.max() + flat.min())


def _paper(coarse: np.ndarray) -> np.ndarray:
    """Take away whatever is lighter and holds no square of two fifths of the picture: grey opening."""
    size = max(3, int(0.4 * max(coarse.shape)))
    return ndimage.maximum_filter(ndimage.minimum_filter(coarse, size, mode="nearest"), size, mode="nearest")


def _noise(small: np.ndarray) -> float:
    """Return the standard deviation of the noise, from what neighbours differ by where nothing is drawn."""
    return float(np.median(np.abs(np.diff(small, axis=1)))) * 1.4826 / 2**0.5


def _level(strength: np.ndarray) -> float:
    """Return how strong ink is: the mean of what reaches half of the strongest."""
    count = 3 + strength.size // 3000
    top = np.partition(strength, -count, axis=None)[-count]
    return float(strength[strength >= top / 2].mean()) if top > 0 else 0.0


@dataclass(frozen=True)
class Group:
    """Ink that belongs together: its `box` (top, bottom, left, right) in the reduced picture, and its labels."""

    box: tuple[int, int, int, int]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """Connected ink, int `[h, w]` numbered from 1, in groups; `specks` were dropped."""

    labels: np.ndarray
    groups: list[Group]
    share: float  # of the ink is in the groups


def groups(sheet: Sheet) -> Found:
    """Return the ink that could be digits, in groups that could be one each."""
    mask = sheet.strength > sheet.level / 2
    labels, count = ndimage.label(mask, EIGHT)
    boxes = ndimage.find_objects(labels)
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    edges = np.array([[b[0].start, b[0].stop, b[1].start, b[1].stop] for b in boxes]).reshape(-1, 4)
    span = np.maximum(edges[:, 1] - edges[:, 0], edges[:, 3] - edges[:, 2])
    kept = [i for i in range(count) if not _is_frame(labels, i + 1, edges[i], mask.shape)]
    if not kept:
        return Found(labels, [], 0)
    largest = span[kept].max()
    joined = _joined(kept, edges, span, area, largest)
    parts = []
    total = area[kept].sum()
    for members in joined:
        e = edges[members]
        box = (e[:, 0].min(), e[:, 1].max(), e[:, 2].min(), e[:, 3].max())
        if max(box[1] - box[0], box[3] - box[2]) >= 0.4 * largest:
            parts.append(Group(tuple(map(int, box)), tuple(m + 1 for m in members)))
    used = sum(area[[m - 1 for m in group.members]].sum() for group in parts)
    return Found(labels, sorted(parts, key=lambda g: g.box[2]), float(used / total))


def _is_frame(labels, number, edges, shape) -> bool:
    top, bottom, left, right = edges
    height, width = shape
    own = labels[top:bottom, left:right] == number
    ring = max(1, round(0.03 * max(own.shape)))
    sides = [own[:ring].any(0).mean(), own[-ring:].any(0).mean(), own[:, :ring].any(1).mean(), own[:, -ring:].any(1).mean()]
    if min(sides) > 0.8 and min(own.shape) > 4 * ring:
        return True
    # along one side of the picture
    picture = [
        (top == 0) * sides[0] * own.shape[1] / width,
        (bottom == height) * sides[1] * own.shape[1] / width,
        (left == 0) * sides[2] * own.shape[0] / height,
        (right == width) * sides[3] * own.shape[0] / height,
    ]
    return max(picture) > 0.75


def _joined(kept, edges, span, area, largest):
    """Merge components that are parts of a broken digit."""
    group = {i: [i] for i in kept}
    order = sorted(kept, key=lambda i: -span[i])
    result = []
    for i in order:
        if area[i] < 3 and largest > 20:
            continue
        for members in result:
            if any(_near(edges[i], edges[m], max(span[m], span[i])) for m in members):
                members.append(i)
                break
        else:
            result.append([i])
    return result


def _near(a, b, size) -> bool:
    """Whether two boxes are parts of one digit: nearly touching, or one above the other like a 5 and its bar."""
    down = max(a[0], b[0]) - min(a[1], b[1])
    across = max(a[2], b[2]) - min(a[3], b[3])
    if max(down, across) <= 0.08 * size:
        return True
    shorter, narrower = min(a[1] - a[0], b[1] - b[0]), min(a[3] - a[2], b[3] - b[2])
    above = -down < 0.5 * shorter and -across > 0.25 * narrower
    return above and down <= 0.25 * size and shorter < 0.5 * size
