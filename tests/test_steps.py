import io

import numpy as np
import pytest
from PIL import Image

from tenfold import steps
from tenfold.errors import UsageError


def test_each_file_has_its_drawing(tmp_path):
    paths = [tmp_path / name for name in ("a/7.png", "b/7.jpg", "8.png", "c/7.gif")]
    names = [path.name for path in steps.targets(paths, tmp_path).values()]
    assert names == ["7-steps.png", "7-2-steps.png", "8-steps.png", "7-3-steps.png"]


def test_one_file_may_have_it_where_it_likes(tmp_path):
    assert steps.targets([tmp_path / "7.jpg"], tmp_path / "out.PNG") == {tmp_path / "7.jpg": tmp_path / "out.PNG"}
    with pytest.raises(UsageError, match="2 pictures take a folder"):
        steps.targets([tmp_path / "7.jpg", tmp_path / "8.jpg"], tmp_path / "out.png")
    with pytest.raises(UsageError, match="is the picture itself"):
        steps.targets([tmp_path / "7.png"], tmp_path / "." / "7.png")


def test_the_steps_stand_side_by_side(mnist):
    grey = np.random.default_rng(0).integers(0, 256, (300, 100), np.uint8)
    sheet = np.asarray(steps.draw([("one", grey), ("two", mnist.images[0])], "5, 99.00%, sure"))
    assert sheet.shape[1] == 2 * (224 + 16) + 16
    left, top = 16 + 240, 2 * 16 + 15
    panel = sheet[top : top + 224, left : left + 224]
    assert (panel == np.kron(mnist.images[0], np.ones((8, 8), np.uint8))[..., None]).all()
    assert (sheet[-30:] < 128).any()


def test_what_can_be_read_is_drawn(reader, mnist, tmp_path):
    Image.fromarray(255 - np.pad(mnist.images[0], 4)).resize((180, 180)).save(tmp_path / "5.png")
    (tmp_path / "bad.png").write_text("no")
    targets = steps.targets([tmp_path / "bad.png", tmp_path / "5.png"], tmp_path / "drawn")
    assert steps.write(reader, targets) == [tmp_path / "drawn" / "5-steps.png"]
    content = (tmp_path / "drawn" / "5-steps.png").read_bytes()
    assert Image.open(io.BytesIO(content)).height == 224 + 4 * 16 + 2 * 15
