"""Random affine maps, drawn here with numpy and applied by every framework in the same way.

A map takes the coordinates of an output pixel to the position in the input where its value is read. Coordinates run
from -1 to 1 between the picture's outer edges, x to the right and y down (as `affine_grid` of PyTorch with
`align_corners=False`). Outside the input is black. Values are interpolated bilinearly.
"""

import numpy as np

from tenfold.recipes import Recipe

SIDE = 28


def epoch(
    recipe: Recipe, count: int, number: int, chosen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the order of an epoch's pictures, int64 `[N]`, and their maps in that order, if the recipe augments.

    If only some pictures are `chosen`, by index, the order goes through these again and again.
    """
    rng = np.random.default_rng([recipe.seed, 1 + number])
    passes = 1 if chosen is None else -(-count // len(chosen))
    order = np.concatenate([rng.permutation(count if chosen is None else chosen) for _ in range(passes)])[:count]
    return order, draw(recipe, count, rng) if recipe.augments else None


def draw(recipe: Recipe, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` random maps, float32 `[count, 2, 3]`, each strength uniform within ± the recipe's.

    Each map is the inverse of: mirror with probability one half if the recipe has `flip`, scale and shear each axis,
    rotate, then shift.
    """
    angle = np.radians(rng.uniform(-recipe.rotation, recipe.rotation, count))
    scale = 1 + rng.uniform(-recipe.scale, recipe.scale, (2, count))
    shear = rng.uniform(-recipe.shear, recipe.shear, count)
    shift = rng.uniform(-recipe.shift, recipe.shift, (2, count)) * (2 / SIDE)  # pixels to coordinates
    cos, sin = np.cos(angle), np.sin(angle)
    # Forward: rotation · [[scale_x, shear], [0, scale_y]]; inverted by hand, N matrices of 2×2.
    forward = np.array([[cos * scale[0], cos * shear - sin * scale[1]], [sin * scale[0], sin * shear + cos * scale[1]]])
    (a, b), (c, d) = forward
    linear = np.array([[d, -b], [-c, a]]) / (a * d - b * c)  # [2, 2, N]
    maps = np.empty((count, 2, 3), np.float32)
    maps[:, :, :2] = linear.transpose(2, 0, 1)
    maps[:, :, 2] = -np.einsum("ijn,jn->ni", linear, shift)
    if recipe.flip:
        maps[:, 0] *= rng.choice(np.array([-1, 1], np.float32), (count, 1))  # last, as the inverse
    return maps
