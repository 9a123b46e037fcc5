# %% [markdown]
# # 4 · Training
#
# A network is a description; training makes it good. What can one turn, and what does it
# do? The rule of this notebook is that of any laboratory: **one change at a time**, several
# tries of each, and a difference counts only if it is larger than chance.
#
# To have many trainings in a minute we learn from few pictures. The accuracies are lower
# than those of the real recipes; what helps is mostly the same.

# %% small="train_size, validation_size, epochs, seeds = 1_000, 500, 2, 2"
train_size, validation_size = 3_000, 3_000  # pictures to learn from, and to score on
epochs, seeds = 6, 4  # passes over the pictures; trainings of each kind

# %% [markdown]
# ## Curves
#
# A **recipe** says all that a training depends on. Ours is Tenfold's `quick`, half as wide
# to be faster. `train` makes a *run* of it: a folder with the recipe, the weights, and a
# **history**, a line or more an epoch. The folder is a temporary one here, and gone when you
# close the notebook.
#
# Three curves tell how it went. The **loss** is what training makes small (notebook 3). The
# **accuracy** is what we are after. The **learning rate**, the length of the steps, rises
# at first, while the weights are still random, and then goes down to nothing, so that the
# network comes to rest.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import recipes, train
from tenfold.report.figures import training
from tenfold.runs import free_folder

folder = TemporaryDirectory()
workspace = Path(folder.name)
base = recipes.override(recipes.quick(), ["network.width=8", "precision=float32"])
sizes = {"train_size": train_size, "validation_size": validation_size, "epochs": epochs}
base = recipes.replace(base, batch_size=128, **sizes)
runs = {"base": train.train_seeds(base, seeds, free_folder("base", workspace))}
training.history([run.history for run in runs["base"]], [True] * seeds)

# %% [markdown]
# Each line is a training from other random weights, in another order of the pictures:
# another **seed** of the random numbers. The band is from the lowest to the highest. Mind
# how far apart they are at the end, with the very same recipe: that is the chance that a
# difference has to beat.
#
# (The training loss is the higher one, though the network knows these pictures. `quick`
# *smooths* its labels: it asks to be 91% sure and no surer, so a training loss cannot come
# near 0. The validation loss is measured without that.)
#
# ## How long may a step be?
#
# The learning rate is the one setting that spoils everything when it is wrong. There is a
# quick way to find it, the **range test**: train for one epoch, and let the rate rise at
# each step, from far too small to far too large. The loss falls as soon as the steps are
# long enough, and grows again when they are too long.
#
# At the same time we ask what **batch normalisation** is good for. The network without it
# is one expression: the same tuple of layers, less each `Norm` (the layers before it get
# the bias back that the norm had made useless). Under a name in the catalogue, recipes can
# ask for it.

# %%
from dataclasses import replace

from tenfold import architectures, networks

architectures.NETWORKS["unnormed"] = lambda classes, width: tuple(
    replace(one, bias=True) if isinstance(one, networks.Conv | networks.Dense) else one
    for one in architectures.quick(classes, width)
    if not isinstance(one, networks.Norm)
)
rising = recipes.replace(base, train_size=4 * train_size)
plain = recipes.replace(rising, network="unnormed")
tests = {"without norm": train.range_test(plain), "with norm": train.range_test(rising)}
losses = tests["with norm"][1]
assert losses.min() < 0.5 * losses[0]
training.range_test(tests)

# %% [markdown]
# With the norm the loss falls at rates where the other network has long gone astray, and
# the valley is wide: one need not hit it exactly. A good rate is a bit to the left of the
# lowest point, where the loss still falls.
#
# ## Too little, too much
#
# A network that is too small cannot even learn its own pictures: **underfitting**. Training
# and validation accuracy are alike, and both are low. Here is `quick` with filters as few
# as can be.

# %%
tiny = recipes.replace(base, network_arguments={"width": 1})
under = train.train(tiny, free_folder("under", workspace))
last = under.history[-1]
assert last["train_accuracy"] < runs["base"][0].history[-1]["train_accuracy"] - 0.05
assert last["validation_accuracy"] > last["train_accuracy"] - 0.1
training.history([under.history], [True])

# %% [markdown]
# The opposite is **overfitting**: a large network, few pictures, and nothing that holds it
# back. It learns them by heart. On its own pictures it is right every time and ever surer;
# on others it stands still, and its loss *grows*, since it gets surer of its mistakes too.

# %%
large = recipes.replace(
    base,
    network="mlp",
    network_arguments={"width": 256},
    train_size=200,
    batch_size=20,
    epochs=5 * epochs,
    learning_rate=0.003,
    label_smoothing=0,
)
over = train.train(large, free_folder("over", workspace))
losses = [line["validation_loss"] for line in over.history if "validation_loss" in line]
assert over.history[-1]["train_accuracy"] == 1
assert losses[-1] > min(losses)
training.history([over.history], [True])

