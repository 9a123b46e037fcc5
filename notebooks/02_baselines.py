# %% [markdown]
# # 2 · Baselines
#
# Is 98% correct a good result? That depends on what a simple method reaches on the same
# pictures. So before any network, we try classical methods. They are called
# [baselines](../docs/glossary.md#baseline): a network has to beat them to be worth its cost.
#
# **After this notebook you can**
#
# - fit and compare eight classical classifiers;
# - put an interval around an accuracy and say what it means;
# - judge whether more data helps;
# - find the pictures that all methods get wrong.
#
# **You need** [notebook 1](01_data.ipynb). **Time:** 60 minutes; the cells run for about 50
# seconds.

# %% small="train_size, validation_size, epochs = 2_000, 2_000, 12"
# pictures to learn from, and to score on; fewer are faster
train_size, validation_size = 15_000, 5_000
# passes of the network at the end over the training pictures
epochs = 4

# %% [markdown]
# ## Eight classifiers
#
# All of them get the same pictures, each as a row of 784 numbers from 0 to 1. They do not know
# which pixels are neighbours: if the pixels of all pictures were shuffled in the same way, the
# results would be about the same.
#
# - **Majority class**: always answers the most frequent label.
# - **Nearest centroid**: answers the class whose mean picture is nearest.
# - **Ridge regression**: computes a weighted sum of the pixels for each class; the largest sum
#   wins. The weights bring the sums close to 1 for the correct class and −1 for the others.
# - **Logistic regression**: also weighted sums, with weights that make the correct label
#   probable. Notebook 3 builds it by hand.
# - **3 nearest neighbours**: the three most similar training pictures vote.
# - **Extra trees**: thirty decision trees vote. Each tree is a sequence of yes-or-no
#   questions about single pixels.
# - **RBF kernel**: measures how similar the picture is to a thousand training pictures. A
#   weighted sum of these similarities decides.
# - **Multilayer perceptron**: a network with one
#   [hidden layer](../docs/glossary.md#hidden-layer) (notebook 3).
#
# `compare` fits each on the training pictures and scores it on the validation pictures. (*To
# fit* is the statistical word for learning.)

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
# The most important column is the [accuracy](../docs/glossary.md#accuracy): the share of
# pictures that are classified correctly. *MCC* is the
# [Matthews correlation](../docs/glossary.md#matthews-correlation), which is 0 for an answer by
# chance and 1 for a perfect one; notice that the majority class has 0. The last column shows
# published results of similar methods, which learned from all training pictures and were
# scored on the test pictures.
#
# ## The uncertainty of an accuracy
#
# On other pictures of the same kind, the score would be slightly different. The **95%
# interval** ([confidence interval](../docs/glossary.md#confidence-interval)) shows by how much:
# if the whole experiment were repeated many times, 95 of 100 such intervals would contain the
# true accuracy. More pictures give a narrower interval. Four times as many pictures halve it.
#
# Tenfold uses the [Wilson interval](../docs/glossary.md#wilson-interval) of 1927. The interval
# in most textbooks is simpler and fails close to 100%; exercise 2 shows it.

# %%
from tenfold.statistics import wilson_interval

for total in (100, 400, 1_600, 6_400, 25_600):
    low, high = wilson_interval(round(0.95 * total), total)
    print(f"95% of {total:6,} pictures correct: interval {low:.2%} to {high:.2%}")

# %% [markdown]
# We can check the promise with a simulated classifier whose true accuracy is 97%. It takes two
# thousand exams, each with as many pictures as our validation set. How often does the interval
# contain the truth?

# %%
import numpy as np

truth, exams = 0.97, 2_000
right = np.random.default_rng(0).binomial(validation_size, truth, exams)
intervals = np.array([wilson_interval(int(count), validation_size) for count in right])
held = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
print(f"{held:.1%} of {exams:,} intervals contain the truth")
assert 0.93 < held < 0.97

# %% [markdown]
# If the intervals of two models do not overlap, the models almost certainly differ. If they do
# overlap, nothing is decided. A sharper comparison of two models that answered the same
# questions follows in [notebook 6](06_evaluation.ipynb).
#
# ## The weights of a simple model
#
# Nearest centroid and logistic regression contain one picture per class. The first contains
# the mean digit. The second contains weights that distinguish a digit *from the others*:
# orange pixels count for the class, blue ones against it. The weights of the 0 are negative in
# its middle, where a 0 has no ink.

# %%
from tenfold.report.figures import baselines as figures

logistic, centroids = fitted["logistic-regression"].model, fitted["nearest-centroid"].model
figures.learnt(logistic.coef_, centroids.centroids_, MNIST.classes)

# %% [markdown]
# ## Do more pictures help?
#
# We fit the nearest neighbours three times, each time with four times as many pictures.

