"""A digit and what spoke for it as PNG files of a few hundred bytes, for pages that show hundreds of them.

28×28 pixels each; the page enlarges them (CSS `image-rendering: pixelated`).
"""

import io
from functools import cache

import numpy as np
from PIL import Image

from tenfold.report.figures.style import DIVERGING

INKS, SHARES = 4, 9  # levels of ink and of saliency in the palette: more could not be told apart this small
PALE = 0.3  # how dark full ink is under the colours


def digit(image: np.ndarray) -> bytes:
    """Return a PNG of one uint8 picture `[28, 28]`, black on white as in print."""
    return _png(Image.fromarray(255 - image))


def overlay(image: np.ndarray, saliency: np.ndarray) -> bytes:
    """Return a PNG of the uint8 picture `[28, 28]` in pale grey under its `saliency`, float `[28, 28]`.

    Orange pixels spoke for the answer, blue ones against it, the strongest of the picture in full colour.
    """
    strongest = max(float(np.abs(saliency).max()), 1e-12)
    ink = np.round(image / 255 * (INKS - 1)).astype(np.uint8)
    share = np.round((saliency / strongest + 1) / 2 * (SHARES - 1)).astype(np.uint8)
    sheet = Image.fromarray(ink * np.uint8(SHARES) + share)
    sheet.putpalette(_palette())
    return _png(sheet)


@cache
def _palette() -> bytes:
    """Return the colour of each level of ink and saliency, in the order in which `overlay` numbers them."""
    colours = DIVERGING.resampled(SHARES)(np.arange(SHARES))[:, :3]  # [SHARES, 3], white in the middle
    grey = 1 - PALE * np.linspace(0, 1, INKS)
    shades: np.ndarray = np.round(255 * grey[:, None, None] * colours)
    return shades.astype(np.uint8).tobytes()


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()
