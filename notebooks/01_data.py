# %% [markdown]
# # 1 · The data
#
# This course follows one small task through its whole life: **a picture of a handwritten digit
# comes in, and a program answers which digit it is**. Such a program is called a
# [classifier](../docs/glossary.md#classifier), because it assigns each picture to one of
# several *classes*, here the ten digits. It learns this from many pictures whose correct
# answer, the [label](../docs/glossary.md#label), is known.
#
# **After this notebook you can**
#
# - load MNIST, read its file format and look at its pictures;
# - explain what training, validation and test sets are for;
# - check that no validation picture is a copy of a training picture;
# - normalise and augment pictures for a network.
#
# **You need** Python and a little numpy, and no deep learning. **Time:** 60 minutes; the cells
# run for about 15 seconds.
#
# The course explains each term where it comes first and links to the
# [glossary](../docs/glossary.md). (The list at the top of each notebook uses terms that are
# explained further down.) Run the cells in order, and change whatever you like: nothing can
# break. The first cell installs the package if it is missing, for example in Colab
# or Binder: there, clone your copy of the repository first and open the notebook from it.

# %% small="compared = 500"
# validation pictures that are compared with the training pictures below
compared = 5_000

# %% [markdown]
# ## MNIST
#
# Our dataset is **MNIST**, made in the 1990s from the handwriting of employees and pupils. The
# next cell downloads it (11 MB, only the first time) and checks each file against its known
# fingerprint, a SHA-256 hash.

# %%
from tenfold.data.catalog import MNIST
from tenfold.data.split import development

samples = development(MNIST)
print("pictures:", samples.images.shape, samples.images.dtype)
print("labels:  ", samples.labels.shape, samples.labels.dtype)
print("the first labels:", samples.labels[:10])

# %% [markdown]
# `samples.images` is one numpy array of 60,000 pictures, each with 28 rows of 28 *pixels*. A
# pixel is a whole number from 0 (black) to 255 (white). Here are the numbers in the middle of
# the first picture. The upper part of a 5 is visible in them.

# %%
for row in samples.images[0][5:15, 8:25]:
    print("".join(f"{pixel:4d}" for pixel in row))

# %% [markdown]
# ## The file format
#
# MNIST has its own file format, IDX, which is simple enough to read by hand. The *header* has
# 16 bytes: two zero bytes, the type of the values (8 means one byte each), the number of
# dimensions, and the length of each dimension in four bytes. The pixels follow.

# %%
import struct

from tenfold.data import download, idx

with open(download.cache_folder(MNIST) / MNIST.train_images.name, "rb") as file:
    header = file.read(16)
print(header.hex(" ", 4))
zero, kind, rank, count, height, width = struct.unpack(">HBBIII", header)
print(f"type {kind}, {rank} dimensions: {count:,} pictures of {height}×{width}")
assert (zero, kind, rank) == (0, idx.UNSIGNED_BYTE, 3)
assert (count, height, width) == samples.images.shape
# Header and pixels are the whole file.
assert len(header) + count * height * width == MNIST.train_images.size

# %% [markdown]
# ## Look at the pictures
#
# Always look at your data first. Here are the first pictures of each class, drawn black on
# white. Some people cross their sevens, some write slanted, and some digits are hard to read.

# %%
from tenfold.report.figures import data as figures

figures.examples(samples.images, samples.labels, MNIST.classes)

# %% [markdown]
# The mean picture of a class shows what its pictures have in common. The
# [standard deviation](../docs/glossary.md#standard-deviation) of each pixel shows where they
# differ. A zero has an empty middle, and the slant of the ones makes a fan.

# %%
figures.mean_and_deviation(samples.images, samples.labels, MNIST.classes)

# %% [markdown]
# ## Three parts, one of them sealed
#
# A pupil who knows the questions of an exam proves nothing by answering them. In the same way,
# a classifier proves nothing on pictures that it learned from. So the pictures are divided.
#
# - The [training set](../docs/glossary.md#training-set) is what the classifier learns from.
# - The [validation set](../docs/glossary.md#validation-set) is set aside. *We* use it to
#   compare and choose: this network or that one, longer or shorter training.
# - The [test set](../docs/glossary.md#test-set) is used once, at the very end, for the number
#   that we publish.
#
# Why is the validation set not enough? Because choosing is a kind of learning. If you try a
# hundred classifiers and take the best on the validation set, it is partly the luckiest. On
# new pictures it will be a little worse. Only pictures that nobody used to choose are fair.
#
# `split` takes the same share of each class. The same call returns the same pictures on every
# machine.

# %%
from tenfold.data.split import counts, split

parts = split(MNIST, validation_size=5_000)
assert len(parts.train) + len(parts.validation) == len(samples)
figures.class_distribution(counts(MNIST, samples.labels, 5_000), MNIST.classes)

# %% [markdown]
# The classes are not equally large. Remember the share of the largest: a program that always
# gives this answer, without looking, is correct for the same share of pictures. Notebook 2
# begins there.
#
# Is a validation picture also in the training set, as a copy? This happens in well-known
# datasets, and then the score is too good. For each validation picture we search the training
# picture whose pixels differ least.

# %%
from tenfold import similarity

