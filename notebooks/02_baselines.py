# %% [markdown]
# # 2 · How good is simple?
#
# "98% right!" Is that good? It depends on what a simple method gets from the same pictures.
# So before any network, we ask the classical ones. They are called **baselines**: the line
# that a newcomer has to jump over.
#
# In this notebook: eight of them, from a guess that never looks to *kernel machines*; how
# sure we may be of a score; which pictures all of them get wrong; and the bar that is left
# for a network.

# %% small="train_size, validation_size, epochs = 2_000, 2_000, 12"
train_size, validation_size = 15_000, 5_000  # pictures; fewer are faster
epochs = 4  # how often the network at the end goes through them

# %% [markdown]
# Learning from a part of the pictures saves time, and changes no conclusion here. Every
# model gets the same ones, as 784 numbers from 0 to 1, one a pixel, in a row. It does not
# know which pixels are neighbours: shuffle them, in all pictures alike, and each of these
# models is about as good as before.
#
# - **Majority class**: always the label that is most frequent. It never looks.
# - **Nearest centroid**: which class's mean picture is nearest?
# - **Ridge regression**: a weighted sum of the pixels for each class, and the largest sum
#   wins. The weights are such that the sums are nearest to 1 for the right class and −1 for
#   the others.
# - **Logistic regression**: the same kind of sums, but weights that make the right label
#   likely. The next notebook builds it by hand.
# - **3 nearest neighbours**: the three training pictures that are most alike vote. It
#   learns nothing, it remembers.
# - **Extra trees**: a hundred trees of random yes-or-no questions about single pixels vote.
# - **RBF kernel**: how alike is this picture to each of two thousand training pictures? A
#   weighted sum of *those* numbers decides. Such models are called *kernel machines*.
# - **Multilayer perceptron**: a small network of the plainest kind, a look ahead.
#
# `compare` fits each of them on the training pictures ("to fit" is what statisticians call
# learning), and asks for the validation pictures.

# %%
from tenfold import baselines
from tenfold.cli import baseline
from tenfold.data.catalog import MNIST
from tenfold.data.split import split

pictures = split(MNIST, validation_size, train_size=train_size)
fitted = {one.score.name: one for one in baselines.compare(pictures)}
scores = [one.score for one in fitted.values()]
print(baseline.text(scores))
accuracy = {name: one.score.accuracy for name, one in fitted.items()}
assert accuracy["majority"] < accuracy["nearest-centroid"] < accuracy["rbf-kernel"]

# %% [markdown]
# The column *validation* is the **accuracy**: right answers, divided by all. The last
# column is what was once published for methods of the kind, learnt from all of the training
# pictures and scored on the test pictures.
#
# ## How sure are we?
#
# Ask a classifier for other pictures of the same kind, and its score will be a little
# different. The **95% interval** says how much of that is chance: computed in this way
# again and again, from ever new pictures, such intervals hold the true accuracy in 95 of
# 100 cases. The more pictures, the narrower: four times as many halve it.

# %%
from tenfold.statistics import wilson_interval

for total in (100, 400, 1_600, 6_400, 25_600):
    low, high = wilson_interval(round(0.95 * total), total)
    print(f"95% right of {total:6,} pictures: the truth is between {low:.2%} and {high:.2%}")

# %% [markdown]
# Do not take our word for it. Here is a classifier whose true accuracy we know, since we
# make it up: 97%. It sits many exams, each with as many pictures as we have for validation.
# How often does the interval hold the truth? (It is Wilson's interval, of 1927. The one in
# most textbooks is simpler and, near 100%, wrong too often: the exercise at the end.)

# %%
import numpy as np

truth, exams = 0.97, 2_000
right = np.random.default_rng(0).binomial(validation_size, truth, exams)
intervals = np.array([wilson_interval(int(count), validation_size) for count in right])
held = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
print(f"{held:.1%} of {exams:,} intervals hold the truth")
assert 0.93 < held < 0.97

# %% [markdown]
# Two models whose intervals do not overlap are almost surely different. If they do overlap,
# that proves nothing yet: there is a sharper way to compare two models that were asked the
# same questions, in [notebook 6](06_evaluation.ipynb).
#
# ## What a simple model knows
#
# Nearest centroid and logistic regression have one picture for each class inside, and we
# can look at it. The first compares with the mean digit. The second has learnt what tells a
# digit *from the others*: orange pixels speak for the class, blue ones against it. See how
# the 0 forbids ink in its middle.

# %%
from tenfold.report.figures import baselines as figures

logistic, centroids = fitted["logistic-regression"].model, fitted["nearest-centroid"].model
figures.learnt(logistic.coef_, centroids.centroids_, MNIST.classes)

