import struct

import pytest
from tensorboardX.proto.event_pb2 import Event

from tenfold import tensorboard


def _events(path):
    """Read TFRecords as their format says: length, its checksum, content, its checksum."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield Event.FromString(content[at + 12 : at + 12 + length])
        at += 12 + length + 4


def _scalars(path):
    return {(value.tag, e.step): (value.simple_value, e.wall_time) for e in _events(path) for value in e.summary.value}


def test_every_number_of_the_history_is_there(run, tmp_path):
    path = tensorboard.write(run.history, tmp_path / "new" / "folder")
    assert "tfevents" in path.name
    scalars = _scalars(path)
    assert {tag for tag, _ in scalars} == set(tensorboard.TAGS.values())
    assert len(scalars) == sum(key in tensorboard.TAGS for line in run.history for key in line)
    for line in run.history:
        for key in line.keys() & tensorboard.TAGS.keys():
            value, wall_time = scalars[tensorboard.TAGS[key], line["step"]]
            assert value == pytest.approx(line[key], rel=1e-6)
            assert wall_time == pytest.approx(line["seconds"])


def test_a_history_without_validation_or_without_a_line(run, tmp_path):
    events = tmp_path / "events"
    line = {key: value for key, value in run.history[0].items() if not key.startswith("validation")}
    tags = {tag for tag, _ in _scalars(tensorboard.write([line], events))}
    assert tags == {"loss/train", "accuracy/train", "learning_rate"}
    assert _scalars(tensorboard.write([], events)) == {}
    assert len(list(events.iterdir())) == 1  # writing again replaces
