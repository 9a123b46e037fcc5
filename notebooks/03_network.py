# %% [markdown]
# # 3 · A network by hand
#
# You build a network with numpy and train it. You check its gradients against PyTorch, train
# the same network with an optimizer of PyTorch, and then look at convolutions.
#
# **After this notebook you can**
#
# - compute softmax, cross-entropy and their gradient by hand;
# - apply the chain rule to a network with one hidden layer;
# - read and write a training loop in PyTorch;
# - compute the sizes, parameters and multiply-adds of a convolutional network.
#
# **You need** [notebook 2](02_baselines.ipynb), matrix products and the chain rule of
# calculus. **Time:** 90 minutes; the cells run for about 20 seconds.

# %% small="train_size, epochs = 2_000, 3"
# training pictures, and passes over them
train_size, epochs = 10_000, 6

# %% [markdown]
# ## Ten weighted sums
#
# The simplest network has one number for each pixel and each digit, a
# [weight](../docs/glossary.md#parameter), and one more number for each digit, the
# [bias](../docs/glossary.md#bias). Its output for a digit is the weighted sum of the pixels
# plus the bias. The ten outputs are called [logits](../docs/glossary.md#logits).
#
# With $x$ as a row of 784 numbers, $z = xW + b$. The
# [softmax](../docs/glossary.md#softmax) turns logits into probabilities that add up to 1:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}$$
#
# ```text
#  picture x          logits z             probabilities p
#  784 pixels  ---->  10 weighted sums  --->  softmax  ---> 10
#              W [784, 10], b [10]
# ```
#
# An example with three classes: $z = (2, 1, -1)$. The powers of $e$ are 7.39, 2.72 and 0.37,
# and their sum is 10.48. So $p = (0.705, 0.259, 0.035)$.
#
# The [cross-entropy](../docs/glossary.md#cross-entropy) measures how bad this answer is. It
# is the negative logarithm of the probability that the network gave to the correct class $y$:
#
# $$L = -\log p_y$$
#
# If class 0 is correct, $L = -\log 0.705 = 0.35$. If class 2 is correct, $L = -\log 0.035 =
# 3.35$: a confident mistake costs most. The logarithm has base $e$, so the unit is the
# [nat](../docs/glossary.md#nat). Training makes the mean of $L$ over all training pictures
# small; this mean is the [loss](../docs/glossary.md#loss).

# %%
import numpy as np

from tenfold.data.catalog import MNIST
from tenfold.data.split import split

pictures = split(MNIST, 5_000, train_size=train_size)
labels, truth = pictures.train.labels, pictures.validation.labels
x = (pictures.train.images.reshape(-1, 784) - MNIST.mean) / MNIST.std
x_validation = (pictures.validation.images.reshape(-1, 784) - MNIST.mean) / MNIST.std
weights, bias = np.zeros((784, 10)), np.zeros(10)
# [N, 784] @ [784, 10] -> [N, 10]
logits = x @ weights + bias
p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
loss = -np.log(p[np.arange(train_size), labels]).mean()
print(f"loss before training: {loss:.4f}; -log(1/10) is {np.log(10):.4f}")

# %% [markdown]
# All weights are 0, so each digit gets the probability 1/10, and the loss must be $\log 10$.
# (The package has the same in `statistics.probabilities` and
# `statistics.negative_log_likelihood`. It subtracts the largest logit first, which changes
# nothing but keeps `exp` from overflowing.)
#
# The [gradient](../docs/glossary.md#gradient) tells how fast the loss grows with each weight.
# A training step moves all weights a little in the opposite direction. This is *gradient
# descent*. For softmax with cross-entropy the gradient with respect to the logits is simple:
#
# $$\frac{\partial L}{\partial z_k} = p_k - y_k$$
#
# Here $y_k$ is 1 for the correct class and 0 for the others. With the chain rule,
#
# $$\frac{\partial L}{\partial W} = x^T (p - y) \quad \frac{\partial L}{\partial b} = p - y$$
#
# Each step uses the mean gradient of a few pictures, a [batch](../docs/glossary.md#batch). One
# pass over all training pictures is an [epoch](../docs/glossary.md#epoch). The factor 0.01 is
# the [learning rate](../docs/glossary.md#learning-rate).