# %% [markdown]
# ## What helps more: a better method, or more pictures?
#
# Nearest neighbours is the simplest method that is any good, so we can afford to ask it
# several times.

# %%
curve = []
for size in (train_size // 16, train_size // 4, train_size):
    fewer = split(MNIST, validation_size, train_size=size)
    (neighbours,) = baselines.compare(fewer, ["nearest-neighbours"])
    low, high = neighbours.score.interval
    curve.append((low, high))
    print(f"{size:6,} pictures: {neighbours.score.accuracy:.2%} ({low:.2%} to {high:.2%})")
assert curve[0][1] < curve[1][0] < curve[1][1] < curve[2][0]  # no interval overlaps the next

# %% [markdown]
# Each step has four times the pictures. More data helps every time, and a bit less each
# time. That is so for nearly all of machine learning.
#
# ## Do they fail alike?
#
# If the models failed independently of each other, as dice do, a picture that all of those
# that look get wrong would be rare: one multiplies the shares of errors. Let us count.

# %%
looking = [one for one in fitted.values() if one.score.name != "majority"]
wrong = np.array([one.predictions != pictures.validation.labels for one in looking])
by_chance = wrong.mean(1).prod()
all_wrong = np.flatnonzero(wrong.all(0))
print(f"wrong for all {len(looking)}: {len(all_wrong)} of {validation_size:,} pictures")
print(f"if they failed independently: one in {1 / by_chance:,.0f}")
assert len(all_wrong) > 10 * by_chance * validation_size

# %% [markdown]
# They fail together: some pictures are *hard*, whoever looks. Here are some of those, each
# under its label and what the best of the models took it for. Many you will read at once;
# those are what a better method can win. Of some you may doubt the label.

# %%
from tenfold.report.figures import data

best = max(looking, key=lambda one: one.score.accuracy)
hard = pictures.validation.take(all_wrong)
said = best.predictions[all_wrong]
captions = [f"{label} → {answer}" for label, answer in zip(hard.labels, said, strict=True)]
finding = f"All {len(looking)} models are wrong: the label → what {best.score.name} says"
data.captioned(hard.images[:30], captions[:30], finding)

# %% [markdown]
# ## The bar
#
# So this is the bar on these pictures: the upper end of the best interval. Is it worth the
# trouble to build a network? Here is one of ours on the very same pictures; four times
# through all of them. What it is made of, and how it learns, is the subject of the next two
# notebooks. The axis of accuracies is stretched so that half as many errors is always the
# same step up.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

sizes = {"train_size": train_size, "validation_size": validation_size, "epochs": epochs}
recipe = recipes.replace(recipes.quick(), **sizes)
with TemporaryDirectory() as folder:
    run = train.train(recipe, Path(folder) / "run")
    (network,) = evaluate.evaluate([run])
    seconds = run.environment["train_seconds"]
assert network.score.interval[0] > best.score.interval[1]
classical = [(one.name, one.train_seconds, one) for one in scores]
figures.accuracy_against_seconds([*classical, ("a network", seconds, network.score)])

# %% [markdown]
# That is why people build networks. But note what the baselines are good for: they told us
# that the task is neither trivial nor hopeless, they fit in seconds, and a mistake in our
# data would have shown here first.
#
# ## Try it
#
# 1. **Voting.** Let all models that look vote on each picture; is the majority better than
#    the best of them? Guess first.
# 2. **The textbook's interval** for a share *p* of *n* pictures is *p* ± 1.96·√(*p*(1 −
#    *p*)/*n*). In how many of two thousand exams of 200 pictures does it hold a truth of
#    99%? And Wilson's?
#
# <details><summary>A hint for the first</summary>
# <code>np.stack([one.predictions for one in looking])</code> has a row for each model, and
# <code>scipy.stats</code> has a <code>mode</code>.
# </details>
#
# <details><summary>A solution</summary>
# <pre><code>from scipy import stats
# votes = np.stack([one.predictions for one in looking])
# majority = stats.mode(votes).mode
# print((majority == pictures.validation.labels).mean(), best.score.accuracy)
# <br>
# n, truth = 200, 0.99
# right = np.random.default_rng(0).binomial(n, truth, 2_000)
# p = right / n
# half = 1.96 * np.sqrt(p * (1 - p) / n)
# wilson = np.array([wilson_interval(int(count), n) for count in right]).T
# for low, high in ((p - half, p + half), wilson):
#     print(((low <= truth) & (truth <= high)).mean())</code></pre>
# </details>
#
# **Next:** [a network by hand](03_network.ipynb). What is in it, and how does it learn?
