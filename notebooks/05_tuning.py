# %% [markdown]
# # 5 · Tuning
#
# Learning rate, batch size, width, how much smoothing: what training does not find by
# itself is called a **hyperparameter**. Somebody has to choose it, and that somebody can be
# a program: it tries a setting, trains, looks at the validation accuracy, tries another. A
# try is a **trial**; all trials with one question make a **study**.
#
# In this notebook: two ways to search that never learn, and why chance beats order; one
# that learns; how to stop in time what leads nowhere; and why the winner is never quite as
# good as it looks.

# %% small="side, trials, seeds, jobs, train_size, validation_size = 3, 6, 2, 1, 500, 500"
side, trials, seeds = 5, 60, 5  # a grid of side×side points; later trials; seeds of the winner
jobs = 2  # processes that search
train_size, validation_size = 3_000, 3_000  # pictures to learn from, and to score on

# %% [markdown]
# ## What is searched
#
# A **space** says which hyperparameters are drawn, from where to where; all else is as in
# the recipe. We begin with two. The *learning rate* is drawn on a logarithmic scale, since
# from 0.001 to 0.002 is as much of a change as from 0.1 to 0.2. *Warm-up* is the share of
# the training in which the learning rate rises.
#
# A **grid** takes a few values of each and tries all pairs.

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
# ## Order against chance
#
# **Random search** draws each point by lot. It sounds careless. Let us give both the same
# number of trials. (`tune` works with several processes, and keeps a journal: kill it, call
# it again, and it goes on where it was. With `study.json` it leaves a file that anyone can
# read. All that is in a temporary folder here.)

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

tried = {
    kind: {trial.point["learning_rate"] for trial in study.trials}
    for kind, study in found.items()
}
assert len(tried["grid"]) == side
assert len(tried["random"]) == len(points)
tuning.layout(found, "learning_rate", "warmup")

# %% [markdown]
# The strokes at the edges tell the story. Two trials of the grid in a column ask the same
# of the learning rate; only their warm-ups differ. If one of the two hardly matters, most
# of the grid is spent on it, while chance tries a new value of *both* each time. With ten
# hyperparameters, of which three matter, a grid is hopeless. (Bergstra and Bengio showed
# this in 2012.)
#
# Which one matters here? The grid can tell: how far apart are its columns on average, and
# how far its rows? For many hyperparameters there are better estimates; the figure has one,
# from the random trials (*PED-ANOVA*: what sets the good trials apart from the rest).

# %%
import numpy as np

from tenfold.report.figures import optuna_plots

reached = {tuple(trial.point.values()): trial.accuracy for trial in found["grid"].trials}
table = np.array([reached[pair] for pair in sorted(reached)]).reshape(side, side)
columns, rows = np.ptp(table.mean(1)), np.ptp(table.mean(0))
print(f"learning rates are up to {100 * columns:.1f} points apart, warm-ups {100 * rows:.1f}")
assert columns > rows
optuna_plots.importances(found["random"])

# %% [markdown]
# ## Learn from the trials, and stop in time
#
# A person would not draw by lot for ever. After some trials one sees where the good ones
# are, and looks there. **TPE**, a *Bayesian* search, does that: it models where good and
# bad trials lie, and tries what is likely to be good.
#
# And a person would not wait to the end of a training that goes badly. **Pruning** looks in
# from time to time and stops what falls behind; *hyperband* is a careful way of doing so,
# which also gives slow starters a chance. A pruned trial costs a part of a whole one, so
# there are more of them for the same time.
#
# Together they can afford a larger space: six hyperparameters in place of two.

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
# The lines are the best so far, against the number of trials on the left and against
# seconds of training on the right. The right one is what you pay. One study of each kind is
# an anecdote, mind: which of the lines is on top would change with the next seed. To compare
# *searches* one has to repeat them; `EXPERIMENTS.md` has such races.
#
# How does accuracy depend on each hyperparameter?

# %%
optuna_plots.slices(found["tpe"])

# %% [markdown]
# ## The winner's luck
#
# The best of many trials is the best *and* the luckiest. How large is luck? We train the
# winner again with other seeds, which no trial has seen: other first weights, another order
# of the pictures, nothing else.

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
# The shaded band is one standard deviation of the seeds. What lies inside it may well be as
# good as the winner; do not read much into the order there. And the winner itself: its mean
# over new seeds is the honest figure, as a rule below what it showed as a trial. (`tune`
# does this by itself: it trains the best two again with fresh seeds and says whether the
# first is *better* or *tied*. We left that out with `seeds=0`.)
#
# ## Closer
#
# There are two ways to go on from a winner. One is to search again close around it: the
# same space, narrowed to a quarter of each range (`tenfold tune --around RUN` does that; it
# is the second exercise). The other is to go on with its *weights*, at a tenth of the
# learning rate: **fine-tuning**.

# %%
near = wide.around(recipe)
for before, after in zip(wide.parameters, near.parameters, strict=True):
    if not before.choices:
        ends = f"{before.low:g} to {before.high:g} → {after.low:g} to {after.high:g}"
        print(f"{before.name:16} {ends}")
        assert after.high - after.low < before.high - before.low
run = again[0]
tuned = train.train(
    train.fine_tuning(run), free_folder("tuned", workspace), initial=run.weights()
)
for name, one in (("the winner", run), ("fine-tuned", tuned)):
    print(f"{name}: {one.history[-1]['validation_accuracy']:.2%}")
assert tuned.recipe.learning_rate < run.recipe.learning_rate

# %% [markdown]
# Is that difference larger than the luck above? (And is it due to the small steps? The
# fine-tuned run has also seen all pictures once more. One change at a time.) Sooner or
# later all differences that are left are smaller than the noise; then it is time to stop
# tuning, and to get more data or a better network.
#
# All this has used the validation pictures many times over. Their accuracy is no longer an
# honest figure for anybody else: we have chosen by it. That is what the sealed test set is
# for.
#
# ## Try it
#
# 1. Train the *second* best trial with the same new seeds. Is the winner better, or tied?
#    (`statistics.paired`)
# 2. Search around the winner: `tune(Question(near, "random"), trials=30,
#    workspace=free_folder("near", workspace), **how)`. Compare the *median* trial with that
#    of the first random search, and then the best with the winner, on new seeds.
#
# <details><summary>A solution of the first</summary>
# <pre><code>second = ranked(found["tpe"].trials)[1]
# other = recipes.replace(wide.recipe(second.point), seed=1)
# runs = train.train_seeds(other, seeds, free_folder("second", workspace))
# theirs = np.array([run.history[-1]["validation_accuracy"] for run in runs])
# print(statistics.paired(accuracies, theirs))</code></pre>
# </details>
#
# **Next:** [evaluation](06_evaluation.ipynb). How good is it, how sure may one be, where
# does it fail? And, once, the test set.
