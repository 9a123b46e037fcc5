# %% [markdown]
# # 1 · The data
#
# This course follows one small task through its whole life: **a picture of a handwritten
# digit comes in, and a program says which digit it is**. Such a program is called a
# *classifier*: it puts things into *classes*, here the ten digits.
#
# Nobody writes down the rules by which a 4 differs from a 9. The program finds them itself,
# from many pictures for which somebody has noted the right answer, the *label*. That is
# what *learning* means here, and it is why all begins with data. You need Python for this
# course, and a little numpy. You need no deep learning: each of its words is explained
# where it comes first.
#
# Ours is **MNIST**, made in the 1990s from the handwriting of clerks and school pupils. Run
# the cells one after the other, and change what you like: nothing here can break anything.
#
# The first cells fetch MNIST (11 MB, once; after that it lies on your disk), and check each
# file against the fingerprint that it must have.

# %% small="compared = 500"
compared = 5_000  # pictures that we shall look for among the others, below; fewer are faster

# %%
from tenfold.data.catalog import MNIST
from tenfold.data.split import development

samples = development(MNIST)
print("pictures:", samples.images.shape, samples.images.dtype)
print("labels:  ", samples.labels.shape, samples.labels.dtype)
print("the first labels:", samples.labels[:10])

# %% [markdown]
# `samples.images` is one numpy array: so many pictures, each of 28 rows of 28 *pixels*
# (picture elements). A pixel is a whole number from 0, black, to 255, white. Here is the
# middle of the very first picture, as the computer has it. Squint, and you see the upper
# part of a 5.

# %%
for row in samples.images[0][5:15, 8:25]:
    print("".join(f"{pixel:4d}" for pixel in row))

# %% [markdown]
# ## What is in the file
#
# MNIST comes in a format of its own, IDX, and it is so simple that we can read it by hand.
# A *header* of a few bytes says what follows: two zero bytes, the type of the values (8
# stands for one byte each), the number of dimensions, then the length of each dimension in
# four bytes. After that come the pixels, one after the other, to the end of the file.

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
assert (
    len(header) + count * height * width == MNIST.train_images.size
)  # in bytes: nothing else is in there

# %% [markdown]
# ## Look at it
#
# The first thing to do with data, always, is to look. Here are the first pictures of each
# class, in black on white as ink is. People cross their sevens or they do not, slant to the
# left or to the right, and now and then you would not know either.

# %%
from tenfold.report.figures import data as figures

figures.examples(samples.images, samples.labels, MNIST.classes)

# %% [markdown]
# Put all pictures of a class on top of each other, and you see what they have in common
# (the *mean*) and where they differ (the *standard deviation*: how far a pixel is from its
# mean, as a rule). Zeros are round in many sizes; a one has its foot in one place and its
# head anywhere.

# %%
figures.mean_and_deviation(samples.images, samples.labels, MNIST.classes)

# %% [markdown]
# ## Three parts, and one of them is sealed
#
# A pupil who has seen the questions of the exam proves nothing by answering them. Nor does
# a classifier that is asked for pictures that it learnt from: it may simply remember them.
# So the data is split.
#
# - **Training** pictures are what it learns from.
# - **Validation** pictures are set aside. With them *we* compare and choose: this network
#   or that, longer or shorter.
# - **Test** pictures are asked for once, at the very end, for the figure that we tell
#   others.
#
# Why is validation not enough? Because choosing is a way of learning too. Who tries a
# hundred classifiers and takes the one with the best score on some pictures has taken, in
# part, the luckiest one; on new pictures it will do a bit worse. Only pictures that nobody
# has chosen by are honest.
#
# `split` takes a share of each class, so that both parts are alike. The same call gives the
# same pictures, on any machine.

# %%
from tenfold.data.split import counts, split

parts = split(MNIST, validation_size=5_000)
assert len(parts.train) + len(parts.validation) == len(samples)
figures.class_distribution(counts(MNIST, samples.labels, 5_000), MNIST.classes)

