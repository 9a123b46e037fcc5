# %% [markdown]
# # 8 · Your own handwriting
#
# You train a network that reads 99 of 100 digits, draw a 7 on the screen, and it answers 3.
# Nearly everyone who builds one of these makes that discovery. This notebook shows the reason,
# the preprocessing that prevents it, and how a network learns *your* handwriting from a few
# dozen drawings.
#
# **After this notebook you can**
#
# - explain why a good network fails on drawings that were prepared differently;
# - prepare any picture as MNIST was made;
# - recognise pictures that should not get an answer;
# - fine-tune a network to one person's handwriting and measure what it gained and lost.
#
# **You need** [notebook 7](07_shipping.ipynb). **Time:** 60 minutes; the cells run for about 45
# seconds.

# %% small="train_size, sheets = 10_000, 4"
# training pictures; drawings of each digit
train_size, sheets = 55_000, 12

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

temporary = TemporaryDirectory()
workspace = Path(temporary.name)
recipe = recipes.override(recipes.quick(), [f"train_size={train_size}", "epochs=0.85"])
run = train.train(recipe, workspace / "quick")
accuracy = evaluate.evaluate([run])[0].score.accuracy
print(f"{accuracy:.2%} of the validation pictures correct")

# %% [markdown]
# ## Drawings
#
# We need drawings that nobody has prepared. The next cells make them with a program. It moves a
# pen from corner to corner on a canvas of 280×280 pixels, black on white, somewhat off the
# middle and with an unsteady hand. `STROKES` has a text for each stroke of a digit, which lists
# the corners, x and y, on a grid of ten by ten. The 1 has a flag and the 7 a bar, as many
# people write them. In exercise 1 you use your own drawings instead.

# %%
import numpy as np

labels = np.repeat(np.arange(10), sheets)
STROKES = [
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

# %%
from PIL import Image, ImageDraw


def sketch(digit: int, pen: int, seed: int, slant: float = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, digit])
    canvas = Image.new("L", (280, 280), 255)
    size, corner = rng.uniform(13, 19), rng.uniform(10, 70, 2)
    for stroke in STROKES[digit]:
        grid = np.array([(int(x), int(y)) for x, y in stroke.split()])
        leaning = grid + slant * (9 - grid[:, 1:]) * [1, 0] + rng.normal(0, 0.15, grid.shape)
        corners = [tuple(point) for point in leaning * size + corner]
        ImageDraw.Draw(canvas).line(corners, 0, pen, "curve")
    return np.asarray(canvas)


# %% [markdown]
# ## Resizing is not enough
#
# A network takes 28×28 pixels. The obvious way is to make the drawing that small, invert it to
# white on black, and ask. Here is what the network receives.

# %%
from tenfold import predict
from tenfold.handwriting import picture
from tenfold.report.figures import data as figures

drawn = [sketch(label, pen=6, seed=at) for at, label in enumerate(labels)]


def share_correct(answers: list[predict.Answer]) -> float:
    return np.mean([answer.label == str(labels[at]) for at, answer in enumerate(answers)])


reader = predict.open_reader(run.folder)
resized = np.array([picture.plain(255 - canvas) for canvas in drawn])
obvious = share_correct(reader.answer(resized))
figures.examples(resized, labels, "0123456789")

# %% [markdown]
# Compare these with MNIST's own pictures in notebook 1. Ours are thin, pale, small and off the
# middle. The network has never seen such pictures, and most of its answers are wrong (the share
# is printed below). It does well on *pictures like those it learned from*, and nothing more was
# ever promised.
#
# We could train it on all kinds of pictures. It is simpler to make every picture like MNIST's.
#
# ## MNIST's preprocessing
#
# MNIST's pictures were made by rules. The digit is scaled to fit into 20×20 pixels. Then it is
# placed in 28×28 pixels such that its *centre of mass*, the mean position of its ink, is in the
# middle. `picture.read` does this with any picture. It first finds the ink, dark on light or
# light on dark; it removes specks, ruled lines and frames, and gives the stroke the width that
# MNIST has. Here are the steps for one drawing.

# %%
from tenfold import steps
from tenfold.report.figures import style

reading = picture.read(drawn[7 * sheets], steps=True)
answer = reader.read([reading])[0]
steps.draw(reading.steps, str(answer))

# %% [markdown]
# The same drawings, prepared in this way:

# %%
readings = [picture.read(canvas) for canvas in drawn]
prepared = share_correct(reader.read(readings))
print(f"correct: {obvious:.0%} if only resized, {prepared:.0%} if prepared as MNIST was")
assert obvious < 0.5
assert prepared > obvious + 0.4
figures.examples(np.array([one.image for one in readings]), labels, "0123456789")

# %% [markdown]
# ## Thick and thin pens
#
# How much may the pen vary? We draw with pens from a hair to a marker and read the drawings in
# both ways.

# %%
pens, correct = (1, 3, 6, 12, 20, 28), {"only resized": [], "prepared as MNIST was": []}
for pen in pens:
    inked = [sketch(label, pen, seed=100 + at) for at, label in enumerate(labels)]
    plain = np.array([picture.plain(255 - canvas) for canvas in inked])
    correct["only resized"].append(share_correct(reader.answer(plain)))
    readings = [picture.read(canvas) for canvas in inked]
    correct["prepared as MNIST was"].append(share_correct(reader.read(readings)))
assert min(correct["prepared as MNIST was"]) > max(correct["only resized"]) + 0.2
figure, axes = style.new(2.6)
axis = axes[0, 0]
for way, shares in correct.items():
    axis.plot(pens, shares, marker="o", label=way)
