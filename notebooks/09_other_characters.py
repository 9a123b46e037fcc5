# %% [markdown]
# # 9 · Other characters
#
# The methods of this course are not about digits alone. Here they meet other pictures: clothes,
# and then letters from a folder that you could have made. We look at what carries over and what
# does not. At the end, ten commands lead from nothing to a service that reads your own letters.
#
# **After this notebook you can**
#
# - train and score the same recipe on another dataset;
# - turn a folder of pictures into a dataset;
# - judge a score on few pictures;
# - go from a folder of letters to a served model.
#
# **You need** [notebook 7](07_shipping.ipynb) and [notebook 8](08_own_handwriting.ipynb).
# **Time:** 60 minutes; the cells run for about a minute.

# %% small="train_size, letters = 5_000, 12"
# training pictures; pictures of each letter
train_size, letters = 55_000, 60

# %% [markdown]
# ## Fashion-MNIST
#
# In 2017, because MNIST had become too easy, a group at Zalando made a dataset of the same size
# and shape that shows clothes: **Fashion-MNIST**. For Tenfold it is another name in the
# catalog.

# %%
from tenfold.data import catalog, split
from tenfold.report.figures import data as figures

clothes = split.split(catalog.FASHION_MNIST, 5_000, train_size=train_size)
digits = split.split(catalog.MNIST, 5_000, train_size=train_size)
figures.examples(clothes.train.images, clothes.train.labels, catalog.FASHION_MNIST.classes)

# %% [markdown]
# We train the recipe for digits and change only the name of the dataset.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

temporary = TemporaryDirectory()
workspace = Path(temporary.name)
quick = recipes.override(recipes.quick(), [f"train_size={train_size}", "epochs=0.85"])
scores = {}
for name in ("mnist", "fashion-mnist"):
    run = train.train(recipes.replace(quick, dataset=name), workspace / name)
    scores[name] = evaluate.evaluate([run])[0].score
    low, high = scores[name].interval
    print(f"{name:14} {scores[name].accuracy:.2%}  ({low:.2%} to {high:.2%})")
assert scores["mnist"].interval[0] > scores["fashion-mnist"].interval[1]

# %% [markdown]
# All the code carried over: loading, splitting, training, scoring. The accuracy did not. The
# [confusion matrix](../docs/glossary.md#confusion-matrix) shows which classes are confused.

# %%
from tenfold.report.figures import confusion

confusion.matrix(scores["fashion-mnist"].matrix, catalog.FASHION_MNIST.classes)

# %% [markdown]
# Shirts, pullovers, coats and T-shirts are confused; at 28×28 grey pixels, people confuse them
# too. Trousers and bags are easy. So an accuracy says as much about the pictures as about the
# method, and "99%" means nothing without the name of the dataset.
#
# How do two simple methods of notebook 2 do?

# %%
from tenfold import baselines

for name in ("nearest-centroid", "ridge"):
    on_digits = baselines.compare(digits, [name])[0].score.accuracy
    on_clothes = baselines.compare(clothes, [name])[0].score.accuracy
    print(f"{name:20} digits {on_digits:.1%}, clothes {on_clothes:.1%}")
    assert on_digits > on_clothes

# %% [markdown]
# Both are worse on clothes than on digits.
#
# ## A folder of your own
#
# Most people who need a classifier have neither digits nor clothes, but a folder. Ours will
# contain eight printed letters as on number plates and machine parts: of several sizes, a
# little turned, on uneven grey, with the noise of a cheap camera. A program draws them here;
# yours come from a scanner or a phone. Each picture is in the folder of its class. Two files of
# the B are faulty on purpose.

# %%
import numpy as np
from PIL import Image, ImageDraw, ImageFont


