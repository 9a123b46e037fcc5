"""A picture on its way into the network, from the arrays that training makes (`Prepared`)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tenfold.report.figures import style
from tenfold.report.figures.style import headline, panel, shown

STEPS = ("raw, 8-bit", "augmented", "normalised: what the network gets")
LARGEST = 128  # pictures of a batch that are drawn


def steps(raw: np.ndarray, augmented: np.ndarray, normalised: np.ndarray) -> Figure:
    """Draw one picture `[28, 28]` at each step, with its range: uint8, float 0 to 255, float around 0."""
    figure, axes = style.new(2.7, 1, 3)
    pictures = [np.asarray(picture, np.float64) for picture in (raw, augmented, normalised)]
    for axis, title, picture in zip(axes[0], STEPS, pictures, strict=True):
        image = axis.imshow(picture, cmap="gray_r", interpolation="none")
        axis.set(xticks=[], yticks=[], xlabel=f"{_range(picture)}\nmean {_number(picture.mean())}")
        axis.spines[:].set_visible(False)
        figure.colorbar(image, ax=axis, fraction=0.046, pad=0.03)
        panel(axis, title)
    changed = float(np.abs(pictures[1] - pictures[0]).mean())
    maps = (
        f"Augmentation changes a pixel by {changed:.1f} grey levels on average" if changed else "Nothing is augmented"
    )
    headline(figure, f"{maps};\nnormalising takes {_range(pictures[1])} to {_range(pictures[2])}")
    return figure


def augmented_grid(raw: np.ndarray, variants: np.ndarray) -> Figure:
    """Draw pictures uint8 `[M, 28, 28]` and beside each its variants, float 0 to 255, `[M, K, 28, 28]`."""
    count = variants.shape[1]
    height, width = raw.shape[1:]
    figure, ((axis,),) = style.new(0.7 + len(raw) * style.WIDTH / (count + 1))
    rows = np.concatenate([raw[:, None], variants], 1)
    style.grid_of_pictures(axis, rows.reshape(-1, height, width), count + 1)
    axis.axvline(width, color=style.COLOURS[4])
    axis.text(width / 2, -2, "raw", ha="center", va="bottom")
    axis.text(width + 3, -2, f"{count} random variants of each", va="bottom")
    if np.array_equal(variants, np.broadcast_to(raw[:, None], variants.shape)):
        headline(figure, "This recipe changes no picture: every variant is the picture itself")
    else:
        moved = np.linalg.norm(_centre(variants) - _centre(raw)[:, None], axis=-1)  # [M, K]
        ink = variants.sum((2, 3)) / np.maximum(raw.sum((1, 2)), 1)[:, None] - 1
        headline(
            figure,
            f"This recipe moves the ink's centre by {moved.mean():.1f} pixels on average, {moved.max():.1f} at most,\n"
            f"and its amount by {np.abs(ink).mean():.0%} on average, {np.abs(ink).max():.0%} at most",
        )
    return figure


def batch(normalised: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a batch as the network gets it, float `[B, 28, 28]`, with the labels int64 `[B]` over the pictures."""
    pictures = normalised[:LARGEST]
    columns = min(16 if max(map(len, classes)) < 8 else 12, len(pictures))  # long names take room
    rows = -(-len(pictures) // columns)
    figure, ((axis,),) = style.new(0.6 + rows * 6.3 / columns)
    style.grid_of_pictures(axis, pictures, columns, 9, [shown(classes[label], 11) for label in labels[:LARGEST]])
    figure.colorbar(axis.images[0], ax=axis, label="standard deviations from the mean", fraction=0.02, pad=0.01)
    members = np.bincount(labels, minlength=len(classes))
    part = f", the first {len(pictures)} drawn" if len(pictures) < len(labels) else ""
    mean, deviation = _number(normalised.mean()), _number(normalised.std())
    headline(
        figure,
        f"A batch of {len(labels):,}{part}: mean {mean}, standard deviation {deviation};\n"
        f"from {members.min()} ({shown(classes[int(members.argmin())])}) "
        f"to {members.max()} ({shown(classes[int(members.argmax())])}) pictures per class",
    )
    return figure


def _centre(pictures: np.ndarray) -> np.ndarray:
    """Return the centre of mass of the ink, `[..., H, W]` -> `[..., 2]` in pixels, down and to the right."""
    ink = pictures.astype(np.float64)
    total = np.maximum(ink.sum((-2, -1)), 1)
    down, right = (np.arange(size) for size in ink.shape[-2:])
    return np.stack([(ink.sum(-1) * down).sum(-1) / total, (ink.sum(-2) * right).sum(-1) / total], -1)


def _range(picture: np.ndarray) -> str:
    return f"{_number(picture.min())} to {_number(picture.max())}"


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:g}".replace("-", "−")  # + 0.0: never "-0"
