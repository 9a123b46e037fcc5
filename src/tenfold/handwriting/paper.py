"""Find the paper in a picture: darker or lighter ink, a sheet on a desk, ink that crosses the border."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tenfold.handwriting.grey import TOUCHING, plane, reduced, resized

SMALL = 128  # pixels of the longer side for the search for paper
COARSE = 40  # pixels of the longer side; at this size, single pixels of noise do not matter
LEAST_SHEET = 0.05  # of the picture
CONVEX, RECTANGULAR = 0.93, 0.9  # least share of its hull and of its bounding rectangle that a sheet fills
LEAST_CONTACT = 0.25  # of the outline of a sheet that must be the border of the picture, if it is not a rectangle
TWO_TONES = 0.85  # of the variance must be between the tones; an even gradient has 0.75
LEAST_DESK = 0.15  # of the picture's border
AROUND = 0.6  # of the border; a tone with more of it is paper or a frame
LEAST_PAPER = 0.3  # of the picture; ink around less is a frame
CORNER = 0.04  # of a side
STRIP = 0.3  # of a picture; a narrower area next to the paper is a strip of something else
MARGIN = 0.15  # of the longer side, added around a close cut


@dataclass(frozen=True)
class Ground:
    """A picture with ink lighter than paper: `light`, uint8 `[H, W]`, inverted if the ink was `dark`.

    `origin` is the position (top, left) of its first pixel in the original picture.
    """

    light: np.ndarray
    dark: bool
    origin: tuple[int, int]


def grounds(grey: np.ndarray) -> list[Ground]:
    """Return the areas of a picture, uint8 `[H, W]`, to search for ink: first a sheet in it, then the whole."""
    found = sheet(grey)
    return [*([_ground(*found)] if found else []), _ground(grey, (0, 0))]


def _ground(grey: np.ndarray, origin: tuple[int, int]) -> Ground:
    factor = -(-max(grey.shape) // SMALL)
    small = reduced(grey.astype(np.float32), factor)
    inner = _inside(small)
    dark, inked = _inked(small[inner])
    grey = grey[tuple(slice(factor * at.start, factor * at.stop) for at in inner)]
    origin = (origin[0] + factor * inner[0].start, origin[1] + factor * inner[1].start)
    light = 255 - grey if dark else grey
    if not _is_close_cut(inked):
        return Ground(light, dark, origin)
    margin = max(2, round(MARGIN * max(grey.shape)))
    return Ground(_with_margin(light, inked, factor, margin), dark, (origin[0] - margin, origin[1] - margin))


def _inside(small: np.ndarray) -> tuple[slice, slice]:
    """Return the part of a small picture, float32 `[h, w]`, inside straight frames; without frames, the whole."""
    (top, left), (bottom, right) = (0, 0), small.shape
    while True:
        part = small[top:bottom, left:right]
        above = part > otsu(part)
        labels, _ = ndimage.label(above == above[0, 0], TOUCHING)
        frame = labels == labels[0, 0]
        rows, columns = (np.flatnonzero(frame.mean(axis) < 0.9) for axis in (1, 0))
        straight = frame.mean() < LEAST_PAPER and _is_around(frame, corners=4)
        if not straight or len(rows) in (0, len(part)) or len(columns) in (0, part.shape[1]):
            return slice(top, bottom), slice(left, right)
        # One more pixel, because the inner edge of a reduced frame is a mixture.
        top, bottom = top + int(rows[0]) + 1, top + int(rows[-1])
        left, right = left + int(columns[0]) + 1, left + int(columns[-1])


def _inked(small: np.ndarray) -> tuple[bool, np.ndarray]:
    """Return True if ink is darker than paper in a small picture, float32 `[h, w]`, and a mask of the ink.

    Ink differs most from the paper, which is the median of the picture, or of its border if ink crosses it. A close cut
    can have as much ink as paper: see `_vote`.
    """
    coarse = reduced(small, -(-max(small.shape) // COARSE))
    flat = coarse - plane(coarse)
    sides = (flat[0, 1:-1], flat[-1, 1:-1], flat[1:-1, 0], flat[1:-1, -1])
    crossed = sum(bool(side.size and np.ptp(side) > np.ptp(flat) / 2) for side in sides) > 1
    for tones in (small, small - plane(small)):
        above = tones > otsu(tones)
        if _has_two_tones(tones, above):
            darker, lighter = _thickness(~above), _thickness(above)
            if min(darker, lighter) < np.inf:
                dark = darker < lighter if max(darker, lighter) == np.inf else _vote(above, darker, lighter)
                return dark, ~above if dark else above
    flat -= np.median(np.concatenate(sides) if crossed else flat)
    return bool(flat.max() + flat.min() <= 0), np.zeros(small.shape, bool)


def _vote(above: np.ndarray, darker: float, lighter: float) -> bool:
    """Return True if ink is darker in a close cut, from the lighter pixels and the thickness of both tones.

    Paper covers more of the corners, the border and the picture, and ink has the thinner strokes. Each criterion alone
    is wrong in up to 8% of close cuts, their sum in 0.2%.
    """
    corners = [above[0, 0], above[0, -1], above[-1, 0], above[-1, -1]]
    shares = [float(np.mean(part)) for part in (corners, _border(above), above)]
    return bool(sum(2 * share - 1 for share in shares) + np.clip(np.log(lighter / darker), -1.5, 1.5) / 2 > 0)


def _has_two_tones(flat: np.ndarray, above: np.ndarray) -> bool:
    """Return True if nearly all variance is between pixels above and below the threshold, unlike in a gradient."""
    share = above.mean()
    if share in (0, 1):
        return False
    between = share * (1 - share) * (flat[above].mean() - flat[~above].mean()) ** 2
    return bool(between > TWO_TONES * flat.var())


def _thickness(mask: np.ndarray) -> float:
    """Return half the width of the widest stroke in a mask, without strips and frames; infinity for a mask of paper."""
    labels, _ = ndimage.label(mask, TOUCHING)
    strokes = mask.copy()
    for number in np.setdiff1d(_border(labels), 0):
        part = labels == number
        if _is_around(part) and part.mean() > LEAST_PAPER:
            return np.inf
        if _is_around(part, corners=3) or _is_strip(part):
            strokes &= ~part
    return float(ndimage.distance_transform_edt(np.pad(strokes, 1)).max()) if strokes.any() else np.inf


def _is_around(mask: np.ndarray, corners: int = 1) -> bool:
    """Return True if a mask surrounds the picture and reaches this many corners; a 0 in a close cut reaches none."""
    height, width = (max(1, round(CORNER * side)) for side in mask.shape)
    each = (mask[:height, :width], mask[:height, -width:], mask[-height:, :width], mask[-height:, -width:])
    return bool(_border(mask).mean() > AROUND and sum(corner.any() for corner in each) >= corners)


def _is_strip(mask: np.ndarray) -> bool:
    """Return True if a mask fills a side of the picture and is no wider than a strip."""
    turned = [np.rot90(mask, turns) for turns in range(4)]
    return any(one[0].mean() > 0.9 and not one[round(STRIP * len(one)) :].any() for one in turned)


def _border(values: np.ndarray) -> np.ndarray:
    """Return the pixels on the border of a picture, `[2 (h + w) - 4]`."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def otsu(values: np.ndarray) -> float:
    """Return the threshold that minimises the variance within the two classes of values (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.flatnonzero(between == np.nanmax(between)) if len(values) and np.ptp(values) else np.array([0])
    return float(edges[1 + best].mean())  # within a gap between the classes, all thresholds are equally good


def _is_close_cut(inked: np.ndarray) -> bool:
    """Return True if the ink crosses the border of the picture and is not a strip of something next to the paper."""
    labels, _ = ndimage.label(inked, TOUCHING)
    touching = set(_border(labels).tolist())
    crossing, within = 0, 0
    for number, (down, over) in enumerate(ndimage.find_objects(labels), 1):
        span = max(down.stop - down.start, over.stop - over.start)
        if number not in touching:
            within = max(within, span)
        elif not _is_strip(labels == number) and not _is_around(labels == number, corners=3):
            crossing = max(crossing, span)
    return crossing > 0.5 * max(inked.shape) and within < 0.4 * crossing


def _with_margin(light: np.ndarray, inked: np.ndarray, factor: int, margin: int) -> np.ndarray:
    """Return a picture surrounded by paper, which continues the brightness of the border without the ink there.

    `inked` is a mask of the ink in the picture reduced by `factor`.
    """
    away = ndimage.distance_transform_edt(~inked)
    clear = away >= np.median(away[~inked])  # pixels next to ink are mixtures
    nearest = ndimage.distance_transform_edt(~clear, return_distances=False, return_indices=True)
    paper = plane(reduced(light.astype(np.float32), factor)[tuple(nearest)])
    height, width = light.shape
    blank = resized(paper, 1 / factor, (0, 0, width, height), light.shape)
    padded = np.minimum(np.pad(light, margin, mode="edge"), np.pad(blank, margin, mode="edge"))
    padded[margin:-margin, margin:-margin] = light
    return np.asarray(padded, np.uint8)


def sheet(grey: np.ndarray) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Return the sheet of paper in a picture, cut out, uint8 `[h, w]`, and the position of its first pixel.

    Areas outside the sheet are filled with the grey of its paper. Returns None if the paper fills the picture.
    """
    factor = -(-max(grey.shape) // SMALL)
    small = reduced(grey.astype(np.float32), factor)
    flat = ndimage.median_filter(small, 3)
    above = flat > otsu(flat)
    found = [own for mask in (above, ~above) if (own := _largest(mask)) is not None and _is_sheet(own, mask, flat)]
    if not found:
        return None
    own = max(found, key=lambda mask: (int(ndimage.binary_fill_holes(mask).sum() > mask.sum()), int(mask.sum())))
    whole = ndimage.binary_erosion(ndimage.binary_fill_holes(own), TOUCHING, iterations=2)
    if not whole.any():
        return None
    inside = ndimage.distance_transform_edt(~(whole & own), return_distances=False, return_indices=True)
    paper = ndimage.gaussian_filter(small[tuple(inside)], 2)
    height, width = grey.shape
    corners = (0, 0, width, height)
    lies = resized(whole.astype(np.float32), 1 / factor, corners, grey.shape) > 0.5
    painted = np.where(lies, grey, resized(paper, 1 / factor, corners, grey.shape))
    rows, columns = np.flatnonzero(lies.any(1)), np.flatnonzero(lies.any(0))
    if not len(rows):
        return None
    cut = painted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(np.rint(cut), np.uint8), (int(rows[0]), int(columns[0]))


def _largest(mask: np.ndarray) -> np.ndarray | None:
    """Return the largest connected part of a mask; None if there is none, or several as large, as in a printed form."""
    labels, count = ndimage.label(mask)
    sizes = np.sort(np.bincount(labels.ravel())[1:])
    if not count or (count > 1 and sizes[-2] > 0.3 * sizes[-1]):
        return None
    own: np.ndarray = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return own


def _is_sheet(own: np.ndarray, tone: np.ndarray, small: np.ndarray) -> bool:
    """Return True if a mask of a small picture, the largest part of the pixels of its `tone`, is a sheet of paper.

    A sheet is convex, a rectangle unless the border of the picture cuts it, wider than everything on it, and has sharp
    edges, unlike a shadow.
    """
    whole = ndimage.binary_fill_holes(own)
    area = int(whole.sum())
    if not LEAST_SHEET * own.size < area < 0.97 * own.size or _thickness_of(own) < 0.12 * area**0.5:
        return False
    edge = whole & ~ndimage.binary_erosion(whole, TOUCHING, border_value=1)  # without the border of the picture
    if _thickness_of(own) < 2 * _thickness_of(whole & ~tone):
        return False
    step = abs(float(small[own].mean()) - float(small[~whole].mean()))
    around = ndimage.maximum_filter(small, 5) - ndimage.minimum_filter(small, 5)
    if np.mean(around[edge] > step / 2) < 0.85:
        return False
    if _border(~whole).mean() < LEAST_DESK or not any(
        bool(~whole[corner]) for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1))
    ):
        return False  # ink that crosses the border of the paper
    from scipy import spatial  # takes 40 ms to import, and most pictures do not show a sheet on a desk

    points = np.argwhere(whole & ~ndimage.binary_erosion(whole, TOUCHING))
    corners = np.concatenate([points + np.array(place) for place in np.ndindex(2, 2)])
    hull = spatial.ConvexHull(corners)
    if area < CONVEX * hull.volume:
        return False
    contact = sum(int(side.sum()) for side in (whole[0], whole[-1], whole[:, 0], whole[:, -1]))
    return area > RECTANGULAR * _rectangle(corners[hull.vertices]) or contact > LEAST_CONTACT * len(points)


def _thickness_of(mask: np.ndarray) -> float:
    return float(ndimage.distance_transform_edt(np.pad(mask, 1)).max())


def _rectangle(hull: np.ndarray) -> float:
    """Return the area of the smallest rectangle around a convex polygon, points `[n, 2]`; one side lies on an edge."""
    edges = np.diff(hull, axis=0, append=hull[:1])
    edges = edges / np.linalg.norm(edges, axis=1, keepdims=True)
    along, across = hull @ edges.T, hull @ np.stack([-edges[:, 1], edges[:, 0]])
    return float((np.ptp(along, axis=0) * np.ptp(across, axis=0)).min())
