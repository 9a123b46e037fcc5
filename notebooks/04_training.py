# %% [markdown]
# # 4 · Training
#
# Which settings of a training matter, and how do you find out? This notebook follows the rule
# of any laboratory: **change one thing at a time**, repeat each training with several random
# seeds, and believe a difference only if it is larger than chance.
#
# **After this notebook you can**
#
# - read the curves of a training and recognise underfitting and overfitting;
# - find a learning rate with a range test;
# - compare two settings over several seeds and say whether they are tied;
# - train the same network with PyTorch and with Keras.
#
# **You need** [notebook 3](03_network.ipynb). **Time:** 90 minutes; the cells run for about a
# minute. To allow many trainings in a minute, they use few pictures. Accuracies are therefore
# lower than those of the recipes that Tenfold ships.

# %% small="train_size, validation_size, epochs, seeds = 1_000, 1_000, 4, 2"
# pictures to learn from, and to score on
train_size, validation_size = 1_500, 3_000
# passes over the pictures; trainings of each kind
epochs, seeds = 8, 4

# %% [markdown]
# ## Curves
#
# `train.train` turns a [recipe](../docs/glossary.md#recipe) into a *run*: a folder with the
# recipe, the weights and a **history**, the loss and accuracy during training. Our recipe is
# `quick` with half as many feature maps. The runs lie in a temporary folder, which is deleted
# when you close the notebook.
#
# The network, with the shape after each layer:
#
# ```text
#  1×28×28 -- conv 6×6, stride 2 -->  8×12×12 -- max pool, norm, ReLU -->
#  8×6×6   -- conv 3×3 ------------> 16×4×4   -- norm, ReLU -->
# 16×4×4   -- flatten, dense ------> 96       -- norm, ReLU -->
# 96       -- dense ---------------> 10 logits
# ```
#
# Each training below uses another [random seed](../docs/glossary.md#random-seed): other first
# weights and another order of the pictures. `quick` uses two optimizers.
# [AdamW](../docs/glossary.md#adamw) trains the last layer, the biases and the norms
# (notebook 3). [Muon](../docs/glossary.md#muon) trains the weight matrices of the other layers.
# It changes each step of a matrix so that it is about equally long in all directions.

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
# From top to bottom: the [loss](../docs/glossary.md#loss), which training makes small; the
# [accuracy](../docs/glossary.md#accuracy), which we want large; and the
# [learning rate](../docs/glossary.md#learning-rate-schedule), which rises at first, while the
# weights are still random, and then falls to 0. Each line is a seed, and the band reaches from
# the lowest to the highest. Look at the width of the band at the end: the recipe is the same,
# so a difference has to be larger than this chance.
#
# Three details. Training values are means over the epoch so far, so they jump when a new epoch
# begins. At the end the network is clearly better on its training pictures than on others; more
# about that gap below. And the training loss is *higher* than the validation loss, mainly
# because `quick` smooths its labels (notebook 3): it asks for a probability of 0.91 and no
# more, and penalises a higher one. The validation loss is measured without smoothing.
#
# ## A range test for the learning rate
#
# The learning rate is the setting that does most harm when it is wrong. The **range test**
# finds it quickly: train for one epoch while the learning rate rises from far too small to far
# too large. The loss falls once the steps are long enough, and rises again when they are too
# long.
#
# We ask at the same time what [batch normalisation](../docs/glossary.md#batch-normalisation) is
# good for. `unnormed` is the network above without its three norms. Once it has a name in the
# catalog, recipes can use it. The drawing shows the network of the base.

# %%
from tenfold import architectures
from tenfold.networks import Conv, Dense, Flatten, MaxPool, Relu
from tenfold.report.figures import diagram


def unnormed(classes: int, width: int = 8) -> tuple:
    first = (Conv(width, kernel=6, stride=2), MaxPool(2), Relu())
    second = (Conv(2 * width, kernel=3), Relu())
    return (*first, *second, Flatten(), Dense(96), Relu(), Dense(classes))