def plate(letter: str, seed: int) -> Image.Image:
    rng = np.random.default_rng([seed, ord(letter)])
    side, paper, ink = rng.integers((24, 150, 0), (80, 256, 90)).tolist()
    sheet = Image.new("L", (side, side), paper)
    font = ImageFont.load_default(size=float(rng.uniform(0.45, 0.7) * side))
    ImageDraw.Draw(sheet).text((side / 2, side / 2), letter, ink, font, "mm")
    sheet = sheet.rotate(rng.normal(0, 12), Image.Resampling.BICUBIC, fillcolor=paper)
    uneven = np.linspace(0, rng.normal(0, 25), side) + rng.normal(0, 14, (side, side))
    return Image.fromarray((np.asarray(sheet) + uneven).clip(0, 255).astype(np.uint8))


# %%
for letter in "BCDGOPQR":
    place = workspace / "letters" / letter
    place.mkdir(parents=True)
    for number in range(letters):
        plate(letter, number).save(place / f"{number}.png")
(workspace / "letters" / "B" / "broken.png").write_bytes(b"not a picture")
Image.new("L", (50, 50), 200).save(workspace / "letters" / "B" / "empty.png")
files = list(workspace.glob("letters/*/*.png"))
print(len(files), "files")

# %% [markdown]
# `folder.read` makes a dataset of it. Each picture is prepared as in notebook 8, so letters
# look like MNIST's digits afterwards. This works because a letter is ink on paper. (For
# pictures of other things, such as clothes, there is `plain=True`.) Files that cannot be used
# are skipped and listed. A fifth of each class is sealed as the test set.

# %%
from tenfold.data import folder

dataset, skipped = folder.read(workspace / "letters")
for path, reason in skipped[:5]:
    print(f"skipped {path}: {reason}")
assert {path for path, _ in skipped} >= {"B/broken.png", "B/empty.png"}
pictures = split.development(dataset)
figures.examples(pictures.images, pictures.labels, dataset.classes)

# %% [markdown]
# And the recipe once more. A few hundred pictures are few. `suited` sets a fifth of them aside
# as validation pictures and passes over the rest more often, so that there are enough training
# steps.

# %%
from tenfold.suited import suited

recipe = suited(recipes.quick(), dataset)
print(f"{len(pictures):,} pictures, {recipe.validation_size} of them for validation;", end=" ")
print(f"{recipe.epochs:.0f} epochs")
run = train.train(recipe, workspace / "run")
score = evaluate.evaluate([run])[0].score
low, high = score.interval
print(
    f"{score.correct} of {score.total} correct, {score.accuracy:.1%} ({low:.1%} to {high:.1%})"
)
assert score.accuracy > 0.8
confusion.matrix(score.matrix, dataset.classes)

# %% [markdown]
# Look at the interval before you look at the accuracy. With so few validation pictures it is
# wide, and it would be wide even if all answers were correct. Only more pictures make it
# narrower.
#
# ## From nothing to a served model
#
# Here are the ten commands for your own letters, in a terminal on Linux or macOS. You need git
# and Python 3.11 or newer, which some systems call `python3`. Each picture shows one letter.
# After the fourth command, copy your pictures into the folders: at least five of each letter;
# fifty are better.
#
# ```sh
# git clone ADDRESS-OF-THE-REPOSITORY tenfold && cd tenfold
# python -m venv .venv && . .venv/bin/activate
# pip install '.[all]'                        # some minutes, the first time
# mkdir -p letters/A letters/B letters/C      # a folder per letter: copy your pictures there
# tenfold data letters                        # what was read, what was skipped
# tenfold train --data letters --out runs/letters
# tenfold evaluate runs/letters               # on validation pictures: repeat as you improve
# tenfold evaluate --test runs/letters        # on the sealed test set: once, at the end
# tenfold export runs/letters --out letters.onnx
# tenfold serve letters.onnx                  # open the address that it prints, and draw
# ```
#
# On Windows, and for a smaller PyTorch, see [Set it up](../docs/setup.md).
#
# The next cell runs four of them with the folder made above, and prints the first lines of each
# answer. The letters have their own test set and their own ledger, in `runs/`.

# %%
import subprocess
import sys