# %%
# [N, 10]: 1 for the correct digit, 0 for the others
one_hot = np.eye(10)[labels]
rng = np.random.default_rng(0)
for epoch in range(epochs):
    for batch in np.array_split(rng.permutation(train_size), train_size // 50):
        powers = np.exp(x[batch] @ weights + bias)
        # [B, 10]
        error = powers / powers.sum(1, keepdims=True) - one_hot[batch]
        weights -= 0.01 * x[batch].T @ error / len(batch)
        bias -= 0.01 * error.mean(0)
    softmax_accuracy = ((x_validation @ weights + bias).argmax(1) == truth).mean()
    print(f"epoch {epoch + 1}: {softmax_accuracy:.2%} of the validation pictures correct")
assert softmax_accuracy > 0.8

# %% [markdown]
# This is *softmax regression*, also called logistic regression: a baseline of notebook 2.
#
# ## A hidden layer
#
# Weighted sums can only count evidence for and against a digit. They cannot express "ink here
# or there, but not in both places". A second matrix behind the first can, if something
# nonlinear stands between them; otherwise two matrices would be no more than one. We use
# [ReLU](../docs/glossary.md#relu), which replaces negative numbers by 0.
#
# ```text
#  x            h               a             z             p
#  784  ---->  32  --> ReLU --> 32  ---->    10  softmax -> 10
#      W1, b1                       W2, b2
# ```
#
# $$h = xW_1 + b_1 \quad a = \max(h, 0) \quad z = aW_2 + b_2$$
#
# The 32 numbers in the middle are a [hidden layer](../docs/glossary.md#hidden-layer). The chain
# rule gives the gradients from the back to the front, which is called
# [backpropagation](../docs/glossary.md#backpropagation). Write $\delta$ for the gradient with
# respect to the logits:
#
# $$\delta = p - y \quad \frac{\partial L}{\partial W_2} = a^T \delta \quad \frac{\partial
# L}{\partial b_2} = \delta$$
#
# The logits depend on $a$ through $W_2$, and $a$ depends on $h$ only where $h$ is positive:
#
# $$\frac{\partial L}{\partial h} = \delta W_2^T \cdot [h > 0] \quad \frac{\partial L}{\partial
# W_1} = x^T \frac{\partial L}{\partial h} \quad \frac{\partial L}{\partial b_1} =
# \frac{\partial L}{\partial h}$$
#
# Here $[h > 0]$ is 1 where $h$ is positive and 0 elsewhere, and the dot multiplies element by
# element. The first weights are random: if all were equal, all hidden numbers would stay equal
# for ever. `network` below is the same network as Tenfold describes it. The shapes are `hidden`
# and `active` [100, 32], `logits` and `delta` [100, 10].

# %%
from tenfold import architectures, networks, statistics
from tenfold.report.figures import diagram

network = architectures.mlp(classes=10, width=32)
start = networks.initial_weights(network, seed=0)
w = {name: value.astype(float) for name, value in start.items()}
few, wanted = x[:100], one_hot[:100]
hidden = few @ w["dense1.weight"] + w["dense1.bias"]
active = np.maximum(hidden, 0)
logits = active @ w["dense2.weight"] + w["dense2.bias"]
delta = (statistics.probabilities(logits) - wanted) / len(few)
gradient = {"dense2.weight": active.T @ delta, "dense2.bias": delta.sum(0)}
back = (delta @ w["dense2.weight"].T) * (hidden > 0)
gradient |= {"dense1.weight": few.T @ back, "dense1.bias": back.sum(0)}
diagram.draw(network, "One hidden layer: each line is a weight (not all units are drawn)")

# %% [markdown]
# Are these gradients correct? PyTorch computes gradients by itself (*autograd*). We give it
# the same network with the same weights and compare every number.

# %%
import torch
from torch import nn

from tenfold.frameworks import pytorch

x_train, y_train = torch.from_numpy(x).float(), torch.from_numpy(labels)
module = pytorch.build(network, start).double()
output = module(torch.from_numpy(few.reshape(-1, 1, 28, 28)))
nn.functional.cross_entropy(output, y_train[:100]).backward()
for name, ours in gradient.items():
    # PyTorch stores matrices as [out, in].
    theirs = module.get_parameter(name).grad.numpy().T
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    difference = np.abs(ours - theirs).max()
    print(f"{name:14} {ours.size:6,} numbers, largest difference {difference:.0e}")

# %% [markdown]
# They agree to the last digits that the computer has. Now the same lines in a loop.

# %%
for _ in range(epochs):
    for batch in np.array_split(rng.permutation(train_size), train_size // 50):
        hidden = x[batch] @ w["dense1.weight"] + w["dense1.bias"]
        active = np.maximum(hidden, 0)
        logits = active @ w["dense2.weight"] + w["dense2.bias"]
        delta = (statistics.probabilities(logits) - one_hot[batch]) / len(batch)
        back = (delta @ w["dense2.weight"].T) * (hidden > 0)
        w["dense1.weight"] -= 0.1 * x[batch].T @ back
        w["dense1.bias"] -= 0.1 * back.sum(0)
        w["dense2.weight"] -= 0.1 * active.T @ delta
        w["dense2.bias"] -= 0.1 * delta.sum(0)
hidden = np.maximum(x_validation @ w["dense1.weight"] + w["dense1.bias"], 0)
numpy_accuracy = ((hidden @ w["dense2.weight"] + w["dense2.bias"]).argmax(1) == truth).mean()
print(f"{numpy_accuracy:.2%} with a hidden layer, {softmax_accuracy:.2%} without")
assert numpy_accuracy > softmax_accuracy + 0.01

# %% [markdown]
# ## The same in PyTorch
#
# With a library nobody writes gradients by hand. Every training loop in PyTorch has the same
# four lines: compute the loss, set the gradients to 0, compute them (`backward`), and let an
# [optimizer](../docs/glossary.md#optimizer) take a step.
#
# The plain optimizer is [SGD](../docs/glossary.md#sgd): weight minus learning rate times
# gradient, as above. Most people use [AdamW](../docs/glossary.md#adamw). It keeps two running
# means for each weight $w$ with gradient $g$. The first, $m$, is
# [momentum](../docs/glossary.md#momentum), a smoothed gradient; the second, $v$, measures how
# large the gradient usually is:
#
# $$m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t$$
#
# $$v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$$
#
# $$w_t = w_{t-1} - \eta \left( \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} +
# \epsilon} + \lambda w_{t-1} \right)$$
#
# $\eta$ is the learning rate. Each weight moves at about the same speed, because its gradient
# is divided by its usual size. The term $\lambda w$ is [weight
# decay](../docs/glossary.md#weight-decay): it pulls weights towards 0. The divisors $1 -
# \beta^t$ correct for the means starting at 0, and $\epsilon$ is a tiny number that prevents
# a division by 0.
#
# Two more settings are common. The learning rate falls to 0 towards the end, so the last steps
# are small. And [label smoothing](../docs/glossary.md#label-smoothing) asks for a little less
# than 1 for the correct class and a little more than 0 for the others, so the logits need not
# grow without end.

# %%
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.05)
falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, epochs * train_size // 50)
smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)
for _ in range(epochs):
    for batch in torch.randperm(train_size).split(50):
        loss = smoothed(model(x_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
answers = model(torch.from_numpy(x_validation).float()).argmax(1).numpy()
pytorch_accuracy = (answers == truth).mean()
print(f"{pytorch_accuracy:.2%} with PyTorch, {numpy_accuracy:.2%} with numpy")

# %% [markdown]
# The two are close. They cannot agree exactly, because the first weights, the order of the
# pictures and the optimizer are different. Further down, `train.train` trains the
# same network with the same settings and has to reach the accuracy of this loop. Notebook 4
# does the same with Keras.
#
# ## Looking at neighbours
#
# This network has a weight for each pixel and does not know which pixels are neighbours. If a
# digit moves by two pixels, other weights see it. A
# [convolution](../docs/glossary.md#convolution) uses one small matrix, a *filter*, at every
# place of the picture. With a [stride](../docs/glossary.md#stride) of $s$ it moves by $s$
# pixels from place to place. For a filter $w$ of $k$×$k$ weights,
#
# $$o_{i,j} = b + \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w_{u,v} x_{is+u, js+v}$$
#
# The result is a picture again, a [feature map](../docs/glossary.md#feature-map), which shows
# where the pattern of the filter occurs. If the picture has $n$ pixels per side and $q$ zeros
# are added on each side ([padding](../docs/glossary.md#padding)), the map has
#
# $$\left\lfloor \frac{n + 2q - k}{s} \right\rfloor + 1$$
#
# numbers per side. A 3×3 filter on 28×28 pixels gives 26×26, as in the next cell.

# %%
picture = pictures.train.images[5].astype(np.float32)
upright = np.float32([[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]])
# one filter for upright strokes, one for level strokes
filters = np.stack([upright, upright.T])
maps = np.zeros((2, 26, 26), np.float32)
for u in range(3):
    for v in range(3):
        for number in range(2):
            maps[number] += filters[number, u, v] * picture[u : u + 26, v : v + 26]
theirs = torch.conv2d(torch.from_numpy(picture)[None, None], torch.from_numpy(filters)[:, None])
np.testing.assert_allclose(maps, theirs[0])
print(f"{picture.shape} -> {maps.shape}, the same as PyTorch's")

# %%
from IPython.display import display

from tenfold.report.figures import style

figure, axes = style.new(2.5, 1, 3)
shown = {
    "the picture": picture,
    "upright strokes, after ReLU": np.maximum(maps[0], 0),
    "level strokes, after ReLU": np.maximum(maps[1], 0),
}
for axis, title in zip(axes[0], shown, strict=True):
    style.grid_of_pictures(axis, shown[title][None], columns=1)
    style.panel(axis, title)
figure

# %% [markdown]
# A convolutional network learns its filters. A second convolution looks at the maps of the
# first and finds patterns of patterns. In between, the maps are made smaller: with a stride of
# 2, or by *max pooling*, which keeps the largest number of each 2×2 block
# ([pooling](../docs/glossary.md#pooling)). At the end a
# [dense layer](../docs/glossary.md#dense-layer), which is a matrix and a bias as in our first
# network, computes ten logits.
#
# ```text
#  1×28×28  -- conv 5×5, stride 2 -->  8×12×12     (28 - 5) // 2 + 1 = 12
#  8×12×12  -- norm, ReLU --------->   8×12×12
#  8×12×12  -- conv 3×3 ----------->  16×10×10     12 - 3 + 1 = 10
# 16×10×10  -- max pool 2×2 ------->  16×5×5       10 / 2 = 5
# 16×5×5    -- norm, ReLU --------->  16×5×5
# 16×5×5    -- flatten ------------>  400          16 · 5 · 5
# 400       -- dense -------------->  10 logits
# ```
#
# *Norm* is [batch normalisation](../docs/glossary.md#batch-normalisation). During training it
# gives each map mean 0 and standard deviation 1 over the batch $B$, as we did with the pixels;
# then it scales and shifts the map by two learned numbers:
#
# $$\hat{x} = \frac{x - \mu_B}{\sqrt{\sigma_B^2 + \epsilon}} \quad y = \gamma \hat{x} + \beta$$
#
# After training it uses running means of $\mu$ and $\sigma^2$, so an answer does not depend
# on the other pictures of its batch. Notebook 4 measures how much it helps.
#
# In Tenfold a network is a tuple of layers. Shapes, [parameters](../docs/glossary.md#parameter)
# and [multiply-adds](../docs/glossary.md#multiply-add) follow from it. Two well-known networks
# have published their numbers of parameters, so we can check the counts: LeNet-5 of 1998, whose
# first layer has 156, and the example that Keras, another library, begins with, which has
# 34,826.

# %%
from tenfold.networks import Conv, Dense, Flatten, MaxPool, Norm, Relu
from tenfold.report.figures import network as figures

first = (Conv(8, kernel=5, stride=2), Norm(), Relu())
second = (Conv(16, kernel=3), MaxPool(2), Norm(), Relu())
small = (*first, *second, Flatten(), Dense(10))
layers = networks.summarise(small)
# 16 filters of 8×3×3 weights and a bias; each of them at 10×10 places
assert layers[3].parameter_count == 16 * (8 * 3 * 3 + 1)
assert layers[3].multiply_adds == 10 * 10 * 16 * 8 * 3 * 3
assert networks.summarise(architectures.lenet5(10))[0].parameter_count == 156
assert networks.parameter_count(architectures.keras_example(10)) == 34_826
display(diagram.draw(small, "A small convolutional network"))
figures.layer_table(layers)

# %% [markdown]
# The layer `conv2` has few parameters and most multiply-adds, because each weight is used at
# every place. The dense layer is the opposite: most parameters, few multiply-adds.
#
# ## Training takes one line
#
# From here on `train.train` runs the loop. A [recipe](../docs/glossary.md#recipe) names the
# network and all settings. We train two recipes: our network with 32 hidden units, and
# `quick` with as many, a convolutional network with fewer parameters. The figure shows the
# filters that `quick` learned in its first layer: dark is positive, light is negative. Some are
# dark on one side and light on the other, so they respond to edges.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

quick = recipes.override(recipes.quick(), ["network.hidden=32"])
quick = recipes.replace(quick, train_size=train_size, epochs=epochs)
settings = ["network=mlp", "network.width=32", "learning_rate=0.003", "muon=0", "batch_size=50"]
both = {"mlp": recipes.override(quick, settings), "quick": quick}
folder = TemporaryDirectory()
runs = [train.train(both[name], Path(folder.name) / name) for name in both]
mlp, convolutional = [result.score.accuracy for result in evaluate.evaluate(runs)]
print(f"mlp:   {mlp:.2%}, {networks.parameter_count(network):,} parameters")
print(f"quick: {convolutional:.2%}, {networks.parameter_count(quick.layers()):,} parameters")
figures.filters(runs[1].weights()["conv1.weight"])

# %% [markdown]
# The recipe reaches the accuracy of the loop in PyTorch: the difference is no larger than the
# interval of an accuracy on 5,000 pictures (notebook 2) and the luck of a random start allow.
# The convolutional network is better with fewer parameters. The next figure
# shows what its layers make of one picture: edges first, then small maps in which the digit
# can no longer be recognised.

# %%
from tenfold.frameworks import onnx

assert convolutional - 0.01 > mlp > pytorch_accuracy - 0.02
image = pictures.train.images[5]
learned = runs[1].weights()
maps = onnx.layer_outputs(quick.layers(), learned, MNIST, image[None], ["conv1", "relu2"])
figures.feature_maps(image, {name: map_[0] for name, map_ in maps.items()})

# %% [markdown]
# ## Try it
#
# 1. **A gradient by differences.** Raise `w["dense2.weight"][5, 3]` of the untrained network
#    by 0.001.
#    1. By how much does the loss of the hundred pictures grow, per unit of the weight?
#    2. What does `gradient["dense2.weight"][5, 3]` say?
#    3. Why do the two differ slightly, and when would they differ more?
# 2. **A small network.** Write a network with fewer than 5,000 parameters.
#    1. Compute the shape after each layer on paper, then check with `networks.summarise`.
#    2. Which layer has most parameters, and which has most multiply-adds?
#
# <details><summary>Hint for exercise 1</summary>
# The loss is <code>statistics.negative_log_likelihood(logits, labels[:100])</code>. Begin with
# fresh weights from <code>initial_weights</code>: those in <code>w</code> are trained.
# </details>
#
# <details><summary>Solution of exercise 1</summary>
# <pre><code>w = {}
# for name, value in networks.initial_weights(network, 0).items():
#     w[name] = value.astype(float)
# active = np.maximum(few @ w["dense1.weight"] + w["dense1.bias"], 0)
# losses = []
# for step in (0, 0.001):
#     w["dense2.weight"][5, 3] += step
#     logits = active @ w["dense2.weight"] + w["dense2.bias"]
#     losses.append(statistics.negative_log_likelihood(logits, labels[:100]))
# print((losses[1] - losses[0]) / 0.001, gradient["dense2.weight"][5, 3])</code></pre>
# The loss is curved, and a step of 0.001 sees a little of the curve. A larger step sees more.
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>convolutions = (Conv(6, 5, stride=3), Relu(), Conv(12), MaxPool(2), Relu())
# small = (*convolutions, Flatten(), Dense(10))
# for layer in networks.summarise(small):
#     counts = f"{layer.parameter_count:,} parameters, {layer.multiply_adds:,} multiply-adds"
#     print(layer.name, layer.output_shape, counts)
# print(networks.parameter_count(small))</code></pre>
# The shapes are 6×8×8, 12×6×6, 12×3×3, 108 and 10. The dense layer has most parameters (1,090),
# the second convolution most multiply-adds.
# </details>
#
# **Next:** [training](04_training.ipynb). What the curves say, what can go wrong, and how to
# find out what helps.