architectures.NETWORKS["unnormed"] = unnormed
diagram.draw(base.layers(), "quick with half as many maps; unnormed has no norms")

# %%
tests = {}
highest = {"quick": [], "unnormed": []}
for seed in range(2):
    for network in highest:
        rising = recipes.replace(base, network=network, train_size=6_000, seed=seed)
        rates, losses = train.range_test(rising)
        highest[network].append(float(rates[losses < 1.8].max()))
        if seed == 0:
            tests[network] = (rates, losses)
for network in highest:
    rates = ", ".join(f"{rate:.2g}" for rate in highest[network])
    print(f"{network}: highest learning rate with a loss below 1.8, two seeds: {rates}")
assert min(highest["quick"]) > 3 * max(highest["unnormed"])
training.range_test(tests)

# %% [markdown]
# The network with norms (`quick`) still learns at learning rates at which the loss of the other
# one exceeds 2.3, the loss of a guess ($\log 10$). With both seeds the highest usable rate
# is more than three times as large. The valley is also wider, so the choice of a rate is less
# critical. A good rate is a little to the left of the lowest point, where the loss
# still falls.
#
# ## Too little, too much
#
# A network that is too small cannot learn even its own training pictures. This is
# [underfitting](../docs/glossary.md#underfitting): training and validation accuracy are close
# to each other, and both are low. Here `quick` has one map in its first layer, two in its
# second, and two hidden units. It even gets twice as many pictures, in half as many passes.

# %%
tiny = recipes.override(base, ["network.width=1", "network.hidden=2"])
tiny = recipes.replace(tiny, train_size=2 * train_size, epochs=epochs / 2)
under = train.train(tiny, free_folder("under", workspace)).history
learned, others = under[-1]["train_accuracy"], under[-1]["validation_accuracy"]
print(f"training {learned:.1%}, validation {others:.1%}")
assert learned < 0.75
assert abs(learned - others) < 0.05
training.history([under], [True])

# %% [markdown]
# The opposite is [overfitting](../docs/glossary.md#overfitting): a large network learns few
# pictures, and nothing stops it from memorising them. Here a network with 256 hidden units
# learns 200 pictures.

# %%
large = recipes.override(base, ["network=mlp", "network.width=256", "label_smoothing=0"])
settings = {"train_size": 200, "batch_size": 20, "epochs": 20, "learning_rate": 0.01, "muon": 0}
over_run = train.train(recipes.replace(large, **settings), free_folder("over", workspace))
over = [line for line in over_run.history if "validation_loss" in line]
losses = [line["validation_loss"] for line in over]
learned, others = over[-1]["train_accuracy"], over[-1]["validation_accuracy"]
print(f"training {learned:.1%}, validation {others:.1%}")
print(f"validation loss: lowest {min(losses):.2f}, last {losses[-1]:.2f}")
assert learned > 0.99
assert others < 0.9
assert losses[-1] > 1.3 * min(losses)
training.history([over_run.history], [True])

# %% [markdown]
# It classifies its training pictures correctly, and far fewer of the others. Its validation
# accuracy soon stops rising while its validation *loss* grows: the network becomes more
# confident, also in its mistakes.
#
# The two curves tell you what to try next:
#
# | training | validation | try |
# |---|---|---|
# | low | low | a larger network, longer training, a better learning rate |
# | high | clearly lower | more pictures, augmentation, more weight decay, a smaller network |
# | high | high | nothing: you are done |
#
# ## One change at a time
#
# Now the experiment. Each row differs from the base in one thing:
#
# - **no norm**: the network `unnormed`;
# - **augmentation**: each picture is turned, moved and stretched a little at random
#   (notebook 1);
# - **averaging**: the mean of the last steps' weights is kept instead of the last weights
#   ([weight averaging](../docs/glossary.md#weight-averaging)).

# %%
changes = {
    "no norm": {"network": "unnormed"},
    "augmentation": {"rotation": 8, "shift": 1.5, "scale": 0.08, "shear": 0.08},
    "averaging": {"averaging": 0.95},
}
for name, change in changes.items():
    out = free_folder(name, workspace)
    runs[name] = train.train_seeds(recipes.replace(base, **change), seeds, out)

