# %% [markdown]
# # 9 · Other characters
#
# Nothing in these notebooks was about digits alone. Here the same tools meet other pictures:
# clothes, and then letters, from a folder that you could have made. We look at what carries
# over, and at what does not.

# %% small="train_size, letters = 5_000, 12"
train_size, letters = 55_000, 60  # training pictures; pictures of each letter

# %% [markdown]
# ## Fashion-MNIST
#
# In 2017 somebody had enough of MNIST: too easy, and everyone's methods were made for it. So
# they made a dataset of the same size and shape, but of clothes: **Fashion-MNIST**. To us it
# is another name in the catalog.

# %%
from tenfold.data import catalog, split
from tenfold.report.figures import data as figures

clothes = split.split(catalog.FASHION_MNIST, 5_000, train_size=train_size)
digits = split.split(catalog.MNIST, 5_000, train_size=train_size)
figures.examples(clothes.train.images, clothes.train.labels, catalog.FASHION_MNIST.classes)

# %% [markdown]
# The recipe for digits, unchanged but for the name of the dataset:

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

temporary = TemporaryDirectory()
workspace = Path(temporary.name)
quick = recipes.override(recipes.quick(), [f"train_size={train_size}"])
asked = {name: recipes.replace(quick, dataset=name) for name in ("mnist", "fashion-mnist")}
runs = {name: train.train(recipe, workspace / name) for name, recipe in asked.items()}
scored = dict(zip(runs, evaluate.evaluate([*runs.values()]), strict=True))
for name, result in scored.items():
    low, high = result.score.interval
    print(f"{name:14} {result.score.accuracy:.2%}  ({low:.2%} to {high:.2%})")
assert scored["mnist"].score.interval[0] > scored["fashion-mnist"].score.interval[1]

# %% [markdown]
# The code carried over: loading, splitting, training, scoring. The accuracy did not. Where is
# it lost?

# %%
import numpy as np

from tenfold.report.figures import confusion

result = scored["fashion-mnist"]
confusion.matrix(result.score.matrix, catalog.FASHION_MNIST.classes)

# %% [markdown]
# Shirts, pullovers, coats, T-shirts: with 28×28 grey pixels, people mistake these too. Trousers
# and bags are easy. So the accuracy of a method says as much about the pictures as about the
# method, and "99%" means nothing before one knows on what.
#
# How do simple methods do? In notebook 2 the gap between them and a network was a few points
# of a hundred. Here:

# %%
from tenfold import baselines

for name in ("nearest-centroid", "nearest-neighbours", "ridge"):
    both = [baselines.compare(part, [name])[0].score.accuracy for part in (digits, clothes)]
    print(f"{name:20} digits {both[0]:.1%}, clothes {both[1]:.1%}")
    assert both[0] > both[1]

# %% [markdown]
# ## A folder of one's own
#
# Most people who need a classifier have neither digits nor clothes, but a folder. Ours will
# hold printed letters, eight kinds, as one finds them on number plates and machine parts: of
# many sizes, a little turned, on uneven grey, with the noise of a cheap camera. We make the
# pictures here; yours come from a scanner or a telephone. Each lies in the folder of its
# class, and there is no more to it.

# %%
from PIL import Image, ImageDraw, ImageFont


def plate(letter: str, seed: int) -> Image.Image:
    rng = np.random.default_rng([seed, ord(letter)])
    side, paper, ink = (int(rng.integers(*ends)) for ends in ((24, 80), (150, 256), (0, 90)))
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
    if letter == "B":
        (place / "broken.png").write_bytes(b"not a picture")
        Image.new("L", (50, 50), 200).save(place / "empty.png")

# %% [markdown]
# `folder.read` makes a dataset of it. Each picture goes through the same contract as in
# notebook 8, so a letter comes out as MNIST's digits look: that carries over, since a letter
# is ink too. (Clothes are not. For pictures that fill their frame there is `plain=True`.)
# What cannot be read is skipped, and named. A fifth of each class is sealed as the test set.

# %%
from tenfold.data import folder

dataset, skipped = folder.read(workspace / "letters")
for path, reason in skipped[:5]:
    print(f"skipped {path}: {reason}")
assert {path for path, _ in skipped} >= {"B/broken.png", "B/empty.png"}
pictures = split.development(dataset)
figures.examples(pictures.images, pictures.labels, dataset.classes)

# %% [markdown]
# And the recipe once more. A few hundred pictures are few: `suited` sets a fifth aside to
# choose on and goes through the rest more often, so that there are enough steps to learn in.

# %%
recipe = recipes.suited(recipes.quick(), dataset)
chosen_on, epochs = recipe.validation_size, round(recipe.epochs)
print(f"{len(pictures):,} pictures, {chosen_on} of them to choose on; {epochs} epochs")
run = train.train(recipe, workspace / "run")
(scored_letters,) = evaluate.evaluate([run])
low, high = scored_letters.score.interval
print(f"{scored_letters.score.accuracy:.1%} right ({low:.1%} to {high:.1%})")
assert scored_letters.score.accuracy > 0.8
confusion.matrix(scored_letters.score.matrix, dataset.classes)

# %% [markdown]
# Look at the interval before you look at the figure. With so few pictures to choose on it is
# wide: an honest figure for a small folder is a vague one, and only more pictures make it
# less so.
#
# ## What carries over, and what does not
#
# - **Carries over:** the split and the sealed set, intervals and comparisons, the network and
#   the loop that trains it, export and service. None of these knows what a picture shows.
# - **Does not:** the accuracy; how long to train; how strong the augmentation may be. A 6
#   turned by 180° is a 9, but an O is still an O. And the contract: it knows ink on paper, and
#   nothing of shoes.
#
# ## Try it
#
# 1. Turn letters by 30, 60 and 90 degrees. What does the network still read, and what
#    becomes of its verdicts?
# 2. Mirror the training pictures of clothes: a shoe that points the other way is still a shoe.
#    Would you do so with letters? With which of ours could you?
# 3. Photograph ten things of two kinds around you, twenty pictures each, and train on the
#    folder with `tenfold train --data things --plain`. How sure may you be of the result?
#
# <details><summary>A solution of the first</summary>
# <pre><code>from tenfold import predict
#
# reader = predict.open_reader(run.folder)
# for degrees in (0, 30, 60, 90):
#     turned = [plate(name, 999).rotate(degrees, fillcolor=200) for name in dataset.classes]
#     answers = reader.read([reader.prepare(np.asarray(one)) for one in turned])
#     print(degrees, *(answer.label or "-" for answer in answers), answers[0])</code></pre>
# With so few pictures to validate on, no answer can be shown to be sure.
# </details>
#
# That was the whole life of a classifier: data, baselines, network, training, tuning,
# evaluation, shipping, and other people's pictures. Now it is your turn.