# %% [markdown]
# So the distance between the two curves says what is missing. Both low: a larger network,
# or longer training. Far apart: more pictures, augmentation, or something else that holds
# back.
#
# ## One change at a time
#
# Now the experiment. Each row differs from the base in one thing:
#
# - **no norm**: the network from above;
# - **augmentation**: each picture is turned, moved and stretched a little, ever anew
#   (notebook 1);
# - **averaging**: what is kept is not the last weights but the mean of the last steps',
#   which jump less;
# - **small steps**: a thirtieth of the learning rate, and of that of *Muon*, which moves the
#   hidden layers' tables.

# %%
changes = {
    "no norm": {"network": "unnormed"},
    "augmentation": {"rotation": 8, "shift": 1.5, "scale": 0.08, "shear": 0.08},
    "averaging": {"averaging": 0.95},
    "small steps": {"learning_rate": base.learning_rate / 30, "muon": base.muon / 30},
}
for name, change in changes.items():
    out = free_folder(name, workspace)
    runs[name] = train.train_seeds(recipes.replace(base, **change), seeds, out)

# %%
import numpy as np

from tenfold.report.figures import trust

accuracies = {
    name: np.array([run.history[-1]["validation_accuracy"] for run in some])
    for name, some in runs.items()
}
assert accuracies["small steps"].mean() < accuracies["base"].mean()
trust.seed_spread(list(accuracies.items()))

# %% [markdown]
# Each dot is a seed, each bar the 95% interval of the mean. With so few seeds the intervals
# are wide; that is honest. A sharper way to compare is *in pairs*: trainings of the same
# seed see the same pictures in the same order, so one looks at the difference, seed by
# seed, and asks whether its interval holds 0. If it does, the two are **tied**: we do not
# know which is better.

# %%
from tenfold import statistics

for name in changes:
    found = statistics.paired(accuracies[name], accuracies["base"])
    mean, low, high = (f"{100 * value:+.2f}" for value in (found.mean, *found.interval))
    print(f"{name:<12} {mean} points ({low} to {high}): {found.verdict}")

# %% [markdown]
# "Tied" is not a failure of the experiment. It says: more seeds, or leave it as it is.
# (Also: who makes four comparisons at 5% must expect that now and then one of them is
# luck.) With all pictures and a larger network the same table looks different; in
# [EXPERIMENTS](../EXPERIMENTS.md) are those that chose `quick` and `standard`.
#
# ## The same recipe elsewhere
#
# All this was PyTorch. TensorFlow, another library, trains the same recipe: the same first
# weights, the same order, the same maps. It rounds differently, and small differences grow;
# so it does not give the same bits, but it must give the same result, within chance.

# %%
other = recipes.replace(base, framework="tensorflow")
theirs = train.train(other, free_folder("tensorflow", workspace))
training.history([runs["base"][0].history, theirs.history], [True, True])

# %% [markdown]
# Two lines, one from each library, same seed. What TensorFlow has learnt is in a file of
# plain numbers, so PyTorch can take it up. Do the two give the same answers with it?

# %%
from tenfold.frameworks import keras, pytorch

weights, layers = theirs.weights(), theirs.recipe.layers()
images = train.split_for(base).validation.images[:1_000]
answers = [
    one.logits(one.build(layers, weights), images, base.dataset) for one in (pytorch, keras)
]
print(f"the largest difference of two logits: {np.abs(answers[0] - answers[1]).max():.1e}")
np.testing.assert_allclose(*answers, atol=1e-3)

# %% [markdown]
# ## Try it
#
# 1. Is averaging of more use together with augmentation? Two changes at a time: what must
#    you compare with what?
# 2. Find the smallest `train_size` with which `quick` reaches 95% on validation, and try
#    whether augmentation makes it smaller.
#
# <details><summary>A hint for the first</summary>
# There are four recipes: neither, one, the other, both. The question is whether averaging gains
# more <i>with</i> augmentation than without.
# </details>
#
# <details><summary>A solution</summary>
# <pre><code>both = recipes.replace(base, **changes["augmentation"], **changes["averaging"])
# some = train.train_seeds(both, seeds, free_folder("both", workspace))
# reached = np.array([run.history[-1]["validation_accuracy"] for run in some])
# print("with augmentation:", statistics.paired(reached, accuracies["augmentation"]))
# print("without:", statistics.paired(accuracies["averaging"], accuracies["base"]))</code></pre>
# </details>
#
# **Next:** [tuning](05_tuning.ipynb). Let the computer do the turning, and do not be fooled
# by what it finds.
