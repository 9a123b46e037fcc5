# %% [markdown]
# # 8 · Your own handwriting
#
# You train a network that reads 99 of 100 digits, draw a 7 on your screen, and it says 3.
# Nearly everyone who builds one of these makes that discovery. This notebook shows why it
# happens, what is done about it before the network sees anything, and how a network learns
# *your* hand from a few dozen drawings.
#
# A network first, trained for seconds.

# %% small="train_size, sheets = 10_000, 4"
train_size, sheets = 55_000, 12  # training pictures; how often each digit is drawn

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

temporary = TemporaryDirectory()
workspace = Path(temporary.name)
recipe = recipes.override(recipes.quick(), [f"train_size={train_size}"])
run = train.train(recipe, workspace / "quick")
print(f"{evaluate.evaluate([run])[0].score.accuracy:.2%} of the validation pictures")

# %% [markdown]
# ## Somebody draws
#
# We need drawings that nobody has prepared. These are made by a program that moves a pen from
# corner to corner, on a canvas of 280×280 pixels, black on white, not quite in the middle and
# with an unsteady hand. Its 1 has a flag and its 7 a bar, as many people write them. Put your
# own drawings in their place when you have been through: that is an exercise below.

# %%
import numpy as np

STROKES = [  # of each digit: the corners on a grid of ten by ten, x and y, a string a stroke
    ["31 12 06 18 39 58 66 63 51 31"],
    ["14 31 39"],
    ["12 31 51 63 54 19 69"],
    ["12 31 51 63 44 34 54 66 68 49 29 18"],
    ["31 06 66", "44 49"],
    ["61 21 15 44 66 68 49 19"],
    ["51 23 16 18 39 58 66 45 16"],
    ["11 61 39", "25 55"],
    ["41 22 23 66 68 49 29 18 16 63 62 41"],
    ["64 45 24 12 31 51 63 64 59"],
]
labels = np.repeat(np.arange(10), sheets)

# %%
from PIL import Image, ImageDraw


def sketch(digit: int, pen: int, seed: int, slant: float = 0) -> np.ndarray:
    rng, canvas = np.random.default_rng([seed, digit]), Image.new("L", (280, 280), 255)
    size, corner = rng.uniform(13, 19), rng.uniform(10, 70, 2)
    for stroke in STROKES[digit]:
        grid = np.array([(int(x), int(y)) for x, y in stroke.split()])
        leaning = grid + slant * (9 - grid[:, 1:]) * [1, 0] + rng.normal(0, 0.15, grid.shape)
        corners = [tuple(point) for point in leaning * size + corner]
        ImageDraw.Draw(canvas).line(corners, 0, pen, "curve")
    return np.asarray(canvas)


drawn = [sketch(label, pen=6, seed=at) for at, label in enumerate(labels)]

# %% [markdown]
# ## The obvious way fails
#
# A network takes 28×28 pixels, so the obvious thing is to make the drawing that small, turn
# it to white on black, and ask. Here is what the network then sees.

# %%
from tenfold import predict
from tenfold.handwriting import picture
from tenfold.report.figures import data as figures


def share(answers: list[predict.Answer]) -> float:
    pairs = zip(answers, labels, strict=True)
    return np.mean([one.label == str(label) for one, label in pairs])


reader = predict.open_reader(run.folder)
resized = np.array([picture.plain(255 - canvas) for canvas in drawn])
obvious = share(reader.answer(resized))
figures.examples(resized, labels, "0123456789")

# %% [markdown]
# Compare these with MNIST's own in notebook 1. Ours are thin and pale, off the middle, and too
# small. The network has never seen such pictures, and whatever it says to them is no more than
# a guess. It is not stupid: it answers well to *pictures like those it learnt from*, and
# nothing else was ever promised.
#
# We could teach it all kinds of pictures. It is simpler to make every picture one of MNIST's.
#
# ## What MNIST did
#
# MNIST's pictures were made by rules: the digit is fitted into 20×20 pixels, its aspect kept,
# and laid into 28×28 so that its *centre of mass* (the middle of all the ink) is in the
# middle. `picture.read` does the same with any picture: it finds the ink, whether dark on
# light or light on dark; leaves out specks, ruled lines and frames; brings the stroke to the
# width that MNIST has; and then follows the rules. Here is the way of one drawing, step by
# step.

# %%
from tenfold import steps

reading = picture.read(drawn[7 * sheets], steps=True)
steps.draw(reading.steps, str(*reader.read([reading])))

# %% [markdown]
# The same drawings, read in this way:

# %%
readings = [picture.read(canvas) for canvas in drawn]
contract = share(reader.read(readings))
print(f"{obvious:.0%} right when only resized, {contract:.0%} when made as MNIST's were")
assert contract > obvious + 0.2
figures.examples(np.array([one.image for one in readings]), labels, "0123456789")

# %% [markdown]
# ## Thick and thin
#
# How much can the pen change? From a hair to a marker, with both ways of preparing:

