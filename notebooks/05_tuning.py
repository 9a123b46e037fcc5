# %% [markdown]
# # 5 · Tuning
#
# Learning rate, batch size, width: settings that training does not learn are called
# [hyperparameters](../docs/glossary.md#hyperparameter). A program can choose them. It tries a
# setting, trains, looks at the validation accuracy and tries another. One try is a
# [trial](../docs/glossary.md#trial); all trials that answer one question are a
# [study](../docs/glossary.md#study).
#
# **After this notebook you can**
#
# - define a search space and search it with a grid, at random, or with TPE;
# - say why random search beats a grid when some hyperparameters hardly matter;
# - stop bad trials early;
# - separate the quality of the best trial from its luck.
#
# **You need** [notebook 4](04_training.ipynb). **Time:** 60 minutes; the cells run for about 50
# seconds.

# %% small="side, trials, seeds, jobs, train_size, validation_size = 3, 6, 2, 1, 500, 500"
# the grid has side×side points; trials of the later search; seeds at the end
side, trials, seeds = 4, 36, 5
# processes that search
jobs = 2
# pictures to learn from, and to score on
train_size, validation_size = 3_000, 3_000

# %% [markdown]
# ## The search space
#
# A **space** lists the hyperparameters that are searched and the range of each; all else is as
# in the recipe. We begin with two. The *learning rate* is searched on a logarithmic scale,
# since the change from 0.001 to 0.002 matters as much as that from 0.1 to 0.2.
# [Warm-up](../docs/glossary.md#warm-up) is the share of the training during which the learning
# rate rises.
#
# A [grid](../docs/glossary.md#grid-search) takes a few values of each and tries all pairs.

# %%
from tenfold import recipes
from tenfold.tune import space_file

base = recipes.override(recipes.quick(), ["epochs=1", "network.width=8", "precision=float32"])
base = recipes.replace(base, train_size=train_size, validation_size=validation_size)
two = {
    "learning_rate": {"low": 0.0005, "high": 0.5, "log": True, "points": side},
    "warmup": {"low": 0.05, "high": 0.65, "points": side},
}
space = space_file.parse(two, base)
points = space.grid()
print(f"{len(points)} points, from {points[0]} to {points[-1]}")

# %% [markdown]
# ## Grid or random?
#
# [Random search](../docs/glossary.md#random-search) samples each point at random. We give both
# the same number of trials. `tune` can use several processes. It keeps a journal, so a search
# that was interrupted resumes when you call it again. Here everything is in a temporary folder.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold.runs import free_folder
from tenfold.tune.search import tune
from tenfold.tune.study import Question, ranked

folder = TemporaryDirectory()
workspace = Path(folder.name)
how = {"jobs": jobs, "seeds": 0}
found = {}
for kind in ("grid", "random"):
    question, out = Question(space, kind), free_folder("search", workspace)
    found[kind] = tune(question, trials=len(points), workspace=out, **how)

# %%
from tenfold.report.figures import tuning

tried = {}
for kind, study in found.items():
    tried[kind] = {trial.point["learning_rate"] for trial in study.trials}
    print(f"{kind}: {len(study.trials)} trials, {len(tried[kind])} different learning rates")
assert len(tried["grid"]) == side
assert len(tried["random"]) == len(points)
tuning.layout(found, "learning_rate", "warmup")

# %% [markdown]
# The marks at the edges show which values were tried. The grid tries few learning rates, each
# of them several times; random search tries a new learning rate in each trial. If only one of
# two hyperparameters matters, most trials of a grid repeat each other. With ten
# hyperparameters, three of which matter, a grid is hopeless (Bergstra and Bengio, 2012).
#
# Which of the two matters here? In the grid we can compare the mean accuracy of each learning
# rate, and of each warm-up. The figure shows another estimate, from the random trials. It
# compares the good trials with the rest (*PED-ANOVA*).

# %%
import numpy as np

from tenfold.report.figures import optuna_plots

reached = {tuple(trial.point.values()): trial.accuracy for trial in found["grid"].trials}
table = np.array([reached[pair] for pair in sorted(reached)]).reshape(side, side)
by_rate, by_warmup = np.ptp(table.mean(1)), np.ptp(table.mean(0))
print(f"mean accuracy: the learning rates differ by up to {100 * by_rate:.1f} points,")
print(f"the warm-ups by up to {100 * by_warmup:.1f} points")
assert by_rate > by_warmup
optuna_plots.importances(found["random"])

# %% [markdown]
# ## Learn from earlier trials, and stop early
#
# A person would not sample at random for ever. After some trials one sees where the good ones
# are and looks there. [TPE](../docs/glossary.md#tpe), a *Bayesian* search, does the same: it
# models where good and bad trials lie and proposes points that are more likely among the good.
#
# A person would also not wait for the end of a training that goes badly.
# [Pruning](../docs/glossary.md#pruning) stops trials that fall behind.
# [Hyperband](../docs/glossary.md#hyperband) is a pruning rule that also gives slow starters a
# chance. A pruned trial costs a part of a whole one, so more trials fit into the same time.
#
# Together they can search six hyperparameters instead of two. Two are new:
# [weight decay](../docs/glossary.md#weight-decay) pulls weights towards 0 (notebook 3), and
# [dropout](../docs/glossary.md#dropout) sets a random share of a layer's values to 0 in each
# training step. Both reduce overfitting.

