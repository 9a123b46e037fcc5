# %% [markdown]
# # 6 · Evaluation
#
# A network is trained. How good is it, how sure may one be of that, where does it fail, and
# when should one not believe it? One figure, the accuracy, answers the first question
# alone. And at the end we open the test set, once.

# %% small="train_size, validation_size, epochs, spoilt, doubted = 3_000, 2_000, 3, 150, 3_000"
train_size, validation_size = 25_000, 5_000  # pictures to learn from, and to score on
epochs = 1.5  # passes over them
spoilt, doubted = 500, 10_000  # pictures that we spoil, and whose labels we doubt

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train
from tenfold.cli import evaluate as verb

folder = TemporaryDirectory()
workspace = Path(folder.name)
sizes = {"train_size": train_size, "validation_size": validation_size, "epochs": epochs}
quick = recipes.replace(recipes.quick(), precision="float32", **sizes)
plain = recipes.override(quick, ["network=mlp", "learning_rate=0.003"])
kinds = {"quick": quick, "again": recipes.replace(quick, seed=1), "mlp": plain}
runs = [train.train(recipe, workspace / name) for name, recipe in kinds.items()]
first, again, mlp = results = evaluate.evaluate(runs)
print(verb.text([first]))

# %% [markdown]
# We have trained three: `quick`, the same with another seed, and a multilayer perceptron (a
# network without convolutions). The tables are about the first.
#
# - **Precision** of a digit: of the pictures that were *called* a 7, how many are one?
# - **Recall**: of those that *are* a 7, how many were called one? The two are different
#   mistakes. Whoever reads amounts of money may fear one more than the other.
# - **F1** is between the two; it is only high if both are.
#
# ## Who is taken for whom
#
# The **confusion matrix** has a row for each true digit and a column for each answer. What
# is right lies on the diagonal; all else is a mistake with a name.

# %%
import numpy as np

from tenfold.data.catalog import MNIST
from tenfold.report.figures import confusion

matrix = first.score.matrix
assert matrix.trace() == first.score.correct
assert matrix.sum() == validation_size
confusion.matrix(matrix, MNIST.classes)

# %% [markdown]
# Look at the pictures behind the largest numbers, always. Some mistakes are yours to mend,
# with more pictures of a kind, say; some would be yours too.
#
# The **error atlas** knows more of each mistake. Here are those of which the network was
# surest, each followed by the four training pictures that look most alike *to the network*:
# nearest in the numbers that its last layer gets to see, not in pixels.

# %%
from tenfold import atlas, statistics
from tenfold.report.figures import data

split = train.split_for(quick)
answers = statistics.probabilities(first.logits, first.score.temperature)
mistakes = atlas.atlas(first.run, [("quick", answers)], split.validation, split.train, limit=8)
shown, captions = [], []
for one in mistakes:
    near = one.neighbours[:4]
    shown += [split.validation.images[one.index], *(split.train.images[n.index] for n in near)]
    captions += [f"{one.label} → {one.predicted}\n{one.confidence:.0%} sure"]
    captions += [f"like this {n.label}\nin training" for n in near]
data.captioned(
    np.array(shown), captions, "Mistakes: the label → the answer, and what it looks like"
)

# %% [markdown]
# ## When to believe it
#
# With each answer comes a probability. If it says "90%" a hundred times, ninety of them
# should be right; then it is **calibrated**. Networks seldom are by themselves. `quick` was
# trained with smoothed labels and is too modest; others are too sure. One number mends most
# of it: all logits are divided by the same **temperature**, chosen so that the loss on
# validation pictures is least. No answer changes, only how sure it is.
#
# In the upper row, points on the diagonal are what one wants. *ECE*, the expected
# calibration error, is the mean distance from it.

# %%
from tenfold.report.figures import trust

before, after = first.score.expected_calibration_error, first.score.calibrated
assert after.expected_calibration_error < before
assert np.array_equal(answers.argmax(1), first.logits.argmax(1))
trust.reliability(statistics.probabilities(first.logits), answers, first.labels)

# %% [markdown]
# (To be strict: the temperature was fitted on the very pictures that we draw here. It is
# one number and thousands of pictures, so that flatters little.)
#
# What is it good for? You may let the machine answer where it is sure, and a person look at
# the rest. From right to left: the fewer it answers, the fewer mistakes it makes.

# %%
models = [
    (one.run.name, statistics.probabilities(one.logits, one.score.temperature))
    for one in (first, mlp)
]
share, accuracy = statistics.selective_accuracy(answers, first.labels)
assert accuracy[share <= 0.9].max() > first.score.accuracy
trust.selective(models, first.labels)

# %% [markdown]
# ## Which of two is better?
#
# Both were asked the same questions. Where both are right or both are wrong, nothing is to
# be learnt about which is better. What counts is the pictures that **only one** of them got
# right: if they were equally good, a coin would decide each of those. **McNemar's test**
# asks how likely so uneven a result is with a fair coin: that is *p*. Below 5% we believe
# that one is better; else they are **tied**.

# %%
for one, other, test in evaluate.comparisons(results):
    only = f"only the first right: {test.only_first:3}, only the second: {test.only_second:3}"
    names = f"{one.run.name} and {other.run.name}"
    print(f"{names:16} {only}, p = {test.p_value:.2g}: the first is {test.verdict}")