# %%
import numpy as np

from tenfold.report.figures import trust

accuracies = {}
for name in runs:
    last = [run.history[-1]["validation_accuracy"] for run in runs[name]]
    accuracies[name] = np.array(last)
trust.seed_spread(list(accuracies.items()))

# %% [markdown]
# Each dot is a seed, each bar the 95% interval of the mean
# ([Student's t](../docs/glossary.md#students-t-interval)). The bars are wider than
# the scatter of the dots, because so few seeds say little about the spread.
#
# A comparison *in pairs* is sharper. Trainings of the same seed see the same pictures in the
# same order, so we look at the difference, seed by seed, and ask whether its interval contains
# 0. If it does, the two are [tied](../docs/glossary.md#tied): we do not know which is better.

# %%
from tenfold import statistics

found = {name: statistics.paired(accuracies[name], accuracies["base"]) for name in changes}
for name, difference in found.items():
    low, high = difference.interval
    interval = f"{100 * low:+.2f} to {100 * high:+.2f}"
    print(f"{name:<12} {100 * difference.mean:+.2f} points ({interval}): {difference.verdict}")
# With two seeds and fewer pictures there is too much chance for more.
if seeds > 2:
    assert accuracies["no norm"].max() < accuracies["base"].min()
    assert accuracies["augmentation"].min() > accuracies["base"].max()
    assert found["no norm"].interval[1] < 0 < found["augmentation"].interval[0]
    assert np.abs(found["averaging"].interval).max() < 0.005

# %% [markdown]
# Leaving out the norms costs most: the best seed without norms is worse than the worst seed of
# the base, and the whole interval is below 0. Augmentation helps, as the pictures are few: its
# worst seed is better than the best of the base. The interval of averaging is narrow and near
# 0: if averaging changes anything here, then by less than half a point.
#
# "Tied" is not a failure. It says: use more seeds, or leave this setting alone. Also remember
# that of twenty comparisons without any true difference, one will look significant at 5%. With
# all pictures and a larger network the table looks different. The log of experiments has the
# comparisons that led to [`quick` and `standard`](../EXPERIMENTS.md).
#
# ## The same with Keras
#
# Many people learn with Keras, where `fit` contains the training loop. The next cells train the
# network of the base with it. The settings are those of the loop in notebook 3: AdamW, with a
# learning rate that falls to 0. TensorFlow, on which Keras runs here, is a large package, and
# no other notebook needs it. If it is missing, the next cell says how to install it, and the
# cells after it leave that part out.

# %%
from tenfold import extras
from tenfold.data.catalog import MNIST
from tenfold.networks import initial_weights
from tenfold.report.figures import style

pictures = train.split_for(base)
x = (pictures.train.images[..., None] - np.float32(MNIST.mean)) / np.float32(MNIST.std)
asked = (pictures.validation.images[..., None] - np.float32(MNIST.mean)) / np.float32(MNIST.std)
missing = extras.missing("tensorflow")
print("missing:", missing or "nothing")
if missing:
    print("to install TensorFlow, run in the clone:", extras.hint("tensorflow"))
else:
    from tenfold.frameworks import keras as ours