asked = parts.validation.take(slice(compared))
# uint8 [N, 28, 28], 0 to 255 -> float32 [N, 784], 0 to 1
known = similarity.pixels(parts.train.images)
# [M, 1] each: the position of the nearest training picture, and its distance
positions, distances = similarity.nearest(similarity.pixels(asked.images), known)
assert distances.min() > 0, "a validation picture is a copy of a training picture"
figures.duplicates(parts.train, asked, positions[:, 0], distances[:, 0], MNIST.classes)

# %% [markdown]
# No distance is 0, so there is no exact copy.
#
# The test pictures are in files of their own. Nothing locks them, because this is your
# computer. But the one function that opens them first writes a line into a
# [ledger](../docs/glossary.md#ledger), a file beside the results, and every report shows that
# ledger. So everyone can see whether the test set was opened once, at the end, or fifty times
# on the way.
#
# In the next cell the ledger is in a folder that does not exist. The line cannot be written, so
# the test set stays sealed. Notebook 6 opens it, once.

# %%
from pathlib import Path

from tenfold.data.split import open_test
from tenfold.errors import TenfoldError

try:
    open_test(MNIST, Path("no-such-folder/test-ledger.jsonl"), who="notebook 1", runs=[])
    raise AssertionError("the test set was opened without a line in the ledger")
except TenfoldError as refusal:
    print(refusal)

# %% [markdown]
# ## From a file to a network
#
# A network computes best with numbers around 0 whose size is about 1. Three steps bring the
# pixels there:
#
# 1. Whole numbers become decimal numbers (*float32*, about seven digits).
# 2. [Normalisation](../docs/glossary.md#normalisation): subtract the mean $\mu$ of all training
#    pixels and divide by their standard deviation $\sigma$, $x' = (x - \mu) / \sigma$.
# 3. An axis for the *channel* is added. These pictures have one channel, grey; colour pictures
#    have three.

# %%
import numpy as np

whole = parts.train.images[:1_000]
decimal = whole.astype(np.float32)
normalised = (decimal - MNIST.mean) / MNIST.std
# [1000, 28, 28] -> [1000, 1, 28, 28]
batch = normalised[:, None]
for step in (whole, decimal, normalised, batch):
    print(f"{step.dtype!s:8} {step.shape!s:18}", end=" ")
    print(f"from {step.min():6.2f} to {step.max():6.2f}, mean {step.mean():.2f}")
assert abs(batch.mean()) < 0.1
assert abs(batch.std() - 1) < 0.1

# %% [markdown]
# The mean is not exactly 0, because $\mu$ and $\sigma$ are those of all training pictures and
# these are a thousand of them.
#
# ## More pictures than there are
#
# A 3 that is turned a little or moved by a pixel is still a 3, but its pixels are different.
# During training, pictures can be changed at random each time they are used, as long as the
# label stays correct. This is [augmentation](../docs/glossary.md#augmentation); its effect is
# similar to having more data. A [recipe](../docs/glossary.md#recipe) describes a whole
# training. Among other settings it contains the limits of the changes: rotation in degrees,
# shift in pixels, and shares for scale and shear (slanting).
#
# The first column shows the originals, the others eleven random versions of each.

# %%
from tenfold import frameworks, recipes
from tenfold.report.figures import preprocessing

recipe = recipes.standard()
few = parts.train.take(np.arange(6))
shown = frameworks.variants(recipe, few, 11)
strengths = {name: getattr(recipe, name) for name in ("rotation", "shift", "scale", "shear")}
print(strengths)
preprocessing.augmented_grid(few.images, shown.augmented.reshape(6, 11, 28, 28))

# %% [markdown]
# ## Try it
#
# 1. **Too much augmentation.** Draw the grid again with `recipes.replace(recipe, rotation=90)`.
#    1. From which rotation on are you no longer sure of the label?
#    2. Which digits can become other digits?
# 2. **Similar digits.** Compute the mean picture of each class.
#    1. Which other mean picture is nearest to each, and at what distance?
#    2. Which two digits are most alike by this measure?
#
# <details><summary>Hint for exercise 2</summary>
# <code>similarity.nearest(means, means, 2)</code> returns the two nearest of each mean. The
# nearest is the picture itself, at distance 0.
# </details>
#
# <details><summary>Solution of exercise 1</summary>
# <pre><code>strong = recipes.replace(recipe, rotation=90)
# turned = frameworks.variants(strong, few, 11).augmented
# print(turned.shape)
# preprocessing.augmented_grid(few.images, turned.reshape(6, 11, 28, 28))</code></pre>
# At 90 degrees a 1 is a dash and no longer a 1. A 6 becomes a 9 at 180 degrees, and the label
# is in doubt well before that.
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>pixels = similarity.pixels(samples.images)
# means = np.stack([pixels[samples.labels == digit].mean(0) for digit in range(10)])
# twins, distances = similarity.nearest(means, means, 2)
# for digit in range(10):
#     print(digit, "is nearest to", twins[digit, 1], distances[digit, 1])</code></pre>
# </details>
#
# **Next:** [how good is simple?](02_baselines.ipynb) Classifiers that need no network, and the
# result that a network has to beat.
