"""Train a recipe into a run, in any framework.

The arithmetic is in the package of each framework; here are the run folder and the checkpoints.
"""

import math
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from tenfold import files, frameworks, networks, runs, statistics
from tenfold.data import catalog
from tenfold.data.split import Samples, Split, development, gate_pictures, require_enough, split
from tenfold.errors import InterruptError, TenfoldError, UsageError
from tenfold.frameworks import State
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe, replace
from tenfold.runs import Run
from tenfold.signals import stop_signals

MOST_VALIDATIONS = 40  # of a training, each with a checkpoint and a line of progress
POINTS = 20  # lines of a training's history, at least
CHECKPOINT = 10_000  # most steps between two checkpoints: a few minutes, even if an epoch takes hours


def train(
    recipe: Recipe,
    out: Path | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
    initial: dict[str, np.ndarray] | None = None,
) -> Run:
    """Train into the folder `out` (by default a free one under `runs/`) and return the finished run.

    With `initial`, training starts from these weights of the recipe's network instead of random ones. Ctrl-C and
    SIGTERM write a checkpoint and raise `InterruptError`; a loss that is not finite raises `DivergedError`. Test
    pictures are never read.
    """
    if initial is not None:
        networks.check_weights(recipe.layers(), initial, "the run to start from")
        recipe = replace(recipe, initial_weights=runs.weights_hash(initial))
    machine = frameworks.environment(recipe, device)  # before the folder: an error leaves nothing
    pictures = split_for(recipe, progress)
    name = f"{recipe.network}-seed{recipe.seed}"
    folder = out or runs.free_folder(name)
    if not out and folder.name != name:
        progress.line(f"{folder.with_name(name)} exists, so this run is {folder}")
    files.make_folder(folder)
    with runs.locked(folder):
        run = runs.create(recipe, machine, folder, initial)
        with files.all_or_nothing(folder, runs.BEGUN, runs.HISTORY, runs.CHECKPOINT):
            return _train(run, pictures, machine, None, progress)


def train_seeds(
    recipe: Recipe,
    count: int,
    out: Path | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
    initial: dict[str, np.ndarray] | None = None,
) -> list[Run]:
    """Train `count` runs with consecutive seeds, from the recipe's on; several runs get one folder each in `out`."""
    if count == 1:
        return [train(recipe, out, device, progress, initial)]
    seeds = [replace(recipe, seed=recipe.seed + at) for at in range(count)]
    folders = [out / f"seed{one.seed}" if out else None for one in seeds]
    return [train(one, folder, device, progress, initial) for one, folder in zip(seeds, folders, strict=True)]


def fine_tuning(run: Run) -> Recipe:
    """Return the recipe that fine-tunes a run on all pictures, at a tenth of its rates; unchanged if it did so."""
    if run.recipe.initial_weights:
        return run.recipe
    rates = {"learning_rate": run.recipe.learning_rate / 10, "muon": run.recipe.muon / 10}
    return replace(run.recipe, hardest=1, **rates)


class _Rising(Recipe):
    """A recipe whose learning rate rises by a factor of 10,000, evenly in its logarithm."""

    def schedule_shares(self, steps: int) -> np.ndarray:
        """Return the learning rate of each step as a share of the highest one, float64 `[steps]`."""
        return np.geomspace(1 / 10_000, 1, steps)