commands = [
    "data letters",
    "train --data letters --out runs/letters",
    "evaluate --test runs/letters",
    "export runs/letters --out letters.onnx",
]
for command in commands:
    words = [sys.executable, "-m", "tenfold", *command.split()]
    done = subprocess.run(words, cwd=workspace, capture_output=True, text=True, check=True)
    first_lines = done.stdout.splitlines()[:4]
    print(f"$ tenfold {command}", *first_lines, "", sep="\n")

# %% [markdown]
# Now the last command: the service starts on a free port, and a client sends it the picture of
# a letter, as in notebook 7.

# %%
import re

import requests

words = [sys.executable, "-m", "tenfold", "serve", "letters.onnx", "--port", "0"]
pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
service = subprocess.Popen(words, cwd=workspace, **pipes)
address = re.search(r"http://\S+?(?=;)", service.stdout.readline()).group()
content = (workspace / "letters" / "R" / "0.png").read_bytes()
png = {"Content-Type": "image/png"}
reply = requests.post(f"{address}/predict", data=content, headers=png, timeout=10)
print(reply.json())
service.terminate()
assert service.wait(timeout=20) == 0

# %% [markdown]
# ## Results that carry over
#
# - **Carries over:** the split and the sealed test set, intervals and comparisons, the network
#   and its training, export and service. None of these depends on what a picture shows.
# - **Does not:** the accuracy, the length of the training, and how strong augmentation may be.
#   A 6 turned by 180° is a 9, but a turned O is still an O. And the preprocessing: it knows ink
#   on paper, and nothing about shoes.
#
# ## Try it
#
# 1. **Turned letters.** Turn letters by 30, 60 and 90 degrees.
#    1. Which are still read correctly?
#    2. What happens to the confidence and the verdict?
# 2. **Mirrored pictures.** A mirrored shoe is still a shoe.
#    1. Which of our eight letters stay the same if mirrored left to right? If mirrored top to
#       bottom?
#    2. Train clothes with `flip=True` for three epochs, and without. Is the difference larger
#       than the intervals?
# 3. **Your own things.** Photograph ten things of two kinds, twenty pictures each, and run
#    `tenfold train --data things --plain`.
#    1. How wide is the interval of the accuracy?
#    2. Do two pictures of the same thing stand on both sides of the split? What follows for the
#       score?
#
# <details><summary>Solution of exercise 1</summary>
# <pre><code>from tenfold import predict
# <br>
# reader = predict.open_reader(run.folder)
# for degrees in (0, 30, 60, 90):
#     turned = [plate(name, 999).rotate(degrees, fillcolor=200) for name in dataset.classes]
#     answers = reader.read([reader.prepare(np.asarray(one)) for one in turned])
#     print(degrees, *(answer.label or "-" for answer in answers), answers[0])</code></pre>
# With so few validation pictures, no threshold of confidence can be shown to be correct in 999
# of 1,000 answers, so the verdict is at most "likely".
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# The O stays the same in both directions. B, C and D stay the same from top to bottom, as far
# as the font allows.
# <pre><code>longer = recipes.replace(quick, dataset="fashion-mnist", epochs=3)
# for flip in (False, True):
#     flipped = train.train(recipes.replace(longer, flip=flip), workspace / f"flip-{flip}")
#     score = evaluate.evaluate([flipped])[0].score
#     print(flip, f"{score.accuracy:.2%}", score.interval)</code></pre>
# </details>
#
# <details><summary>Solution of exercise 3</summary>
# If pictures of one thing are in the training and in the validation set, the network can
# recognise the thing instead of its kind, and the score is too high for new things. Put whole
# things aside for the test.
# <pre><code>from tenfold.statistics import wilson_interval
# <br>
# print("all of 8 correct:", wilson_interval(8, 8))</code></pre>
# Of forty pictures, a fifth is the test set: eight. Even if all are correct, the interval is
# wide.
# </details>
#
# That was the whole life of a classifier: data, baselines, network, training, tuning,
# evaluation, shipping, and other people's pictures. Now it is your turn.
