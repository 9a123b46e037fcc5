# %% [markdown]
# # 6 · Evaluation
#
# A network is trained. How good is it, how certain is that, where does it fail, and when
# should you not trust an answer? Accuracy answers only the first question. At the end we open
# the test set, once.
#
# **After this notebook you can**
#
# - read precision, recall and a confusion matrix;
# - judge and repair calibration;
# - compare two models with McNemar's test;
# - search for wrong labels and measure robustness;
# - use a test set once, and prove it.
#
# **You need** [notebook 4](04_training.ipynb). **Time:** 90 minutes; the cells run for about a
# minute.

# %% small="train_size, validation_size, epochs, spoilt, doubted = 3_000, 2_000, 3, 150, 3_000"
# pictures to learn from, and to score on
train_size, validation_size = 25_000, 5_000
# passes over them
epochs = 1.5
# pictures that are damaged, and labels that are checked
spoilt, doubted = 500, 10_000

# %% [markdown]
# We train three networks: `quick`, the same with another
# [random seed](../docs/glossary.md#random-seed), and `mlp`, a network with one hidden layer and
# no convolutions. The tables are about the first.

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
results = evaluate.evaluate([train.train(kinds[name], workspace / name) for name in kinds])
first, again, mlp = results
print(verb.text([first]))

# %% [markdown]
# The first table:
#
# - *correct*, *accuracy* and its *95% interval* are those of notebook 2, and so is *MCC*.
# - [Top 2](../docs/glossary.md#top-2-accuracy): the share of pictures whose label is one of
#   the two most probable classes.
# - [NLL](../docs/glossary.md#negative-log-likelihood-nll), the negative log-likelihood: the
#   cross-entropy of notebook 3, in [nats](../docs/glossary.md#nat). Confident mistakes cost
#   most.
# - [ECE](../docs/glossary.md#expected-calibration-error-ece), the expected calibration error,
#   before and after calibration: see below.
#
# The second table has a row for each digit
# ([precision, recall and F1](../docs/glossary.md#precision-recall-and-f1)).
#
# - **Precision** of the 7: of the pictures *classified* as 7, the share that are sevens.
# - **Recall** of the 7: of the pictures that *are* sevens, the share classified as 7.
# - **F1** is their harmonic mean, which is high only if both are high.
#
# ## Which digits are confused?
#
# The [confusion matrix](../docs/glossary.md#confusion-matrix) has a row for each true digit and
# a column for each answer. Correct answers are on the diagonal.

# %%
import numpy as np

from tenfold.data.catalog import MNIST
from tenfold.report.figures import confusion

matrix = first.score.matrix
assert matrix.trace() == first.score.correct
assert matrix.sum() == validation_size
errors = matrix - np.diag(np.diag(matrix))
pairs = np.argwhere(errors == errors.max())
print(f"largest number of one error: {errors.max()}, for")
for label, answer in pairs:
    print(f"  {label} classified as {answer}")
confusion.matrix(matrix, MNIST.classes)

# %% [markdown]
# The cell lists every pair with the largest number of errors; if there are several, they are
# tied. With so few errors per pair, another seed gives another order.
#
# Look at the pictures behind the largest numbers. The **error atlas** shows the mistakes of
# which the network was most confident. After each mistake come the four training pictures that
# are most similar *to the network*: nearest in the numbers that its last layer receives, not in
# pixels.

# %%
from tenfold import atlas, statistics
from tenfold.report.figures import data

split = train.split_for(quick)
answers = statistics.probabilities(first.logits, first.score.temperature)
mistakes = atlas.atlas(first.run, [("quick", answers)], split.validation, split.train, limit=8)
shown, captions = [], []
for mistake in mistakes:
    shown.append(split.validation.images[mistake.index])
    captions.append(f"{mistake.label} → {mistake.predicted}\n{mistake.confidence:.0%} sure")
    for neighbour in mistake.neighbours[:4]:
        shown.append(split.train.images[neighbour.index])
        captions.append(f"like this {neighbour.label}\nin training")
data.captioned(np.array(shown), captions, "Mistakes: label → answer, then similar pictures")

# %% [markdown]
# ## When to trust an answer
#
# Each answer has a probability, its [confidence](../docs/glossary.md#confidence). If a network
# says "90%" a hundred times, about ninety answers should be correct. Then it is
# [calibrated](../docs/glossary.md#calibration). Few networks are calibrated after training.
# `quick` was trained with smoothed labels, so its confidence is too low; other networks are
# overconfident. One number repairs most of it: all logits are divided by the
# [temperature](../docs/glossary.md#temperature) $T$ before the softmax:
#
# $$p_k = \frac{e^{z_k / T}}{\sum_j e^{z_j / T}}$$
#
# $T$ is the number for which the NLL on the validation pictures is smallest. Answers stay the
# same; only their probabilities change.
#
# In the upper row, the points should lie on the diagonal. The bars below show how many answers
# had which confidence. ECE is the mean distance from the diagonal, in which each bar counts by
# its number of answers.