def range_test(recipe: Recipe, highest: float = 1.0, points: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return learning rates up to `highest` and the training loss at each, in nats, both float64 `[points]` or shorter.

    The rate rises from step to step during one epoch: too small where the loss hardly falls, too large where it
    grows. Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks".
    """
    muon = recipe.muon * highest / recipe.learning_rate  # the two rates rise together
    fields = recipe.model_dump() | {"epochs": 1, "learning_rate": highest, "muon": muon}
    rising, device = frameworks.settled(_Rising(**fields), "auto")
    samples = split_for(recipe).train
    steps = rising.steps(len(samples))
    checkpoint_steps = np.unique(np.linspace(0, steps, points + 1).round().astype(int))[1:]
    framework = frameworks.load(recipe.framework)  # `fit` would raise if the loss is not finite
    states = framework.train(rising, samples, device, rising.precision, checkpoint_steps=checkpoint_steps.tolist())
    sums = np.array([(0.0, 0), *((state.loss_sum, state.pictures) for state in states)])
    loss, pictures = np.diff(sums, axis=0).T  # the sums are those of the epoch so far
    return rising.learning_rates(steps)[checkpoint_steps - 1], loss / pictures


def resume(folder: Path, progress: Progress = SILENT) -> Run:
    """Resume a stopped or killed training; the result has the same bits as an uninterrupted one."""
    run = Run(folder)
    with runs.locked(folder):
        if run.finished:
            (folder / runs.CHECKPOINT).unlink(missing_ok=True)
            progress.line(f"{folder} is already finished")
            return run
        machine = run.environment
        here = frameworks.environment(_as_begun(run.recipe, machine), machine["device"])
        for key in ("versions", "processor", "threads"):
            if machine.get(key) != here.get(key):
                progress.line(f"note: {key} differs from the start of this training; the last bits may differ too")
        state = None
        pictures = split_for(run.recipe, progress)
        if saved := run.checkpoint():
            tensors, numbers = saved
            state = State(tensors=tensors, **numbers)
            _check(state, run, len(pictures.train))
        return _train(run, pictures, machine, state, progress)


def split_for(recipe: Recipe, progress: Progress = SILENT) -> Split:
    """Return the training and validation pictures that a recipe asks for."""
    dataset = catalog.find(recipe.dataset)
    pictures = split(dataset, recipe.validation_size, recipe.split_seed, recipe.train_size, progress)
    require_enough(len(pictures.train))
    if recipe.extra is None:
        return pictures
    extra = catalog.find(recipe.extra)
    if extra.classes != dataset.classes:
        raise UsageError(f"the classes of {extra.name} are not those of {dataset.name}")
    train = pictures.train.extended(development(extra, progress), recipe.extra_repeats)
    return Split(dataset, train, pictures.validation)


def _check(state: State, run: Run, pictures: int) -> None:
    """Raise `TenfoldError` for a checkpoint that does not belong to this training."""
    path, steps = run.folder / runs.CHECKPOINT, run.recipe.steps(pictures)
    if state.step >= steps:
        raise TenfoldError(f"{path} is damaged: it claims step {state.step:,} of {steps:,}; remove it to start again")
    weights = {name: np.zeros(shape) for name, shape in networks.weight_shapes(run.recipe.layers()).items()}
    expected = beginning(run.recipe, weights).tensors
    networks.check_arrays({name: array.shape for name, array in expected.items()}, state.tensors, str(path))


def _as_begun(recipe: Recipe, machine: dict[str, Any]) -> Recipe:
    """Return the recipe with the precision its training started with, even if another one would be chosen now."""
    return replace(recipe, precision=machine["precision"])


def _train(run: Run, pictures: Split, machine: dict[str, Any], state: State | None, progress: Progress) -> Run:
    recipe, folder = _as_begun(run.recipe, machine), run.folder
    count = len(pictures.train)
    steps = recipe.steps(count)
    # Lines after the checkpoint will be written again.
    history = [line for line in run.history if state is not None and line["step"] <= state.step]
    if state is None and recipe.initial_weights:
        state = beginning(recipe, run.initial())
    device = machine["device"]
    where = f"{recipe.framework}, {recipe.precision} on {device}"
    title = f"training {recipe.network}, seed {recipe.seed}, {where}"
    points, checkpoints = history_steps(recipe, count), checkpoint_steps(recipe, count)
    epoch_steps, every = recipe.steps_per_epoch(count), validation_steps(recipe, count)
    with stop_signals() as stopped, progress.task(title, steps) as done:
        states = frameworks.fit(recipe, pictures.train, device, state, stopped, points.union(checkpoints))
        for state in states:
            ended = state.step % every == 0 or state.step == steps
            if state.step in points:
                epoch, rate = state.step / epoch_steps, recipe.learning_rates(steps)[state.step - 1]
                history.append(
                    _history_line(state, epoch, rate, recipe, pictures.validation if ended else None, device)
                )
            keep = ended or state.step in checkpoints or stopped()
            if keep:
                files.write_json_lines(folder / runs.HISTORY, history)
            if ended:
                progress.line(_describe(history[-1], recipe, count))
            done(state.step)
            if keep and state.step < steps:
                runs.write_tensors(folder / runs.CHECKPOINT, state.tensors, state.numbers())
            if keep and state.step < steps and stopped():
                raise InterruptError(
                    f"stopped after step {state.step:,} of {steps:,}; resume with: tenfold train --resume {folder}"
                )
    assert state is not None  # there is always a step left: a finished run is not trained
    files.write_json(folder / runs.ENVIRONMENT, machine | {"train_seconds": round(state.seconds, 3)})
    runs.write_tensors(folder / runs.ANSWERS, {"logits": answers(recipe, state.weights(), progress)})
    runs.write_tensors(folder / runs.WEIGHTS, state.weights())  # written last: this file marks the run as finished
    (folder / runs.CHECKPOINT).unlink(missing_ok=True)
    return run


def history_steps(recipe: Recipe, pictures: int) -> set[int]:
    """Return the steps that get a line of history: the ends of epochs, and more if these are fewer than `POINTS`."""
    steps, epoch = recipe.steps(pictures), recipe.steps_per_epoch(pictures)
    points = {*range(epoch, steps, epoch), steps}
    if len(points) < POINTS < steps:
        points.update(np.linspace(0, steps, POINTS + 1)[1:].round().astype(int).tolist())
    return points


def validation_steps(recipe: Recipe, pictures: int) -> int:
    """Return the steps between two validations: those of an epoch, or of several if there are many.

    An epoch of few pictures takes less time than a validation and a checkpoint.
    """
    return recipe.steps_per_epoch(pictures) * math.ceil(recipe.epochs / MOST_VALIDATIONS)


def checkpoint_steps(recipe: Recipe, pictures: int) -> Collection[int]:
    """Return the steps after which a checkpoint is written, besides those with a validation."""
    every = CHECKPOINT if validation_steps(recipe, pictures) > CHECKPOINT else sys.maxsize
    return range(every, recipe.steps(pictures), every)


def beginning(recipe: Recipe, weights: dict[str, np.ndarray]) -> State:
    """Return the state before the first step of a training that starts from given weights; it has no moments yet."""
    groups = dict.fromkeys(("weights", "average") if recipe.averaging else ("weights",), weights)
    learnt = [name for layer in networks.summarise(recipe.layers()) for name in layer.parameters]
    moments = {moment: {name: np.zeros_like(weights[name]) for name in learnt} for moment in frameworks.MOMENTS}
    return State(0, frameworks.flattened(groups | moments))


def answers(recipe: Recipe, weights: dict[str, np.ndarray], progress: Progress = SILENT) -> np.ndarray:
    """Return the logits of the recipe's framework for `split.gate_pictures`, float32 `[10,000, classes]`.

    Raises `TenfoldError` if the framework is not installed.
    """
    return _logits(recipe, weights, gate_pictures(catalog.find(recipe.dataset), progress))


def _logits(recipe: Recipe, weights: dict[str, np.ndarray], images: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Return the logits of the recipe's framework on a device, float32 `[N, classes]`."""
    framework = frameworks.load(recipe.framework)
    logits: np.ndarray = framework.logits(framework.build(recipe.layers(), weights, device), images, recipe.dataset)
    return logits


def seconds_per_step(recipe: Recipe, pictures: Samples, device: str) -> float:
    """Return the seconds per step of this recipe on this machine, measured in two trial runs of 30 steps."""
    few = pictures.take(np.arange(min(30 * recipe.batch_size, len(pictures))))
    rehearsal = replace(recipe, epochs=1, hardest=1)
    for _ in range(2):  # the first one is slower: it chooses kernels and allocates memory
        *_, state = frameworks.fit(rehearsal, few, device)
    return state.seconds / state.step


def _history_line(
    state: State, epoch: float, learning_rate: float, recipe: Recipe, validation: Samples | None, device: str
) -> dict[str, Any]:
    line = {
        "epoch": round(epoch, 4),
        "step": state.step,
        "learning_rate": float(learning_rate),
        "train_loss": state.loss_sum / state.pictures,
        "train_accuracy": state.correct / state.pictures,
        "seconds": round(state.seconds, 3),
    }
    if validation is not None and len(validation):
        logits = _logits(recipe, state.weights(), validation.images, device)
        if not np.isfinite(logits).all():
            raise frameworks.diverged(recipe, "validation loss", epoch)
        line["validation_loss"] = statistics.negative_log_likelihood(logits, validation.labels)
        line["validation_accuracy"] = float((logits.argmax(1) == validation.labels).mean())
    return line


def _describe(line: dict[str, Any], recipe: Recipe, count: int) -> str:
    speed = line["epoch"] * count / line["seconds"]
    left = max(0.0, recipe.epochs - line["epoch"]) * count / speed
    validation = f"  validation {line['validation_accuracy']:.2%}" if "validation_accuracy" in line else ""
    return (
        f"epoch {line['epoch']:.2f} of {recipe.epochs:g}  loss {line['train_loss']:.4f}  "
        f"train {line['train_accuracy']:.2%}{validation}  {speed:,.0f} pictures/s  {left:.0f} s left"
    )
