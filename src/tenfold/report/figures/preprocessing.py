"""What becomes of a picture on its way into the network. The arrays are those that training makes (`Prepared`)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tenfold.report.figures import style
from tenfold.report.figures.texts import headline, panel, shown

STEPS = ("raw, 8-bit", "augmented", "normalised: what the network gets")
COLUMNS, LARGEST = 16, 128  # pictures a row and in all, of a batch


def steps(raw: np.ndarray, augmented: np.ndarray, normalised: np.ndarray) -> Figure:
    """Draw one picture `[28, 28]` at each step, with its range: uint8, float 0 to 255, float around 0."""
    figure, axes = style.new(2.7, 1, 3)
    pictures = [np.asarray(picture, np.float64) for picture in (raw, augmented, normalised)]
    for axis, title, picture in zip(axes[0], STEPS, pictures, strict=True):
        drawn = axis.imshow(picture, cmap="gray_r", interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"{_number(picture.min())} to {_number(picture.max())}\nmean {picture.mean():.2f}")
        figure.colorbar(drawn, ax=axis, fraction=0.046, pad=0.03)
        panel(axis, title)
    ranges = [f"{_number(picture.min())} to {_number(picture.max())}" for picture in pictures]
    changed = float(np.abs(pictures[1] - pictures[0]).mean())
    maps = (
        f"Augmentation changes a pixel by {changed:.1f} grey levels on average" if changed else "Nothing is augmented"
    )
    headline(figure, f"{maps}; normalising takes {ranges[1]} to {ranges[2]}")
    return figure


def augmented_grid(raw: np.ndarray, variants: np.ndarray) -> Figure:
    """Draw pictures uint8 `[M, 28, 28]` and beside each its variants, float 0 to 255, `[M, K, 28, 28]`."""
    count = variants.shape[1]
    figure, axes = style.new(
        0.6 + len(raw) * 7.2 / (count + 1.5), 1, 2, width_ratios=(1, count), gridspec_kw={"wspace": 0.02}
    )
    style.grid_of_pictures(axes[0, 0], raw, 1)
    style.grid_of_pictures(axes[0, 1], variants.reshape(-1, *raw.shape[1:]), count)
    panel(axes[0, 0], "raw")
    panel(axes[0, 1], f"{count} variants of each, drawn at random")
    if np.array_equal(variants, np.broadcast_to(raw[:, None], variants.shape)):
        headline(figure, "This recipe changes no picture: every variant is the picture itself")
    else:
        moved = np.linalg.norm(_centre(variants) - _centre(raw)[:, None], axis=-1)  # [M, K]
        ink = variants.sum((2, 3)) / raw.sum((1, 2))[:, None] - 1
        headline(
            figure,
            f"This recipe moves the ink's centre by {moved.mean():.1f} pixels on average, {moved.max():.1f} at most,\n"
            f"and its amount by {np.abs(ink).mean():.0%} on average, {np.abs(ink).max():.0%} at most",
        )
    return figure


def batch(normalised: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a batch as the network gets it, float `[B, 28, 28]`, with the labels int64 `[B]` over the pictures."""
    pictures = normalised[:LARGEST]
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    height, width = pictures.shape[1:]
    gap = 9
    figure, ((axis,),) = style.new(0.7 + rows * 0.41)
    style.grid_of_pictures(axis, pictures, columns, gap)
    for at, label in enumerate(labels[:LARGEST]):
        x, y = (at % columns) * (width + gap) + width / 2, (at // columns) * (height + gap) - 1
        axis.text(x, y, shown(classes[label], 9), fontsize=6, ha="center", va="bottom")
    axis.set_ylim(rows * (height + gap) - gap, -gap)
    figure.colorbar(axis.images[0], ax=axis, label="standard deviations from the mean", fraction=0.02, pad=0.01)
    members = np.bincount(labels, minlength=len(classes))
    part = f", the first {len(pictures)} drawn" if len(pictures) < len(labels) else ""
    headline(
        figure,
        f"A batch of {len(labels):,}{part}: mean {normalised.mean():.2f}, standard deviation {normalised.std():.2f};\n"
        f"from {members.min()} ({shown(classes[int(members.argmin())])}) "
        f"to {members.max()} ({shown(classes[int(members.argmax())])}) pictures a class",
    )
    return figure


def _centre(pictures: np.ndarray) -> np.ndarray:
    """Return the centre of mass of the ink, `[..., H, W]` -> `[..., 2]` in pixels, down and to the right."""
    ink = pictures.astype(np.float64)
    total = ink.sum((-2, -1))
    down, right = (np.arange(size) for size in ink.shape[-2:])
    return np.stack([(ink.sum(-1) * down).sum(-1) / total, (ink.sum(-2) * right).sum(-1) / total], -1)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.2f}"
