"""Adapt a recipe, which is designed for MNIST, to another dataset."""

from collections.abc import Collection

from tenfold.data.catalog import Dataset
from tenfold.data.split import usual_validation_size
from tenfold.recipes import Recipe, override, replace, standard

USUAL_PICTURES = 55_000  # training pictures that the named recipes are designed for
ENOUGH_STEPS = 1_000  # most steps for a small dataset
MANY_EPOCHS = 10  # with this many epochs or more, pictures are augmented
MAPS = ("rotation", "shift", "scale", "shear")  # fields of augmentation that suit characters
UPRIGHT = {"flip": True, "rotation": 0, "scale": 0, "shear": 0}  # augmentation for pictures that all stand upright
# Upright pictures have more detail than a character, so a long training of `fullres` becomes one of a residual network.
# An epoch takes seven times as long, and after 30 it is no better than after 15 (cross-validation, EXPERIMENTS.md).
FEWER_EPOCHS = 0.5
MORE_EPOCHS = 2.5  # times the epochs, where the hardest pictures are not chosen


def suited(recipe: Recipe, dataset: Dataset, assignments: Collection[str] = ()) -> Recipe:
    """Return the recipe for a dataset: changed by the assignments as in `override`, and adapted to the dataset.

    The named recipes are designed for MNIST. For upright pictures, such as clothes, those that augment only mirror and
    shift, and long trainings use a larger network. Easy pictures are left out of MNIST alone, whose labels are clean,
    and only if all of it is there to choose from. Of fewer than 25,000 development pictures, a fifth is set aside for
    validation. The number of epochs is raised to reach as many steps as with MNIST, but at most 1,000. From ten epochs
    on, characters are augmented. Assignments win.
    """
    asked = {assignment.partition("=")[0] for assignment in assignments}
    base = replace(recipe, dataset=dataset.name)
    long = recipe.network == "fullres" and not recipe.network_arguments and recipe.epochs >= MANY_EPOCHS
    if dataset.upright and long and "network" not in asked:
        base = replace(base, network="residual", epochs=recipe.epochs * FEWER_EPOCHS)
    if base.hardest < 1 and (dataset.name != recipe.dataset or "train_size" in asked):
        base = replace(base, hardest=1.0, epochs=base.epochs * MORE_EPOCHS)
    chosen = override(base, assignments)
    if dataset.upright and chosen.augments:
        chosen = replace(chosen, **{key: value for key, value in UPRIGHT.items() if key not in asked})
    if "validation_size" not in asked:
        chosen = replace(chosen, validation_size=usual_validation_size(dataset))
    pictures = chosen.train_size or max(1, dataset.development_size - chosen.validation_size)
    steps = min(ENOUGH_STEPS, chosen.steps(USUAL_PICTURES))
    if "epochs" not in asked and chosen.steps(pictures) < steps:
        chosen = replace(chosen, epochs=steps / chosen.steps_per_epoch(pictures))
    if chosen.epochs >= MANY_EPOCHS and not (chosen.augments or dataset.plain or asked & {*MAPS}):
        chosen = replace(chosen, **{key: getattr(standard(), key) for key in MAPS})
    return chosen
