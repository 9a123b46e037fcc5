"""The data: classes, examples, their mean and spread, grey levels, near-duplicates."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from tenfold.data.split import Samples
from tenfold.report.figures import style
from tenfold.report.figures.style import headline, shown

HATCHES = ("", "///", "...")  # beside colour, a part of the data each
COLUMNS = 5  # of pairs
EXAMPLES = 15  # of each class
ROW = 10  # pictures with captions


def class_distribution(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Figure:
    """Draw the share of each class in each part of the data, from the pictures per class of each part, by name."""
    figure, ((axis,),) = style.new(3.0)
    numbers = {part: np.asarray(of_part) for part, of_part in counts.items()}
    shares = {part: of_part / max(of_part.sum(), 1) for part, of_part in numbers.items()}
    width = 0.8 / len(shares)
    for at, (part, share) in enumerate(shares.items()):
        x = np.arange(len(classes)) + (at - (len(shares) - 1) / 2) * width
        label = f"{part}, {numbers[part].sum():,} pictures"
        bars = axis.bar(x, share, width * 0.92, hatch=HATCHES[at % 3], edgecolor="white", label=label)
        axis.bar_label(bars, [f"{count:,}" for count in numbers[part]], rotation=90, fontsize=7, padding=2)
    rotation = 30 if max(map(len, classes)) > 6 else 0
    axis.set_xticks(range(len(classes)), [shown(name) for name in classes], rotation=rotation)
    axis.set(xlabel="class", ylabel="share of the part's pictures")
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.set_ylim(0, max(float(share.max()) for share in shares.values()) * 1.25)  # room for the counts
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(shares), borderaxespad=0)
    headline(figure, _balance(shares, classes))
    return figure


def _balance(shares: Mapping[str, np.ndarray], classes: Sequence[str]) -> str:
    first, share = next(iter(shares.items()))
    high, low = share.max(), share.min()
    finding = f"All classes are equally large in {first} ({high:.1%})"
    if high != low:
        most, least = (
            [shown(name) for name, its in zip(classes, share, strict=True) if its == end] for end in (high, low)
        )
        largest = "is the largest class" if len(most) == 1 else "are the largest classes"
        finding = (
            f"{style.listed(most)} {largest} ({high:.1%} of {first}), {style.listed(least)} the smallest ({low:.1%})"
        )
    gap = 100 * max(float(np.abs(other - share).max()) for other in shares.values())
    differ = f";\nbetween the parts, a class differs by at most {gap:.2f} percentage points" if len(shares) > 1 else ""
    return finding + differ


def examples(images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the first pictures of each class in its row, from uint8 `[N, 28, 28]` and int64 `[N]`."""
    height, width = images.shape[1:]
    sheet = np.zeros((len(classes), EXAMPLES, height, width), images.dtype)  # blank where a class has no more
    for at in range(len(classes)):
        few = images[labels == at][:EXAMPLES]
        sheet[at, : len(few)] = few
    figure, ((axis,),) = style.new(0.3 + 0.43 * len(classes))
    style.grid_of_pictures(axis, sheet.reshape(-1, height, width), EXAMPLES)
    for at, name in enumerate(classes):
        axis.text(-6, at * (height + 1) + height / 2, shown(name), ha="right", va="center")
    absent = [shown(name) for at, name in enumerate(classes) if not np.any(labels == at)]
    lacking = f"; there is no picture of {', '.join(absent)}" if absent else ""
    first = f"first {EXAMPLES} pictures" if np.bincount(labels).max(initial=0) > EXAMPLES else "pictures"
    headline(figure, f"The {first} of each class, of {len(labels):,} in all{lacking}")
    return figure


