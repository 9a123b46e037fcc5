"""The training loop of Keras: one compiled function over pictures in memory, called for a few steps at a time."""

import time
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf

from tenfold import augment, hardest
from tenfold.data.split import Samples
from tenfold.frameworks import State, flattened, orthogonalised
from tenfold.frameworks.keras import optimizer
from tenfold.frameworks.keras.modules import arrays_of, fill, named_variables, normalised, placed, training_model
from tenfold.networks import initial_weights
from tenfold.recipes import Recipe

STEPS, PICTURES = 16, 2_048  # limits per call: more is hardly faster, and training can stop only between calls
CENTRE = (augment.SIDE - 1) / 2  # of a picture, in pixels


def train(
    recipe: Recipe,
    samples: Samples,
    device: str = "cpu",
    precision: str = "float32",
    resume: State | None = None,
    stopped: Callable[[], bool] = lambda: False,
    checkpoint_steps: Collection[int] = (),
) -> Iterator[State]:
    """Train; yield the state after each epoch, after each of `checkpoint_steps`, when `stopped`, and at the end.

    `stopped` is called every few steps. All randomness is determined by the recipe's seed and the epoch or step, so a
    `State` needs no random generator. `State.seconds` counts from the first line here to the final weights, compilation
    included, without the time in which the caller has the state.
    """
    clock = time.perf_counter()
    steps, per_epoch = recipe.steps(len(samples)), recipe.steps_per_epoch(len(samples))
    chosen = hardest.chosen(recipe, samples)
    stride = max(1, min(STEPS, PICTURES // recipe.batch_size))
    learner = _Learner(recipe, steps, device, precision)
    if resume is not None:
        learner.restore(resume)
    before, start = (resume.seconds, resume.step) if resume else (0.0, 0)
    with placed(device):  # local variables, because the graph of a learner lives until the next garbage collection
        images = tf.constant(samples.images[..., None])  # uint8 [N, 28, 28, 1]
        labels = tf.constant(samples.labels)  # int64 [N]

    cuts = {*range(start, steps, stride), *range(0, steps, per_epoch), *checkpoint_steps, steps}
    for first, last in pairwise(sorted(step for step in cuts if start <= step <= steps)):
        epoch, batch = divmod(first, per_epoch)
        if batch == 0 or first == start:
            order, maps = augment.epoch(recipe, len(samples), epoch, chosen)
        if batch == 0:
            learner.loss_sum.assign(0)
            learner.correct.assign(0)
        at = slice(batch * recipe.batch_size, (batch + last - first) * recipe.batch_size)
        learner.advance(first, images, labels, order[at], None if maps is None else maps[at])
        if last % per_epoch == 0 or last == steps or last in checkpoint_steps or stopped():
            state = learner.capture(last)
            state.pictures = min((batch + last - first) * recipe.batch_size, len(samples))
            state.seconds = before + time.perf_counter() - clock
            yield state
            before, clock = state.seconds, time.perf_counter()


class _Learner:
    """A model, all other values that training changes, and the compiled function that changes them."""

    def __init__(self, recipe: Recipe, steps: int, device: str, precision: str) -> None:
        self.recipe, self.device, self.matrices = recipe, device, orthogonalised(recipe)
        with placed(device):
            self.numbers = tf.constant(optimizer.numbers(recipe, steps))  # float32 [steps, 5]
            self.model = training_model(recipe.layers(), precision)
            named = named_variables(self.model)
            fill(named, initial_weights(recipe.layers(), recipe.seed))
            variables = {name: variable.value for name, variable in named.items()}
            self.parameters = {name: variables[name] for name, variable in named.items() if variable.trainable}
            self.groups = {  # by the prefixes of `State.tensors`
                "weights": variables,
                "average": {k: tf.Variable(v) for k, v in variables.items()} if recipe.averaging else {},
                "exp_avg": {k: tf.Variable(tf.zeros_like(v)) for k, v in self.parameters.items()},
                "exp_avg_sq": {k: tf.Variable(tf.zeros_like(v)) for k, v in self.parameters.items()},
            }
            self.loss_sum, self.correct = tf.Variable(0.0), tf.Variable(0, dtype=tf.int64)
        dropouts = [layer for layer in self.model.layers if isinstance(layer, keras.layers.Dropout) and layer.rate]
        self.seeds = [dropout.seed_generator.state for dropout in dropouts]
        numbers = tf.TensorSpec([None], tf.int64)
        images, transforms = tf.TensorSpec([None, augment.SIDE, augment.SIDE, 1], tf.uint8), tf.TensorSpec([None, 8])
        signature = (tf.TensorSpec([], tf.int64), images, numbers, numbers, transforms)
        self.steps = tf.function(self._steps, signature, autograph=False).get_concrete_function()

    def advance(
        self, first: int, images: tf.Tensor, labels: tf.Tensor, index: np.ndarray, maps: np.ndarray | None
    ) -> None:
        """Run the steps from `first` on with the pictures in `index`, each transformed by its map, if any."""
        self.steps(tf.constant(first, tf.int64), images, labels, tf.constant(index), tf.constant(_transforms(maps)))

    def capture(self, step: int) -> State:
        """Return the state after `step` steps."""
        tensors = flattened({prefix: arrays_of(variables) for prefix, variables in self.groups.items()})
        return State(step, tensors, float(self.loss_sum.numpy()), int(self.correct.numpy()))

    def restore(self, state: State) -> None:
        """Restore a captured state."""
        for prefix, variables in self.groups.items():
            fill(variables, state.group(prefix))
        self.loss_sum.assign(state.loss_sum)
        self.correct.assign(state.correct)

    def _steps(
        self, first: tf.Tensor, images: tf.Tensor, labels: tf.Tensor, index: tf.Tensor, transforms: tf.Tensor
    ) -> None:
        size = self.recipe.batch_size

        def one(batch: tf.Tensor) -> tf.Tensor:
            at = slice(batch * size, (batch + 1) * size)
            pictures, target = tf.gather(images, index[at]), tf.gather(labels, index[at])
            self._step(first + batch, pictures, target, transforms[at])
            return batch + 1

        batches = -(-tf.size(index, tf.int64) // size)
        with placed(self.device):
            start = tf.constant(0, tf.int64)
            tf.while_loop(lambda batch: batch < batches, one, [start], parallel_iterations=1)  # one at a time

    def _step(self, step: tf.Tensor, images: tf.Tensor, target: tf.Tensor, transforms: tf.Tensor) -> None:
        recipe = self.recipe
        pictures = _augmented(images, transforms if recipe.augments else None)  # [B, 28, 28, 1]
        for number, seed in enumerate(self.seeds):
            seed.assign(tf.stack([tf.constant(recipe.seed, tf.int64), step * len(self.seeds) + number]))

        with tf.GradientTape() as tape:
            output = self.model(normalised(pictures, recipe.dataset), training=True)  # [B, classes]
            output = tf.cast(output, tf.float32)
            smoothing, classes = recipe.label_smoothing, output.shape[1]
            wanted = tf.one_hot(target, classes) * (1 - smoothing) + smoothing / classes
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, output))
        gradients = tape.gradient(loss, [*self.parameters.values()])
        rate, epsilon, muon_rate, kept, follow = tf.unstack(self.numbers[step])
        mean, square = self.groups["exp_avg"], self.groups["exp_avg_sq"]
        for (name, parameter), gradient in zip(self.parameters.items(), gradients, strict=True):
            if parameter.shape.rank > 1:  # biases and norms, one value per channel, are not decayed
                parameter.assign(parameter * kept)
            if name in self.matrices:
                optimizer.muon(parameter, gradient, mean[name], muon_rate)
            else:
                optimizer.adamw(parameter, gradient, mean[name], square[name], rate, epsilon)
        for name, average in self.groups["average"].items():
            average.assign_add(follow * (self.groups["weights"][name] - average))

        self.loss_sum.assign_add(loss * tf.cast(tf.size(target), tf.float32))
        self.correct.assign_add(tf.math.count_nonzero(tf.argmax(output, 1) == target))


def prepare(images: np.ndarray, maps: np.ndarray | None, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images `[N, 28, 28]` as in training, float32: transformed by their maps, then normalised."""
    transforms = None if maps is None else tf.constant(_transforms(maps))
    augmented = _augmented(tf.constant(images[..., None]), transforms)
    return augmented.numpy()[..., 0], normalised(augmented, dataset).numpy()[..., 0]


def _augmented(images: tf.Tensor, transforms: tf.Tensor | None) -> tf.Tensor:
    """Return uint8 `[B, 28, 28, 1]` as float32, 0 to 255, each picture transformed by its `[B, 8]`, if any.

    This comes before normalisation, so that new pixels from outside are black.
    """
    pictures = tf.cast(images, tf.float32)
    if transforms is None:
        return pictures
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=transforms,
        output_shape=[augment.SIDE, augment.SIDE],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _transforms(maps: np.ndarray | None) -> np.ndarray:
    """Convert maps `[N, 2, 3]` of coordinates -1 to 1 to TensorFlow's, of pixels (x, y) 0 to 27, float32 `[N, 8]`."""
    if maps is None:
        return np.empty((0, 8), np.float32)
    linear, shift = maps[..., :2].astype(np.float64), maps[..., 2].astype(np.float64)
    offset = CENTRE + shift * augment.SIDE / 2 - linear.sum(2) * CENTRE  # position of the first pixel
    rows = np.concatenate([linear, offset[..., None]], 2).reshape(-1, 6)  # the two projection terms are 0
    return np.pad(rows, ((0, 0), (0, 2))).astype(np.float32)