# %%
from tenfold.report.figures import style

pens, right = (1, 3, 6, 12, 20, 28), {"only resized": [], "made as MNIST's were": []}
for pen in pens:
    inked = [sketch(label, pen, seed=100 + at) for at, label in enumerate(labels)]
    plain = np.array([picture.plain(255 - canvas) for canvas in inked])
    right["only resized"].append(share(reader.answer(plain)))
    right["made as MNIST's were"].append(share(reader.read([*map(picture.read, inked)])))
figure, ((axes,),) = style.new(2.6)
for way, shares in right.items():
    axes.plot(pens, shares, marker="o", label=way)
axes.set(xlabel="width of the pen, in pixels of 280", ylabel="share right", ylim=(0, 1.03))
axes.legend(loc="center right")
figure

# %% [markdown]
# ## Knowing when not to answer
#
# What should be said to an empty sheet, a scribble, or two digits at once? A network always
# has an answer: it was never taught "none of these". So the contract looks first, and where
# there is a digit but the network is not sure, the verdict says so.


# %%
def scribble(seed: int) -> np.ndarray:
    canvas = Image.new("L", (280, 280), 255)
    corners = np.random.default_rng(seed).uniform(60, 220, (12, 2))
    ImageDraw.Draw(canvas).line([tuple(corner) for corner in corners], 0, 8, "curve")
    return np.asarray(canvas)


# %%
from collections import Counter

odd = {
    "an empty sheet": [np.full((280, 280), 255, np.uint8)],
    "noise": [np.random.default_rng(0).integers(0, 256, (280, 280), np.uint8)],
    "two digits": [np.hstack([sketch(4, 8, 1), sketch(2, 8, 2)])],
    "twenty scribbles": [scribble(seed) for seed in range(20)],
}
for name, canvases in odd.items():
    given = reader.read([picture.read(canvas) for canvas in canvases])
    verdicts = Counter(answer.verdict for answer in given)
    print(f"{name:17}", ", ".join(f"{verdict} ({n})" for verdict, n in verdicts.items()))
    assert verdicts["sure"] <= len(given) // 10

# %% [markdown]
# ## Learning one hand
#
# Some habits no preparing can mend. Here is somebody who leans far to the right. Fifty
# drawings go into a folder, each into the folder of its digit: that is all that a *dataset of
# one's own* is.

# %%
own = workspace / "my-digits"
for at, label in enumerate(np.tile(np.arange(10), 5)):
    place = own / str(label)
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sketch(label, 8, 200 + at, slant=0.9)).save(place / f"{at}.png")
print(*sorted(str(path.relative_to(workspace)) for path in own.glob("7/*.png")))

# %% [markdown]
# Now the network goes on learning, from where it is and with small steps: that is called
# **fine-tuning**. With the drawings alone it would soon know them by heart and forget the
# rest, so they are mixed with pictures that it knows, and each time turned and shifted a
# little. How good is it then? Asked for drawings it has learnt from, it would flatter itself.
# So five networks learn four fifths of the drawings each, and answer the fifth they never
# saw.

# %%
from tenfold import personal
from tenfold.data import catalog, folder

drawings, skipped = folder.read(own, like=catalog.MNIST)
learnt = personal.personalise(run, drawings, workspace / "mine")
for what, change in (
    ("these drawings", learnt.own),
    ("MNIST's validation pictures", learnt.known),
):
    before, after = change.before, change.after
    print(f"{what:28} {before.accuracy:7.2%} before, {after.accuracy:7.2%} after")
assert learnt.own.after.accuracy > learnt.own.before.accuracy

# %% [markdown]
# The second line is the price: what was lost on everybody else's digits. It should be small,
# and it should be looked at.
#
# ## Try it
#
# 1. Draw with your own hand: `tenfold serve --handwriting my-digits`, open the address, and
#    follow "draw me a 7". Then press "learn mine", or run
#    `tenfold train --from runs/quick-seed0 --data my-digits`.
# 2. Photograph a digit on paper and ask `tenfold predict photo.jpg --explain steps.png`. What
#    did it take for ink?
# 3. How many drawings does it take? Learn from 10, 20, 30 and 40 of the fifty, and draw the
#    curve, with an interval at each point.
#
# <details><summary>A solution of the third, for ten</summary>
# <pre><code>for path in own.glob("*/?.png"):  # 0.png to 9.png: one of each digit
#     place = workspace / "ten" / path.parent.name
#     place.mkdir(parents=True, exist_ok=True)
#     (place / path.name).write_bytes(path.read_bytes())
# ten, _ = folder.read(workspace / "ten", like=catalog.MNIST)
# learnt = personal.personalise(run, ten, workspace / "from-ten")
# print(learnt.own.after.interval)</code></pre>
# An interval so wide that there is hardly anything to say. That, too, is a result.
# </details>
#
# Next: [9 · Other characters](09_other_characters.ipynb).
