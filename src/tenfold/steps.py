"""Drawings of the preprocessing: the steps from a picture to the input of the network, and the answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tenfold import files, predict
from tenfold.errors import DataError, UsageError
from tenfold.predict import Reader

SIDE = 224  # pixels of a panel, eight times 28
MARGIN, LETTERS = 16, 15


def targets(paths: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return the path of each file's drawing: NAME-steps.png in the folder `out`.

    For one file, `out` may be a .png. Raises `UsageError` if a drawing would replace a picture.
    """
    if out.suffix.lower() != ".png":
        names = [path.stem for path in paths]
        earlier = [names[:at].count(name) for at, name in enumerate(names)]
        unique = [f"{name}-{n + 1}" if n else name for name, n in zip(names, earlier, strict=True)]
        return {path: out / f"{name}-steps.png" for path, name in zip(paths, unique, strict=True)}
    if len(paths) > 1:
        raise UsageError(f"--explain must be a folder for {len(paths)} pictures, got {out}")
    if out.resolve() == paths[0].resolve():
        raise UsageError(f"{out} is the picture itself; choose another file")
    return {paths[0]: out}


def write(reader: Reader, targets: Mapping[Path, Path]) -> list[Path]:
    """Draw the steps of each readable file into its target, and return the paths written."""
    written: list[Path] = []
    for path, target in targets.items():
        try:
            shown, answer = predict.explain(reader, path)
        except DataError:
            continue  # its error is among the answers
        files.make_folder(target.parent)
        with files.atomic(target) as file:
            draw(shown, f"{answer} ({reader.source})").save(file, "PNG")
        written.append(target)
    return written


def draw(steps: Sequence[tuple[str, np.ndarray]], answer: str) -> Image.Image:
    """Draw the steps, (title, uint8 `[h, w]`) each, from left to right under their titles, with the answer below."""
    from PIL import ImageDraw, ImageFont  # takes 0.05 s to import

    font = ImageFont.load_default(LETTERS)
    top = 2 * MARGIN + LETTERS
    sheet = Image.new("RGB", (len(steps) * (SIDE + MARGIN) + MARGIN, top + SIDE + 2 * MARGIN + LETTERS), "white")
    pen = ImageDraw.Draw(sheet)
    for at, (title, grey) in enumerate(steps):
        left = MARGIN + at * (SIDE + MARGIN)
        pen.text((left, MARGIN), title, "black", font)
        panel = _fitted(grey)
        corner = (left + (SIDE - panel.width) // 2, top + (SIDE - panel.height) // 2)
        sheet.paste(panel, corner)
        pen.rectangle((corner[0] - 1, corner[1] - 1, corner[0] + panel.width, corner[1] + panel.height), None, "silver")
    pen.text((MARGIN, top + SIDE + MARGIN), answer, "black", font)
    return sheet


def _fitted(grey: np.ndarray) -> Image.Image:
    """Resize uint8 `[h, w]` to the size of a panel; enlarged pixels stay visible squares."""
    scale = SIDE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return Image.fromarray(grey).resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
