"""Answers: pictures that arrive together share one call of the model; explanations are pictures in an answer."""

import asyncio
import base64
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from tenfold.answers import Answer
from tenfold.handwriting.picture import Reading
from tenfold.predict import Reader


class Batcher:
    """Collect the pictures of one round of the event loop, and call the model once.

    No request waits for later ones. `reader` is called in each round, so the model can change.
    """

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self.reader = reader
        self.waiting: list[tuple[Reading, asyncio.Future[Answer]]] = []

    async def answer(self, reading: Reading) -> Answer:
        """Return the answer to a prepared picture."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self.waiting.append((reading, future))
        if len(self.waiting) == 1:
            loop.call_soon(self._answer_all)
        return await future

    def _answer_all(self) -> None:
        waiting, self.waiting = self.waiting, []
        waiting = [(reading, future) for reading, future in waiting if not future.done()]  # without cancelled requests
        try:
            answers = self.reader().read([reading for reading, _ in waiting])
        except Exception as error:  # a bug; all requests fail
            for _, future in waiting:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(waiting, answers, strict=True):
                future.set_result(answer)


def data_url(grey: np.ndarray) -> str:
    """Return uint8 `[H, W]` as the data URL of a PNG."""
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def sheet(maps: np.ndarray) -> np.ndarray:
    """Return float32 `[channels, H, W]` as one picture, uint8: the smallest value black, the largest white.

    The maps are in rows of ⌈√channels⌉, without gaps; the rest of the last row is black.
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
    """Return the part of an answer about a layer with maps float32 `[channels, H, W]`."""
    channels, height, width = maps.shape
    return {"layer": name, "height": height, "width": width, "channels": channels, "picture": data_url(sheet(maps))}


def explanation(reader: Reader, reading: Reading, steps: bool, maps: bool) -> dict[str, Any]:
    """Return the parts of an answer about the preprocessing (with `steps`) and about the layers (with `maps`)."""
    parts: dict[str, Any] = {}
    if steps:
        parts["image"] = None if reading.image is None else reading.image.tolist()
        parts["steps"] = [{"title": title, "picture": data_url(shown)} for title, shown in reading.steps]
    if maps:
        layers = [] if reading.image is None else reader.maps(reading.image)
        parts["maps"] = [layer(name, output) for name, output in layers]
    return parts
