"""Write a run's history for TensorBoard."""

import tempfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from tenfold import extras, files

FILE = "events.out.tfevents.0.tenfold"  # always the same, so that writing again replaces it; "tfevents" is required
TAGS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "train_accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
    "learning_rate": "learning_rate",
}


def write(history: Iterable[dict[str, Any]], folder: Path) -> Path:
    """Write the lines of a run's history as an event file into `folder`, and return its path.

    Steps are those of the training. Their wall time is the seconds of training, so that the same history gives the same
    curves. Raises `TenfoldError` if tensorboardX is not installed.
    """
    extras.require("tensorboard", "writing TensorBoard files")
    tensorboard = import_module("tensorboardX")  # by name, as it has no types
    files.make_folder(folder)
    # The writer appends to a file whose name it chooses. So it writes elsewhere, and the file is moved here as a whole.
    with tempfile.TemporaryDirectory() as elsewhere:
        with tensorboard.SummaryWriter(elsewhere) as writer:
            for line in history:
                for key, tag in TAGS.items():
                    if key in line:
                        writer.add_scalar(tag, line[key], line["step"], line["seconds"])
        (events,) = Path(elsewhere).iterdir()
        with files.atomic(folder / FILE) as file:
            file.write(events.read_bytes())
    return folder / FILE
