import base64
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tenfold.serve import answering


def decoded(url):
    kind, _, content = url.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9))
def test_each_map_has_its_place_on_the_sheet(channels, height, width):
    maps = np.random.default_rng(channels).normal(size=(channels, height, width)).astype(np.float32)
    said = answering.layer("relu1", maps)
    sheet = decoded(said["picture"])
    across = sheet.shape[1] // width
    assert (across - 1) ** 2 < channels <= across**2
    assert (said["layer"], said["height"], said["width"], said["channels"]) == ("relu1", height, width, channels)
    low, high = maps.min(), maps.max()
    for channel in range(channels):
        row, column = divmod(channel, across)
        cut = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        np.testing.assert_allclose(cut / 255, (maps[channel] - low) / max(high - low, 1e-12), atol=0.51 / 255)