best = statistics.mcnemar(first.right, mlp.right)
assert best.verdict == "better"
rows = [
    trust.Row(r.run.name, "validation", r.score.accuracy, r.score.interval) for r in results
]
pairs = [(0, 1, statistics.mcnemar(first.right, again.right)), (0, 2, best)]
pairs.append((1, 2, statistics.mcnemar(again.right, mlp.right)))
trust.forest(rows, pairs)

# %% [markdown]
# The two seeds of one recipe differ in more pictures than one would think, and still no one
# can say that one is better. If you must compare two *recipes*, and not two files of
# weights, train several seeds of each (notebook 4).
#
# ## Is the label right?
#
# Labels are made by people. In **cross-validation** the pictures are cut into parts, here
# three; for each part a network is trained on the others, so that every picture is answered
# by one that never saw it. Where it is sure, and the label says something else, the label
# is in *doubt*. (The rule is called confident learning.)
#
# Does that work? We plant mistakes: a few labels become other ones, at random. Then we let
# it search, and count.

# %%
from tenfold import crossval, doubt
from tenfold.data.split import Samples
from tenfold.report.figures import doubt as figures

some = split.train.take(np.arange(doubted))
rng = np.random.default_rng(0)
planted = rng.choice(len(some), len(some) // 50, replace=False)
labels = some.labels.copy()
labels[planted] = (labels[planted] + rng.integers(1, 10, len(planted))) % 10
recipe = recipes.replace(quick, batch_size=128, epochs=4, train_size=None)
held_out = crossval.out_of_fold(recipe, Samples(some.images, labels), k=3)
doubts = doubt.doubtful(statistics.probabilities(held_out.logits), labels)
found = np.isin(doubts.pictures, planted)
assert found.sum() > 0.7 * len(planted)
figures.planted(found, len(planted))

# %% [markdown]
# **Recall** is the share of the planted ones that it found; **precision** the share of its
# list that was planted. The top of the list is nearly all planted. Among the others are
# pictures that nobody can read, and now and then a mistake of those who made MNIST. Here is
# the top of what we did *not* plant.

# %%
rest = ~found
figures.doubtful(
    some.images[doubts.pictures[rest]][:20],
    doubts.given[rest][:20],
    doubts.suggested[rest][:20],
    MNIST.classes,
)

# %% [markdown]
# ## Spoilt pictures
#
# The pictures of your users are not those of MNIST. How much worse may they be? Ten ways to
# spoil a picture, at five strengths each, and what is left of the accuracy. The bands are
# 95% intervals.

# %%
from tenfold import robustness
from tenfold.report.figures import robustness as figures

few = split.validation.take(np.arange(spoilt))
curves = {
    one.run.name: robustness.curves(
        lambda images, run=one.run: evaluate.predict(run, images), few
    )
    for one in (first, mlp)
}
assert curves["quick"]["shift"][3] > curves["mlp"]["shift"][3]
figures.curves(curves, few.images[0], len(few))

# %% [markdown]
# A better network is not better at everything: look where the perceptron, with all its
# mistakes, stands more. Convolutions bear a shift, since they look for the same pattern
# everywhere. And notice the last panel: to invert a picture, black for white, is nothing to
# you, and the end to a network that has never seen one. It has not learnt what a 3 is; it
# has learnt what tells the 3s *of MNIST* from its other digits. With your own handwriting
# we shall meet that again.
#
# ## Once: the test set
#
# Everything is decided. We chose `quick` on validation pictures; no test picture has had a
# part in it. So now the seal is broken, for one model. `evaluate` does it with `test=True`,
# and writes in the ledger *before* it reads.

# %%
(result,) = evaluate.evaluate([first.run], test=True, who="notebook 6")
low, high = result.score.interval
right, total = result.score.correct, result.score.total
print(
    f"{right:,} of {total:,} test pictures right, {right / total:.2%} ({low:.2%} to {high:.2%})"
)
ledger = (workspace / "test-ledger.jsonl").read_text()
print(ledger)
assert ledger.count("\n") == 1
assert total == 10_000

# %% [markdown]
# That is the figure to tell others, with its interval, and the line under it says who has
# asked for it, when, for which run and recipe. Had we looked at it while we were choosing,
# and taken the best of twenty, the figure would be a little better, and worth less.
#
# (This notebook's workspace is a temporary folder, so its ledger goes with it, and you may
# run it as often as you like: it chooses nothing by what it sees. In your own workspace,
# `runs/`, the ledger stays.)
#
# ## Try it
#
# 1. Answer only where the calibrated probability is at least 99%. What share of the
#    pictures is that, and how many of the answers are right? Put an interval around it.
# 2. Train with augmentation (`rotation=8, shift=1.5, scale=0.08, shear=0.08`) for a few
#    more epochs. In which panels of the spoilt pictures does the curve rise?
#
# <details><summary>A solution of the first</summary>
# <pre><code>sure = answers.max(1) >= 0.99
# print(f"{sure.mean():.1%} answered")
# print(statistics.wilson_interval(int(first.right[sure].sum()), int(sure.sum())))</code></pre>
# </details>
#
# Nearly all of this notebook, for runs of your own, is in the page that `tenfold report
# runs/…` writes.
#
# Next: [7 · Shipping](07_shipping.ipynb).
