"""Pictures within answers: as data URLs, and the maps of a layer side by side on one sheet."""

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image

from tenfold.handwriting.picture import Reading
from tenfold.predict import Reader


def data_url(grey: np.ndarray) -> str:
    """Return uint8 `[H, W]` as the data URL of a PNG."""
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def sheet(maps: np.ndarray) -> np.ndarray:
    """Return float32 `[channels, H, W]` as one picture, uint8: the smallest value black, the largest white.

    The maps stand in rows of ⌈√channels⌉, close together; what is left over in the last row is black.
    """
    channels, height, width = maps.shape
    across = math.ceil(math.sqrt(channels))
    down = math.ceil(channels / across)
    low, high = float(maps.min()), float(maps.max())
    grid = np.zeros((down * across, height, width), np.uint8)
    grid[:channels] = np.rint(255 * (maps - low) / max(high - low, 1e-12))
    # [down, across, H, W] -> [down, H, across, W]
    return grid.reshape(down, across, height, width).swapaxes(1, 2).reshape(down * height, across * width)


def layer(name: str, maps: np.ndarray) -> dict[str, Any]:
    """Return what an answer says of a layer whose maps are float32 `[channels, H, W]`."""
    channels, height, width = maps.shape
    return {"layer": name, "height": height, "width": width, "channels": channels, "picture": data_url(sheet(maps))}


def explanation(reader: Reader, reading: Reading, steps: bool, maps: bool) -> dict[str, Any]:
    """Return what an answer says of how a picture was read (with `steps`) and what the layers made of it (`maps`)."""
    said: dict[str, Any] = {}
    if steps:
        said["image"] = None if reading.image is None else reading.image.tolist()
        said["steps"] = [{"title": title, "picture": data_url(shown)} for title, shown in reading.steps]
    if maps:
        layers = [] if reading.image is None else reader.maps(reading.image)
        said["maps"] = [layer(name, made) for name, made in layers]
    return said