# %% [markdown]
# The classes are not quite equally large. Keep the largest one in mind: a program that
# always gives that answer, without looking, is right as often as its bar is high. That is
# the first bar to clear, in the next notebook.
#
# Is any validation picture also among the training pictures, as a copy? That would be an
# exam with known questions, and it happens in famous datasets. For each of them we look for
# the nearest training picture, by how much the pixels differ.

# %%
from tenfold import similarity

asked = parts.validation.take(slice(compared))
known = similarity.pixels(
    parts.train.images
)  # uint8 [N, 28, 28] -> float32 [N, 784], from 0 to 1
(nearest,), (distances,) = (
    found.T for found in similarity.nearest(similarity.pixels(asked.images), known)
)
assert distances.min() > 0, "there is a copy"
figures.duplicates(parts.train, asked, nearest, distances, MNIST.classes)

# %% [markdown]
# And the test pictures? They are in files of their own, and there is one door to them.
# Nothing locks it: this is your computer. But whoever opens it leaves a line in a *ledger*,
# a file beside the results, before a single picture is read, and each report shows the
# ledger. So one can see whether the set was opened once, at the end, or fifty times on the
# way.
#
# Here is what stands at that door. We do not open it: the ledger that we name lies in a
# folder that does not exist, the line cannot be written, and so the set stays sealed. We
# shall open it in notebook 6, once.

# %%
from pathlib import Path

from tenfold.data.split import open_test
from tenfold.errors import TenfoldError

try:
    open_test(MNIST, Path("no-such-folder/test-ledger.jsonl"), who="notebook 1", runs=[])
    raise AssertionError("the test set was opened, and nothing is written down")
except TenfoldError as refusal:
    print(refusal)

# %% [markdown]
# ## From a file to a network
#
# A network multiplies and adds. It does so best with numbers around zero and about as large
# as one, so the pixels are brought there: **normalised**. Three small steps, for all
# pictures at once:
#
# 1. whole numbers from 0 to 255 become decimal ones (*float32*: about seven digits each);
# 2. less the mean of all training pixels, divided by their standard deviation;
# 3. an axis is put in for the *channel*. Ours have one, grey; a colour picture has three:
#    red, green, blue.

# %%
import numpy as np

whole = parts.train.images[:1_000]
decimal = whole.astype(np.float32)
normalised = (decimal - MNIST.mean) / MNIST.std
batch = normalised[:, None]  # [1000, 28, 28] -> [1000, 1, 28, 28]
for step in (whole, decimal, normalised, batch):
    print(
        f"{step.dtype!s:8} {step.shape!s:18} from {step.min():6.2f} to {step.max():6.2f}, ",
        end="",
    )
    print(f"mean {step.mean():.2f}")
assert abs(batch.mean()) < 0.1
assert abs(batch.std() - 1) < 0.1

# %% [markdown]
# (Not exactly 0 and 1: mean and standard deviation are those of all training pictures, and
# these are a few of them.)
#
# ## More pictures than there are
#
# A 3 that is turned a little, or moved by a pixel, is still a 3; to the program it is a new
# picture. So during training each picture may be changed at random each time that it is
# shown, just as much as leaves no doubt about the label. That is called **augmentation**,
# and it is as good as having more data. A *recipe* says how a network is trained, and also
# how strong the changes are: here up to so many degrees of rotation, pixels of shift, and
# shares of scale and shear (slanting).

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
# 1. Make the changes too strong: `recipes.replace(recipe, rotation=90)`. From when on would
#    *you* no longer be sure of the label? Which digits become others?
# 2. Which two digits look most alike on average? Compare the ten mean pictures with each
#    other, with what you have seen above.
#
# <details><summary>A hint for the second</summary>
# The distance of two pictures is what <code>similarity.nearest</code> gives; ask for the two
# nearest of each mean, since the nearest is the picture itself.
# </details>
#
# <details><summary>A solution</summary>
# <pre><code>pixels = similarity.pixels(samples.images)
# means = np.stack([pixels[samples.labels == digit].mean(0) for digit in range(10)])
# twins, apart = similarity.nearest(means, means, 2)
# print(np.c_[twins, apart.round(1)])</code></pre>
# </details>
#
# **Next:** [how good is simple?](02_baselines.ipynb) Classifiers that need no network, and
# the bar that they set.