# %%
from tenfold.report.figures import trust

before, after = first.score.expected_calibration_error, first.score.calibrated
print(f"temperature {first.score.temperature:.2f}")
assert first.score.temperature < 1
assert after.expected_calibration_error < before
assert np.array_equal(answers.argmax(1), first.logits.argmax(1))
trust.reliability(statistics.probabilities(first.logits), answers, first.labels)

# %% [markdown]
# The temperature was fitted on the same pictures that the figure shows. It is one number
# fitted to thousands of pictures, so the figure flatters the network only a little.
#
# Calibrated confidence lets you divide work: the network answers where it is confident, and a
# person looks at the rest. The figure shows the accuracy on the most confident share of the
# pictures. From right to left, fewer pictures are answered and fewer answers are wrong.

# %%
models = []
for one in (first, mlp):
    calibrated = statistics.probabilities(one.logits, one.score.temperature)
    models.append((one.run.name, calibrated))
share, accuracy = statistics.selective_accuracy(answers, first.labels)
assert accuracy[share <= 0.9].max() > first.score.accuracy
trust.selective(models, first.labels)

# %% [markdown]
# ## Which of two models is better?
#
# Both answered the same questions. Pictures that both classify correctly, or both wrongly, say
# nothing about which is better. Only the pictures that **exactly one** of them classifies
# correctly count. If the models were equally good, each of these would be decided by a fair
# coin. [McNemar's test](../docs/glossary.md#mcnemars-test) computes the probability of a
# result at least as uneven with a fair coin, the
# [p-value](../docs/glossary.md#p-value). Below 5% we say that one is better; otherwise they
# are **tied**.

# %%
for one, other, test in evaluate.comparisons(results):
    only = f"only the first correct: {test.only_first:3}, only the second: {test.only_second:3}"
    names = f"{one.run.name} and {other.run.name}"
    print(f"{names:16} {only}, p = {test.p_value:.2g}: first {test.verdict}")
best = statistics.mcnemar(first.right, mlp.right)
assert best.verdict == "better"
rows = []
for one in results:
    score = one.score
    rows.append(trust.Row(one.run.name, "validation", score.accuracy, score.interval))
pairs = [(0, 1, statistics.mcnemar(first.right, again.right)), (0, 2, best)]
pairs.append((1, 2, statistics.mcnemar(again.right, mlp.right)))
trust.forest(rows, pairs)

# %% [markdown]
# The two seeds of one recipe disagree on dozens of pictures, and still neither is shown to be
# better. To compare two *recipes*, and not two files of weights, train several seeds of each
# (notebook 4).
#
# ## Is the label correct?
#
# People make labels, so some are wrong. In
# [cross-validation](../docs/glossary.md#cross-validation) the pictures are divided into parts,
# here three. For each part a network is trained on the other two, so every picture is
# classified by a network that never saw it. If that network is confident and the label says
# something else, the label is in doubt. The rule is called
# [confident learning](../docs/glossary.md#confident-learning).
#
# Does it work? We change a fiftieth of the labels at random and count how many are found.

# %%
from tenfold import crossval, doubt
from tenfold.data.split import Samples
from tenfold.report.figures import doubt as figures