# %%
curve = []
for size in (train_size // 16, train_size // 4, train_size):
    fewer = split(MNIST, validation_size, train_size=size)
    neighbours = baselines.compare(fewer, ["nearest-neighbours"])[0]
    curve.append(neighbours.score)
    low, high = neighbours.score.interval
    print(f"{size:6,} pictures: {neighbours.score.accuracy:.2%} ({low:.2%} to {high:.2%})")
gains = np.diff([score.accuracy for score in curve])
assert gains[0] > gains[1] > 0
# No interval overlaps the next.
assert curve[0].interval[1] < curve[1].interval[0]
assert curve[1].interval[1] < curve[2].interval[0]

# %% [markdown]
# More pictures help each time, and each time by fewer points. This is typical of machine
# learning.
#
# ## Do the models fail on the same pictures?
#
# Suppose the models failed independently, like dice. Then a picture that all seven models
# (without the majority class) get wrong would be very rare: its probability would be the
# product of the seven error rates. We count how many there are.

# %%
looking = [one for one in fitted.values() if one.score.name != "majority"]
wrong = np.array([one.predictions != pictures.validation.labels for one in looking])
by_chance = wrong.mean(1).prod()
all_wrong = np.flatnonzero(wrong.all(0))
print(f"all {len(looking)} models wrong: {len(all_wrong)} of {validation_size:,} pictures")
print(f"if they failed independently: one picture in {1 / by_chance:,.0f}")
assert len(all_wrong) > 10 * by_chance * validation_size

# %% [markdown]
# They fail together: some pictures are *hard* for every method. Here are some of them, each
# with its label and the answer of the best model. Many are easy for you; a better method can
# still win those. For a few you may doubt the label.

# %%
from tenfold.report.figures import data

best = max(looking, key=lambda one: one.score.accuracy)
hard = pictures.validation.take(all_wrong)
answers = best.predictions[all_wrong]
captions = [f"{label} → {answer}" for label, answer in zip(hard.labels, answers, strict=True)]
finding = f"All {len(looking)} models are wrong: label → answer of {best.score.name}"
data.captioned(hard.images[:30], captions[:30], finding)

# %% [markdown]
# ## The bar for a network
#
# A network has to beat the best baseline clearly: the lower end of its interval must be above
# the upper end of the baseline's. Here is one of our networks, trained on the same pictures in
# four passes. Notebooks 3 and 4 explain how it works.
#
# The axis of accuracies is stretched: each step up of the same height halves the errors.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

sizes = {"train_size": train_size, "validation_size": validation_size, "epochs": epochs}
with TemporaryDirectory() as folder:
    run = train.train(recipes.replace(recipes.quick(), **sizes), Path(folder) / "run")
    network = evaluate.evaluate([run])[0].score
    seconds = run.environment["train_seconds"]
wrong = [one.total - one.correct for one in (network, best.score)]
print(f"errors of {validation_size:,}: network {wrong[0]}, best baseline {wrong[1]}")
assert network.interval[0] > best.score.interval[1]
classical = [(one.name, one.train_seconds, one) for one in scores]
figures.accuracy_against_seconds([*classical, ("a network", seconds, network)])

# %% [markdown]
# The network makes far fewer errors than the best baseline. The baselines were useful all the
# same: they showed that the task is neither trivial nor hopeless, they took seconds, and an
# error in our data would have shown here first.
#
# ## Try it
#
# 1. **Voting.** All seven models vote on each picture.
#    1. Guess: is the majority better than the best single model?
#    2. Compute it. Why is the answer not obvious, given that the models fail together?
# 2. **The interval of the textbook** for a share $p$ of $n$ pictures is
#    $p \pm 1.96 \sqrt{p (1 - p) / n}$. Simulate two thousand exams of 200 pictures with a true
#    accuracy of 99%.
#    1. In how many exams does it contain the truth?
#    2. In how many does Wilson's?
#
# <details><summary>Hint for exercise 1</summary>
# <code>np.stack([one.predictions for one in looking])</code> has a row for each model, and
# <code>scipy.stats.mode</code> returns the most frequent value of each column.
# </details>
#
# <details><summary>Solution of exercise 1</summary>
# <pre><code>from scipy import stats
# <br>
# votes = np.stack([one.predictions for one in looking])
# majority = stats.mode(votes).mode
# print((majority == pictures.validation.labels).mean(), best.score.accuracy)</code></pre>
# Each model has one vote, also the weak ones, and they tend to be wrong on the same pictures.
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>n, truth = 200, 0.99
# right = np.random.default_rng(0).binomial(n, truth, 2_000)
# p = right / n
# half = 1.96 * np.sqrt(p * (1 - p) / n)
# print("textbook:", ((p - half <= truth) & (truth <= p + half)).mean())
# wilson = np.array([wilson_interval(int(count), n) for count in right])
# print("Wilson:", ((wilson[:, 0] <= truth) & (truth <= wilson[:, 1])).mean())</code></pre>
# </details>
#
# **Next:** [a network by hand](03_network.ipynb).