def captioned(images: np.ndarray, captions: Sequence[str], finding: str) -> Figure:
    """Draw pictures, uint8 `[N, 28, 28]`, a caption of one or two lines over each, under the `finding`."""
    rows = max(1, -(-len(images) // ROW))
    gap, size = (13, 6.5) if any("\n" in caption for caption in captions) else (10, 9)
    figure, ((axis,),) = style.new(0.5 + 0.72 * rows)
    axis.set_axis_off()
    if len(images):
        style.grid_of_pictures(axis, images, ROW, gap, captions, size)
    headline(figure, finding)
    return figure


def mean_and_deviation(images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the mean and the standard deviation of each pixel in each class, uint8 `[N, 28, 28]` and int64 `[N]`."""
    shape = (len(classes), *images.shape[1:])
    mean, deviation = np.full(shape, np.nan), np.full(shape, np.nan)
    for at in range(len(classes)):
        members = images[labels == at].astype(np.float32)
        if len(members):
            mean[at], deviation[at] = members.mean(0, dtype=np.float64), members.std(0, dtype=np.float64)
    rows = [
        ("mean", "grey level", mean, "gray_r", 0.0, np.nanmax(mean)),
        ("standard\ndeviation", "grey level", deviation, style.SEQUENTIAL, 0.0, np.nanmax(deviation)),
    ]
    figure = style.picture_of_each_class(classes, rows)
    spread = np.sqrt(np.mean(deviation**2, axis=(1, 2)))
    most, least = int(np.nanargmax(spread)), int(np.nanargmin(spread))
    headline(
        figure,
        f"{shown(classes[most])} varies most from picture to picture, {shown(classes[least])} least: "
        f"{spread[most]:.0f} and {spread[least]:.0f} of 255 grey levels",
    )
    return figure


def intensity_histogram(images: np.ndarray) -> Figure:
    """Draw how many pixels have each grey level, from uint8 `[N, 28, 28]`."""
    # In pieces, since counting turns bytes into 64-bit integers.
    pieces = np.array_split(images, -(-len(images) // 5_000))
    counts = np.sum([np.bincount(piece.ravel(), minlength=256) for piece in pieces], axis=0)
    levels, total = np.arange(256), counts.sum()
    mean = float((counts * levels).sum() / total)
    deviation = float(np.sqrt((counts * (levels - mean) ** 2).sum() / total))
    figure, ((axis,),) = style.new(2.8)
    axis.stairs(counts / total, np.arange(257) - 0.5, fill=True, color=style.COLOURS[0])
    axis.axvline(mean, color=style.COLOURS[4], linestyle="--", label=f"mean {mean:.1f}")
    label = f"one standard deviation ({deviation:.1f}) around it"
    axis.axvspan(max(mean - deviation, 0), mean + deviation, color=style.COLOURS[4], alpha=0.12, lw=0, label=label)
    headline(figure, f"{counts[0] / total:.0%} of the pixels are black (0), {counts[255] / total:.1%} white (255)")
    axis.set(yscale="log", xlim=(-2, 257))
    axis.set(xlabel="grey level, 0 black to 255 white", ylabel="share of all pixels, logarithmic")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.4%}".rstrip("0%").rstrip(".") + "%"))
    axis.legend(loc="upper center", ncols=2)
    return figure


def duplicates(
    train: Samples, validation: Samples, nearest: np.ndarray, distances: np.ndarray, classes: Sequence[str]
) -> Figure:
    """Draw the distances of validation pictures to the nearest training pictures, and the closest pairs.

    `nearest` int64 `[V]` and `distances` `[V]`, of pixels from 0 to 1, are by `similarity.nearest`. The pairs are the
    closest one of each class, then the closest ones whose labels differ.
    """
    order = distances.argsort(kind="stable")
    differ = order[train.labels[nearest[order]] != validation.labels[order]]
    closest = [order[validation.labels[order] == at][:1] for at in range(len(classes))]
    pairs = np.concatenate([*closest, differ[:COLUMNS]])
    rows = -(-len(pairs) // COLUMNS)
    figure, ((axis,), (below,)) = style.new(1.9 + 0.95 * rows, 2, 1, height_ratios=[1.4, 0.95 * rows])
    axis.hist(distances, bins=60, color=style.COLOURS[0])
    label = "distance to the nearest training picture (Euclidean, pixels from 0 to 1)"
    axis.set(xlim=(0, None), xlabel=label, ylabel="validation\npictures")
    its = nearest[pairs]
    both = np.concatenate([train.images[its], validation.images[pairs]], axis=2)  # [P, 28, 56]
    labels = [dict.fromkeys(pair) for pair in zip(train.labels[its], validation.labels[pairs], strict=True)]
    captions = [
        " | ".join(shown(classes[label], 11) for label in one) + f"\n{distance:.2f} apart"
        for one, distance in zip(labels, distances[pairs], strict=True)
    ]
    style.grid_of_pictures(below, both, COLUMNS, 18, captions, 9)
    figure.supxlabel("On the left of each pair is the training picture, on the right the validation one", fontsize=9)
    copies = int((distances == 0).sum())
    verb = "are" if copies > 1 else "is"
    finding = f"{copies or 'None'} of {len(distances):,} validation pictures {verb} in training too;\n"
    finding += f"the closest pair is {distances[order[0]]:.2f} apart"
    finding += f", the closest with different labels {distances[differ[0]]:.2f}" if len(differ) else ""
    headline(figure, finding)
    return figure