some = split.train.take(np.arange(doubted))
rng = np.random.default_rng(0)
planted = rng.choice(len(some), len(some) // 50, replace=False)
labels = some.labels.copy()
labels[planted] = (labels[planted] + rng.integers(1, 10, len(planted))) % 10
recipe = recipes.replace(quick, batch_size=128, epochs=4, train_size=None, hardest=1)
held_out = crossval.out_of_fold(recipe, Samples(some.images, labels), k=3)
doubts = doubt.doubtful(statistics.probabilities(held_out.logits), labels)
found = np.isin(doubts.pictures, planted)
assert found.sum() > 0.7 * len(planted)
figures.planted(found, len(planted))

# %% [markdown]
# The list is sorted, the most doubtful label first. **Recall** is the share of the changed
# labels that are in the list so far; **precision** is the share of the list so far that was
# changed. At the top nearly all labels were changed by us; towards the end the list contains
# more that we did not change. Here are up to twenty of these. Some pictures are hard to read;
# now and then MNIST's own label is wrong.

# %%
rest = np.flatnonzero(~found)
captions = []
for place in rest[:20]:
    captions.append(f"{doubts.given[place]} → {doubts.suggested[place]}")
finding = f"The first {len(captions)} of {len(rest)} doubted labels that were not changed"
data.captioned(some.images[doubts.pictures[rest[:20]]], captions, finding)

# %% [markdown]
# ## Damaged pictures
#
# The pictures of your users differ from MNIST. How much worse may they be? The figure shows
# ten kinds of damage at five strengths each, and the accuracy that remains. The bands are 95%
# intervals.

# %%
from functools import partial

from tenfold import robustness
from tenfold.report.figures import robustness as figures

few = split.validation.take(np.arange(spoilt))
curves = {}
for one in (first, mlp):
    answer = partial(evaluate.predict, one.run)
    curves[one.run.name] = robustness.curves(answer, few)
assert curves["quick"]["shift"][3] > curves["mlp"]["shift"][3]
for damage in ("blur", "contrast"):
    assert curves["quick"][damage][4] < curves["mlp"][damage][4]
figures.curves(curves, few.images[0], len(few))

# %% [markdown]
# The better network is not better at everything. A shift hurts it little: convolutions look
# for the same pattern everywhere. At the stronger levels the network without convolutions
# withstands blur and low contrast better, although it makes more mistakes on undamaged
# pictures. With noise, sometimes one makes fewer mistakes and sometimes the other, depending
# on the training.
#
# The last panel inverts the pictures, black for white. You can still read them, but at full
# strength both networks get most of them wrong: they have never seen such a picture.
# They have not learned what a 3 is, but what distinguishes the threes *of MNIST* from its other
# digits. Notebook 8 meets this problem again with other handwriting.
#
# ## Once: the test set
#
# All decisions are made. In this notebook we chose `quick` by validation pictures only. (The
# recipe itself was influenced by the test set three times, as
# [the benchmarks](../docs/benchmarks.md) tell.) Now we open the test set for one model.
# `evaluate` does it with `test=True`, and writes into the ledger *before* it reads a picture.

# %%
result = evaluate.evaluate([first.run], test=True, who="notebook 6")[0]
low, high = result.score.interval
right, total = result.score.correct, result.score.total
print(f"{right:,} of {total:,} test pictures correct: {right / total:.2%}")
print(f"95% interval: {low:.2%} to {high:.2%}")
ledger = (workspace / "test-ledger.jsonl").read_text()
print(ledger)
assert ledger.count("\n") == 1
assert total == 10_000

# %% [markdown]
# This is the number to publish, with its interval. The line of the ledger says who opened the
# test set, when, and for which run and recipe. If we had looked at it twenty times and taken
# the best, the number would be a little higher and worth less.
#
# (The workspace of this notebook is a temporary folder, so its ledger is deleted with it. You
# can run the notebook as often as you like, because nothing is chosen by what it shows. In your
# own workspace, `runs/`, the ledger stays.)
#
# ## Try it
#
# 1. **Answer only when confident.** Accept an answer only if its calibrated probability is at
#    least 99%.
#    1. Which share of the pictures is answered?
#    2. How many of these answers are correct? Put an interval around it.
# 2. **Robust by augmentation.** Train `quick` with `rotation=8, shift=1.5, scale=0.08,
#    shear=0.08`.
#    1. Which curves of the damaged pictures rise?
#    2. Which do not, and why?
#
# <details><summary>Solution of exercise 1</summary>
# <pre><code>confident = answers.max(1) >= 0.99
# print(f"{confident.mean():.1%} answered")
# right, total = int(first.right[confident].sum()), int(confident.sum())
# print(right, "of", total, statistics.wilson_interval(right, total))</code></pre>
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>moved = {"rotation": 8, "shift": 1.5, "scale": 0.08, "shear": 0.08}
# augmented = train.train(recipes.replace(quick, **moved), workspace / "augmented")
# changed = robustness.curves(partial(evaluate.predict, augmented), few)
# for name, values in changed.items():
#     print(f"{name:14} {curves['quick'][name][3]:.2f} -> {values[3]:.2f}")</code></pre>
# The numbers are accuracies at the third of five strengths. Expect gains for damage of the kind
# that the augmentation contains: rotation, shift and scale. It contains no blur and no noise.
# </details>
#
# `tenfold report runs/…` writes a page with nearly all of this notebook for your own runs.
#
# **Next:** [shipping](07_shipping.ipynb). From a run to a file and a service.
