# %% [markdown]
# # 3 · A network by hand
#
# Here we build a network from nothing but numpy, and let it learn. Then we check each
# number against PyTorch, a library that does the same for a living. After that we look at
# the two ideas that make networks good at pictures, and at the few words in which Tenfold
# describes any of them.

# %% small="train_size, epochs = 2_000, 3"
train_size, epochs = 10_000, 6  # pictures to learn from, and how often we go through them

# %% [markdown]
# ## Ten weighted sums
#
# The simplest network is a table of **weights**: one for each pixel and each digit. A
# picture's *score* for a digit is the sum of its pixels, each times its weight, plus a
# constant, the **bias**. These scores are called **logits**. The *softmax* turns ten of
# them into ten probabilities that add up to 1: e to the power of each, divided by the sum.
#
# How bad is an answer? If the right digit got the probability *p*, the **loss** is −log
# *p*: 0 for a sure and right answer, and the larger the surer it was of something else.
# Learning is nothing but making the mean loss small.

# %%
import numpy as np

from tenfold import statistics
from tenfold.data.catalog import MNIST
from tenfold.data.split import split

pictures = split(MNIST, 5_000, train_size=train_size)
x, asked = (  # as in notebook 1: [N, 28, 28] -> [N, 784], around 0
    (part.images.reshape(-1, 784) - MNIST.mean) / MNIST.std
    for part in (pictures.train, pictures.validation)
)
labels, truth = pictures.train.labels, pictures.validation.labels
weights, bias = np.zeros((784, 10)), np.zeros(10)
loss = statistics.negative_log_likelihood(x @ weights + bias, labels)
print(f"loss before it has learnt anything: {loss:.4f}; -log(1/10) is {np.log(10):.4f}")

# %% [markdown]
# All weights are 0, so each digit gets a tenth, and the loss is what it must be. Which way
# to turn the weights? The **gradient** says, for each weight, how fast the loss grows if
# that weight grows. So one goes a small step *against* it, looks again, and goes on:
# *gradient descent*. For softmax and this loss the gradient with respect to the logits is
# as simple as can be: the probabilities, less 1 at the right digit. By the chain rule, the
# gradient of the weights is the pixels times that.
#
# We look at a *batch* of pictures at a time. One way through all of them is an **epoch**;
# the length of a step is the **learning rate**.