# %%
six = two | {
    "batch_size": {"choices": [32, 64, 128]},
    "label_smoothing": {"low": 0.0, "high": 0.3},
    "weight_decay": {"low": 0.005, "high": 0.5, "log": True},
    "network.dropout": {"low": 0.0, "high": 0.3},
}
wide = space_file.parse(six, base)
question, out = Question(wide, "tpe", "hyperband"), free_folder("search", workspace)
found["tpe"] = tune(question, trials=trials, workspace=out, **how)
pruned = [trial for trial in found["tpe"].trials if trial.state == "pruned"]
print(f"{len(pruned)} of {len(found['tpe'].trials)} trials were stopped early")

# %%
tuning.race({kind: [study] for kind, study in found.items()})

# %% [markdown]
# The lines show the best accuracy so far: on the left against the number of trials, on the
# right against the seconds of training, which are the cost. With one study of each kind, the
# order of the lines is partly chance. To compare *searches*, one has to repeat them with
# several seeds; the [log of experiments](../EXPERIMENTS.md) has such comparisons.
#
# How does accuracy depend on each hyperparameter?

# %%
optuna_plots.slices(found["tpe"])

# %% [markdown]
# Each dot is a trial. A column of dots that rises or falls shows a hyperparameter that
# matters; a level cloud shows one that hardly does.
#
# ## The luck of the winner
#
# The best of many trials is good *and* lucky. To see how lucky, we train the winner again with
# new seeds: other first weights and another order of the pictures, and nothing else.

# %%
from tenfold import statistics, train

winner = ranked(found["tpe"].trials)[0]
recipe = recipes.replace(wide.recipe(winner.point), seed=1)
again = train.train_seeds(recipe, seeds, free_folder("again", workspace))
accuracies = np.array([run.history[-1]["validation_accuracy"] for run in again])
luck = statistics.over_seeds(accuracies)
print(f"as a trial {winner.accuracy:.2%}; with other seeds {luck.mean:.2%} ± {luck.sd:.2%}")
assert luck.sd > 0
tuning.leaderboard(found["tpe"], luck.sd, top=15)

# %% [markdown]
# After ± stands the [standard deviation](../docs/glossary.md#standard-deviation) of the seeds,
# which is also the shaded band in the figure. Trials inside the band may be as good as the
# winner, so their order means little. The mean over new seeds is the honest accuracy of the
# winner; as a rule it is below that of the trial. (`tune` does this by itself: it trains the
# best two again with new seeds and says whether the first is *better* or *tied*. We left that
# out with `seeds=0`.)
#
# ## Refine the winner
#
# There are two ways to continue. One is a new search in a smaller space around the winner, a
# quarter of each range (`tenfold tune --around RUN`, and exercise 2). The other keeps its
# *weights* and trains them further at a tenth of the learning rate:
# [fine-tuning](../docs/glossary.md#fine-tuning).

# %%
near = wide.around(recipe)
for before, after in zip(wide.parameters, near.parameters, strict=True):
    if not before.choices:
        ends = f"{before.low:g} to {before.high:g} → {after.low:g} to {after.high:g}"
        print(f"{before.name:16} {ends}")
        assert after.high - after.low < before.high - before.low
run, out = again[0], free_folder("tuned", workspace)
tuned = train.train(train.fine_tuning(run), out, initial=run.weights())
print(f"the winner: {run.history[-1]['validation_accuracy']:.2%}")
print(f"fine-tuned: {tuned.history[-1]['validation_accuracy']:.2%}")
assert tuned.recipe.learning_rate < run.recipe.learning_rate

# %% [markdown]
# Compare this difference with the standard deviation above. And do not credit the smaller
# steps alone: the fine-tuned run has also seen all pictures once more. Change one thing at a
# time.
#
# At some point all remaining differences are smaller than chance. Then it is time to stop
# tuning and to get more data or a better network.
#
# All of this used the validation pictures many times. Their accuracy is no longer an honest
# number for others, because we chose by it. That is what the sealed test set is for.
#
# ## Try it
#
# 1. **The second best.** Train the second best trial with the same new seeds.
#    1. What are its mean and standard deviation?
#    2. Is the winner better, or tied? Use `statistics.paired`.
# 2. **Around the winner.** Search the space `near` at random.
#    1. Compare the *median* trial with that of the first random search.
#    2. Is the best trial better than the winner? What else must you know to say that?
#
# <details><summary>Solution of exercise 1</summary>
# <pre><code>second = ranked(found["tpe"].trials)[1]
# other = recipes.replace(wide.recipe(second.point), seed=1)
# more = train.train_seeds(other, seeds, free_folder("second", workspace))
# theirs = np.array([run.history[-1]["validation_accuracy"] for run in more])
# print(statistics.over_seeds(theirs))
# print(statistics.paired(accuracies, theirs))</code></pre>
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>out = free_folder("near", workspace)
# closer = tune(Question(near, "random"), trials=len(points), workspace=out, **how)
# for name, study in (("whole space", found["random"]), ("around the winner", closer)):
#     reached = [trial.accuracy for trial in study.trials]
#     print(name, "median", np.median(reached), "best", max(reached))</code></pre>
# To compare the best trials, train both with the same new seeds, as in exercise 1.
# </details>
#
# **Next:** [evaluation](06_evaluation.ipynb). How good is a network, how certain is that, where
# does it fail? And, once, the test set.