axis.set(xlabel="width of the pen, in pixels of 280", ylabel="share correct", ylim=(0, 1.03))
axis.legend(loc="center left")
figure

# %% [markdown]
# With preprocessing, the width of the pen hardly matters. Without it, no pen is good enough: a
# thick one makes the stroke right, but not the size and the place.
#
# ## When not to answer
#
# What is the right answer to an empty sheet, a scribble, or two digits at once? A network
# always has an answer, because it never learned "none of these". So preprocessing looks first:
# it reports if there is no ink or if there are several digits. And if there is one digit but
# the confidence is too low, the verdict is "unsure".

# %%
from collections import Counter


def scribble(seed: int) -> np.ndarray:
    canvas = Image.new("L", (280, 280), 255)
    corners = np.random.default_rng(seed).uniform(60, 220, (12, 2))
    ImageDraw.Draw(canvas).line([tuple(corner) for corner in corners], 0, 8, "curve")
    return np.asarray(canvas)


odd = {"an empty sheet": [np.full((280, 280), 255, np.uint8)]}
odd["noise"] = [np.random.default_rng(0).integers(0, 256, (280, 280), np.uint8)]
odd["two digits"] = [np.hstack([sketch(4, 8, 1), sketch(2, 8, 2)])]
odd["twenty scribbles"] = [scribble(seed) for seed in range(20)]

# %%
for name, canvases in odd.items():
    answers = reader.read([picture.read(canvas) for canvas in canvases])
    verdicts = Counter(answer.verdict for answer in answers)
    print(f"{name:17}", ", ".join(f"{verdict} ({n})" for verdict, n in verdicts.items()))
    assert verdicts["sure"] <= len(answers) // 10

# %% [markdown]
# These checks are not perfect: now and then a scribble looks like a digit and gets an answer.
#
# ## Learning one person's handwriting
#
# Some habits cannot be removed by preprocessing. Here is somebody whose writing leans far to
# the right. We save fifty drawings, each in the folder of its digit. Such a folder of folders
# is all that a *dataset of your own* needs.

# %%
own = workspace / "my-digits"
for at in range(50):
    label = at % 10
    place = own / str(label)
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sketch(label, 8, 200 + at, slant=0.9)).save(place / f"{at}.png")
print(*sorted(str(path.relative_to(workspace)) for path in own.glob("7/*.png")))

# %% [markdown]
# The network continues to learn from its present weights, at a tenth of its learning rate:
# [fine-tuning](../docs/glossary.md#fine-tuning). From the drawings alone it would soon memorise
# them and forget other handwriting. So they are mixed with MNIST's pictures and
# [augmented](../docs/glossary.md#augmentation).
#
# How good is the network after that? On drawings that it learned from, the score
# would flatter it. So five networks each learn four fifths of the drawings and are scored on
# the fifth that they never saw: [cross-validation](../docs/glossary.md#cross-validation), as
# in notebook 6.

# %%
from tenfold import personal
from tenfold.data import catalog, folder

drawings = folder.read(own, like=catalog.MNIST)[0]
learned = personal.personalise(run, drawings, workspace / "mine")
results = {"these drawings": learned.own, "MNIST's validation pictures": learned.known}
for name, change in results.items():
    before, after = change.before, change.after
    print(f"{name:28} {before.accuracy:7.2%} before, {after.accuracy:7.2%} after")
assert learned.own.after.accuracy > learned.own.before.accuracy

# %% [markdown]
# The second line is the price: what was lost on the digits of everybody else. It should be
# small, and one should always look at it.
#
# ## Try it
#
# 1. **Your own hand.** Run `tenfold serve --handwriting my-digits`, open the address, choose
#    "Draw what I ask for" and draw some digits.
#    1. How many of your digits does the bundled model read?
#    2. Press "Learn mine", or run `tenfold train --from runs/quick-seed0 --data my-digits`.
#       What has changed, on your digits and on MNIST's?
# 2. **Paper.** Photograph a digit and run `tenfold predict photo.jpg --explain steps.png`.
#    1. What was taken for ink?
#    2. In which step does a bad photograph go wrong?
# 3. **How many drawings are enough?** Learn from 10 and from 30 of the fifty drawings.
#    1. What is the accuracy on drawings that were not learned, with its interval?
#    2. Can you say that 30 are better than 10?
#
# <details><summary>Solution of exercises 1 and 2</summary>
# Look at the verdicts as well as the answers: a digit that is read wrongly should be "unsure".
# In a photograph, a shadow, a ruled line or a second object can be taken for ink. The steps
# show the first picture in which something is missing or added. From Python:
# <pre><code>reading = picture.read(sketch(3, pen=6, seed=1), steps=True)
# answer = reader.read([reading])[0]
# steps.draw(reading.steps, str(answer))</code></pre>
# </details>
#
# <details><summary>Solution of exercise 3</summary>
# <pre><code>import shutil
# <br>
# count = 10
# for at in range(count):
#     place = workspace / f"first-{count}" / str(at % 10)
#     place.mkdir(parents=True, exist_ok=True)
#     shutil.copy(own / str(at % 10) / f"{at}.png", place)
# few = folder.read(workspace / f"first-{count}", like=catalog.MNIST)[0]
# after = personal.personalise(run, few, workspace / f"from-{count}").own.after
# print(count, f"{after.accuracy:.0%}", after.interval)</code></pre>
# Run it again with <code>count = 30</code>. The intervals of so few drawings are wide. If they
# overlap, this cannot be decided. That, too, is a result.
# </details>
#
# **Next:** [other characters](09_other_characters.ipynb).