# %%
one_hot = np.eye(10)[labels]  # [N, 10]: 1 at the right digit, 0 elsewhere
rng = np.random.default_rng(0)
for epoch in range(epochs):
    for batch in np.array_split(rng.permutation(train_size), train_size // 50):
        error = statistics.probabilities(x[batch] @ weights + bias) - one_hot[batch]  # [B, 10]
        weights -= 0.01 * x[batch].T @ error / len(batch)
        bias -= 0.01 * error.mean(0)
    right = ((asked @ weights + bias).argmax(1) == truth).mean()
    print(f"epoch {epoch + 1}: {right:.2%} of the validation pictures right")
softmax_accuracy = right
assert softmax_accuracy > 0.8

# %% [markdown]
# ## A hidden layer
#
# That was *softmax regression*, also called logistic regression: the baseline of notebook
# 2, in ten lines. One table of weights can only add up: so much for ink here, so much
# against ink there. It cannot ask for "ink here or there, *but not in both*". So we put a
# second table behind the first. In between, each number below zero is cut off to zero,
# which is called **ReLU**; without it, two tables would be no more than one. The numbers in
# the middle are the *hidden layer*.
#
# The gradient goes the way back, table by table: that is **backpropagation**. What comes
# out behind is the error; times the second table's weights it becomes the error of the
# hidden numbers; where the ReLU has cut, nothing passes.
#
# The first weights are random and small (were they all equal, all hidden numbers would stay
# equal for ever).

# %%
from tenfold import architectures, networks

network = architectures.mlp(classes=10, width=32)  # the same network, as Tenfold describes it
random = networks.initial_weights(network, seed=0)
w = {name: value.astype(float) for name, value in random.items()}
few, wanted = x[:100], one_hot[:100]
hidden = few @ w["dense1.weight"] + w["dense1.bias"]  # [100, 784] -> [100, 32]
active = np.maximum(hidden, 0)
logits = active @ w["dense2.weight"] + w["dense2.bias"]  # [100, 32] -> [100, 10]

error = (statistics.probabilities(logits) - wanted) / len(few)
gradient = {"dense2.weight": active.T @ error, "dense2.bias": error.sum(0)}
error = (error @ w["dense2.weight"].T) * (hidden > 0)  # back through table and ReLU
gradient |= {"dense1.weight": few.T @ error, "dense1.bias": error.sum(0)}
print({name: value.shape for name, value in gradient.items()})

# %% [markdown]
# Is that right? There are two ways to know. The slow one: nudge a weight, and see what the
# loss does. The other: PyTorch finds gradients by itself (*autograd*). We give it the same
# network with the same weights, and compare all of them.

# %%
import torch

from tenfold.frameworks import pytorch

module = pytorch.build(network, networks.initial_weights(network, 0)).double()
output = module(torch.from_numpy(few.reshape(-1, 1, 28, 28)))
torch.nn.functional.cross_entropy(output, torch.from_numpy(labels[:100])).backward()
for name, ours in gradient.items():
    theirs = module.get_parameter(name).grad.numpy().T  # PyTorch keeps its tables as [out, in]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    apart = np.abs(ours - theirs).max()
    print(f"{name:14} {ours.size:6,} numbers, at most {apart:.0e} apart")

# %% [markdown]
# Every one agrees, to the last bits of the computer. Now the same as a loop, and it learns.
# The gradients are those that we have just checked.

# %%
for epoch in range(epochs):
    for batch in np.array_split(rng.permutation(train_size), train_size // 50):
        hidden = x[batch] @ w["dense1.weight"] + w["dense1.bias"]
        active = np.maximum(hidden, 0)
        logits = active @ w["dense2.weight"] + w["dense2.bias"]
        error = (statistics.probabilities(logits) - one_hot[batch]) / len(batch)
        back = (error @ w["dense2.weight"].T) * (hidden > 0)
        steps = (x[batch].T @ back, back.sum(0), active.T @ error, error.sum(0))
        for value, step in zip(w.values(), steps, strict=True):
            value -= 0.1 * step
    hidden = np.maximum(asked @ w["dense1.weight"] + w["dense1.bias"], 0)
    right = ((hidden @ w["dense2.weight"] + w["dense2.bias"]).argmax(1) == truth).mean()
    print(f"epoch {epoch + 1}: {right:.2%}")
assert right > softmax_accuracy

# %% [markdown]
# ## Looking at neighbours
#
# Our network has a weight for each pixel, and does not know that pixels have neighbours.
# Move a digit by two pixels, and all it has learnt is in the wrong place. A **convolution**
# has a small table, say 3×3, called a *filter*, and lays it on *every* place of the picture
# in turn: nine pixels, each times its weight, summed up. What it finds in one corner it
# finds in every other. The result is a picture again, a *map*: of where the filter's
# pattern is.

# %%
picture = pictures.train.images[5]
filters = {
    "upright": [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]],
    "level": [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]],
}
tables = np.array(list(filters.values()), np.float32)
maps = np.zeros((len(tables), 26, 26), np.float32)
for down, across in np.ndindex(3, 3):  # each weight meets all places at once
    seen = picture[down : down + 26, across : across + 26]
    maps += tables[:, down, across, None, None] * seen
one = torch.from_numpy(picture[None, None].astype(np.float32))  # [1, 1, 28, 28]
np.testing.assert_allclose(maps, torch.conv2d(one, torch.from_numpy(tables[:, None]))[0])

# %%
from tenfold.report.figures import style

figure, (axes,) = style.new(2.5, 1, 3)
drawn = {"the picture": picture} | dict(
    zip(filters, np.maximum(maps, 0), strict=True)
)  # a ReLU
for axis, (title, what) in zip(axes, drawn.items(), strict=True):
    style.grid_of_pictures(axis, what[None], columns=1)
    axis.set_title(title)
figure

# %% [markdown]
# A convolutional network learns its filters instead of being told. It stacks them: the
# second convolution looks at the maps of the first, and finds patterns of patterns. On the
# way the maps are made smaller, by going on in steps of two pixels (a *stride*) or by
# taking the largest of each block of 2×2 (*max pooling*), so the last filters look at the
# whole digit. A table of weights at the end does what our first network did: it makes ten
# logits of all that was found.
#
# ## A network in a few words
#
# In Tenfold a network is a tuple of layers, and that is all there is to it. What follows
# from the tuple is computed: the shapes, how many **parameters** (weights and biases) there
# are to learn, and how many **multiply-adds** an answer costs. Here is one of our own.
#
# *Norm* is **batch normalisation**: it brings the numbers of each map back to mean 0 and
# standard deviation 1 while they pass through, as we did with the pixels. Learning is much
# easier so; notebook 4 measures it.