# %%
curves = {}
if not missing:
    import keras

    keras.utils.set_random_seed(0)
    model = ours.build(base.layers(), initial_weights(base.layers(), seed=0))
    steps = epochs * -(-train_size // 32)
    falling = keras.optimizers.schedules.PolynomialDecay(0.04, steps, end_learning_rate=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(falling, weight_decay=0.05)
    model.compile(optimizer, loss, metrics=["accuracy"])
    options = {"batch_size": 32, "epochs": epochs, "verbose": 0}
    options["validation_data"] = (asked, pictures.validation.labels)
    fitted = model.fit(x, pictures.train.labels, **options)
    curves["Keras, fit"] = fitted.history["val_accuracy"]

# %% [markdown]
# Tenfold trains the same *recipe* with TensorFlow too, with `framework="tensorflow"`: the same
# first weights, order of pictures and optimizers. TensorFlow rounds differently, and small
# differences grow, so the result has other digits and about the same accuracy. The last cell
# draws the validation accuracy of all three.

# %%
trained = {"PyTorch, recipe": runs["base"][0]}
if not missing:
    other = recipes.replace(base, framework="tensorflow")
    trained["TensorFlow, recipe"] = train.train(other, free_folder("tensorflow", workspace))
for name, run in trained.items():
    ends = [line for line in run.history if "validation_accuracy" in line]
    curves[name] = [line["validation_accuracy"] for line in ends]
figure, axes = style.new(3)
for at, name in enumerate(curves):
    assert abs(curves[name][-1] - curves["PyTorch, recipe"][-1]) < 0.02 or seeds < 3
    label = f"{name}: {curves[name][-1]:.1%}"
    axes[0, 0].plot(range(1, epochs + 1), curves[name], label=label, **style.series(at))
axes[0, 0].set(xlabel="epoch", ylabel="validation accuracy", xticks=range(1, epochs + 1))
axes[0, 0].legend(loc="lower right")
figure

# %% [markdown]
# All three end within two points of each other, in different ways. The two lines of the recipe
# begin differently, because rounding differs. `fit` takes smaller batches, 32 pictures, and so
# more steps. It does without Muon, label smoothing and the rise of the learning rate at the
# beginning, and pays for that with a small part of the accuracy. One could add each of these to
# Keras; a recipe has them.
#
# ## Try it
#
# 1. **Two changes at once.** Does averaging help more if pictures are augmented?
#    1. Which four recipes do you need, and which two differences do you compare?
#    2. Train the missing recipe. Is either difference more than a tie?
# 2. **Pictures or norms.** Train the base with a half and with a quarter of the pictures.
#    1. How many points does each halving cost?
#    2. Which costs more: half the pictures, or the norms?
#    3. How far is the validation accuracy below the training accuracy each time? What does the
#       table about the two curves advise?
# 3. **The same weights in two libraries** (needs TensorFlow). Read the weights of the run of
#    TensorFlow into PyTorch.
#    1. By how much do the logits of a thousand pictures differ?
#    2. Why are they not exactly equal?
#
# <details><summary>Solution of exercise 1</summary>
# The recipes are: neither, averaging, augmentation, both. Compare the gain of averaging with
# augmentation to its gain without.
# <pre><code>both = recipes.replace(base, **changes["augmentation"], **changes["averaging"])
# some = train.train_seeds(both, seeds, free_folder("both", workspace))
# reached = np.array([run.history[-1]["validation_accuracy"] for run in some])
# print("with augmentation:", statistics.paired(reached, accuracies["augmentation"]))
# print("without:", statistics.paired(accuracies["averaging"], accuracies["base"]))</code></pre>
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>print("all:", accuracies["base"])
# for size in (train_size // 2, train_size // 4):
#     fewer = recipes.replace(base, train_size=size)
#     run = train.train(fewer, free_folder("fewer", workspace))
#     last = run.history[-1]
#     print(size, last["train_accuracy"], last["validation_accuracy"])
# print("no norm:", accuracies["no norm"])</code></pre>
# One seed is enough only if the difference is far larger than the spread of the seeds. The
# network learns its training pictures almost completely each time, so the gap shows how much it
# overfits: the fewer the pictures, the more. The table advises more pictures or augmentation.
# </details>
#
# <details><summary>Solution of exercise 3</summary>
# <pre><code>from tenfold.frameworks import pytorch
# <br>
# images = pictures.validation.images[:1_000]
# if not missing:
#     weights = trained["TensorFlow, recipe"].weights()
#     one = pytorch.logits(pytorch.build(base.layers(), weights), images, "mnist")
#     two = ours.logits(ours.build(base.layers(), weights), images, "mnist")
#     print(np.abs(one - two).max())
# print("the sums are added up in another order, so they are rounded differently")</code></pre>
# </details>
#
# **Next:** [tuning](05_tuning.ipynb). A program searches for good settings, and you learn not
# to be fooled by what it finds.