# %%
from tenfold.networks import Conv, Dense, Flatten, MaxPool, Norm, Relu
from tenfold.report.figures import network as figures

first = (Conv(8, kernel=5, stride=2), Norm(), Relu())
second = (Conv(16, kernel=3), MaxPool(2), Norm(), Relu())
mine = (*first, *second, Flatten(), Dense(10))
layers = {layer.name: layer for layer in networks.summarise(mine)}
# Each of 16 filters has 3×3 weights for each of 8 maps, and a bias; it meets 10×10 places.
assert layers["conv2"].parameter_count == 16 * (8 * 3 * 3 + 1)
assert layers["conv2"].multiply_adds == 10 * 10 * 16 * 8 * 3 * 3
figures.layer_table(list(layers.values()))

# %% [markdown]
# Look where the cost is: a convolution has few parameters and many multiply-adds, since
# each weight is used at every place. A dense layer, a plain table, is the other way round.
#
# Can these counts be trusted? Two well-known networks have published theirs. LeNet-5, of
# 1998, read cheques in American banks; the other is the example that Keras, another
# library, begins with.

# %%
lenet = {
    layer.name: layer.parameter_count for layer in networks.summarise(architectures.lenet5(10))
}
print("LeNet-5:", {name: count for name, count in lenet.items() if count})
assert lenet["conv1"] == 156  # C1 of the paper
assert lenet["conv3"] == 48_120  # C5
assert lenet["dense1"] == 10_164  # F6
keras = architectures.keras_example(10)
print(f"Keras' example: {networks.parameter_count(keras):,} parameters, ", end="")
print(f"{networks.multiply_adds(keras):,} multiply-adds a picture")
assert networks.parameter_count(keras) == 34_826

# %% [markdown]
# ## What it learns to see
#
# Last, the network `quick` of Tenfold, trained on the same pictures as above. It has fewer
# parameters than our two tables had. Here are the filters that it has found for its first
# layer. Many are dark on one side and light on the other: they find edges, each in a
# direction of its own. Some nobody would have thought of.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

recipe = recipes.replace(recipes.quick(), train_size=train_size, epochs=epochs)
with TemporaryDirectory() as folder:
    run = train.train(recipe, Path(folder) / "run")
    (convolutional,) = evaluate.evaluate([run])
    learnt = run.weights()
print(f"{convolutional.score.accuracy:.2%} of the validation pictures right")
assert convolutional.score.accuracy > right
assert networks.parameter_count(recipe.layers()) < networks.parameter_count(network)
figures.filters(learnt["conv1.weight"])

# %% [markdown]
# And this is what its layers make of one picture, from the pixels down to small maps that
# no longer look like a digit, but know which one it is.

# %%
from tenfold.frameworks import onnx

names = ["relu1", "relu2"]  # the third rectifies a vector
inside = onnx.layer_outputs(recipe.layers(), learnt, MNIST, picture[None], names)
figures.feature_maps(picture, {name: found[0] for name, found in inside.items()})

# %% [markdown]
# ## Try it
#
# 1. Nudge a weight: raise one number of `w["dense2.weight"]` by a thousandth; how much does
#    the loss of the hundred pictures grow? Compare with the gradient there.
# 2. Write a network of your own with fewer than 5,000 parameters that `networks.summarise`
#    accepts. How many multiply-adds has it?
#
# <details><summary>A hint for the first</summary>
# The loss is <code>statistics.negative_log_likelihood(logits, labels[:100])</code>. Begin again
# with fresh weights from <code>initial_weights</code>: those in <code>w</code> have learnt.
# </details>
#
# <details><summary>A solution</summary>
# <pre><code>w = {n: v.astype(float) for n, v in networks.initial_weights(network, 0).items()}
# active = np.maximum(few @ w["dense1.weight"] + w["dense1.bias"], 0)
# loss = []
# for nudge in (0, 1e-3):
#     w["dense2.weight"][5, 3] += nudge
#     logits = active @ w["dense2.weight"] + w["dense2.bias"]
#     loss.append(statistics.negative_log_likelihood(logits, labels[:100]))
# print((loss[1] - loss[0]) / 1e-3, gradient["dense2.weight"][5, 3])</code></pre>
# </details>
#
# **Next:** [training](04_training.ipynb). What the curves say, what can go wrong, and how
# to find out what helps.
