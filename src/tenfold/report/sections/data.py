"""The data: the pictures, their preprocessing, and the accuracy of simple models."""

from typing import Any

import numpy as np

from tenfold import baselines, extras, frameworks, similarity
from tenfold.data.split import Split
from tenfold.errors import TenfoldError
from tenfold.report.figures import baselines as baseline_figures
from tenfold.report.figures import data as figures
from tenfold.report.figures import preprocessing as preprocessing_figures
from tenfold.report.material import Material
from tenfold.report.page import Section, Table, as_svg
from tenfold.scores import Score, metrics

FEW, VARIANTS = 4, 15  # pictures, and variants of each
BASELINES = (
    "Simple models show how hard the task is; the chart has the networks of this page beside them. Higher is more "
    "accurate, further left is faster, and a bar is a 95% interval. Use a network only where its bar lies above those "
    "of the models that are simpler and faster."
)
LEARNT_FROM = 10_000  # pictures for the weights that are drawn: more make the same figure


def data(material: Material) -> Section | None:
    """Show the dataset: classes, examples, means, intensities, near-duplicates."""
    if material.pictures is None:
        return None
    known, train, validation = material.pictures.dataset, material.pictures.train, material.pictures.validation
    classes, images, labels = known.classes, train.images, train.labels
    counts = {
        part: np.bincount(samples.labels, minlength=len(classes)).tolist()
        for part, samples in (("train", train), ("validation", validation))
    }
    if test := _test_counts(material):
        counts["test"] = test
    # At a quarter of the pixels, which takes a quarter of the time; a copy is nearest there, too.
    nearest = similarity.nearest(similarity.halved(validation.images), similarity.halved(images))[0][:, 0]
    apart = similarity.pixels(validation.images) - similarity.pixels(images[nearest])
    twins = figures.duplicates(train, validation, nearest, np.linalg.norm(apart, axis=1), classes)
    text = (
        f"{known.title}, by {known.credit} (licence: {known.licence}). {len(train):,} pictures for training and "
        f"{len(validation):,} for validation, with the same share of each class. The test set is sealed."
    )
    advice = (
        "Look at the examples and at the pairs of pictures that are most alike. A wrong label, or a copy of a "
        "validation picture among the training pictures, makes every accuracy here less true: correct the one and "
        "remove the other."
    )
    pictures = [
        as_svg(figures.class_distribution(counts, classes), "Pictures per class"),
        as_svg(figures.examples(images, labels, classes), "Examples of each class"),
        as_svg(figures.mean_and_deviation(images, labels, classes), "Mean and standard deviation of each class"),
        as_svg(figures.intensity_histogram(images), "Grey levels of the pixels"),
        as_svg(twins, "The validation pictures that are most like a training picture, compared at 14×14 pixels"),
    ]
    return Section("data", "Data", texts=[text, advice], pictures=pictures)


def preprocessing(material: Material) -> Section | None:
    """Show a picture on its way into the network, by the code that training runs."""
    if material.main is None or material.pictures is None:
        return None
    recipe, train = material.main.run.recipe, material.pictures.train
    try:
        frameworks.load(recipe.framework)
    except TenfoldError:  # the pictures are made by the code that trains
        return None
    one = frameworks.variants(recipe, train.take(np.array([0])), 1)
    few = frameworks.variants(recipe, train.take(np.arange(FEW)), VARIANTS)
    variants = few.augmented.reshape(FEW, VARIANTS, *few.augmented.shape[1:])
    batch = frameworks.first_batch(recipe, train)
    changes = {
        f"shifted by at most {recipe.shift:g} pixels": recipe.shift,
        f"rotated by at most {recipe.rotation:g}°": recipe.rotation,
        f"scaled by at most {recipe.scale:.0%}": recipe.scale,
        f"sheared by at most {recipe.shear:.0%}": recipe.shear,
        "mirrored every other time": recipe.flip,
    }
    made = [change for change, used in changes.items() if used]
    text = (
        f"While training, each picture is {', '.join(made)}, at random, so that the network never sees it twice the "
        "same (augmentation). "
        if made
        else "This recipe does not augment: the network sees each picture unchanged. "
    ) + (
        "Then the grey levels, 0 to 255, are normalised: the mean of the training set becomes 0 and its standard "
        "deviation 1. If a variant can no longer be read, or would be another character, augment less."
        if made
        else "Its grey levels, 0 to 255, are normalised: the mean of the training set becomes 0 and its standard "
        "deviation 1. If the network overfits, choose a recipe with augmentation."
    )
    steps = preprocessing_figures.steps(one.raw[0], one.augmented[0], one.normalised[0])
    grid = preprocessing_figures.augmented_grid(few.raw[::VARIANTS], variants)
    sheet = preprocessing_figures.batch(batch.normalised, batch.labels, material.pictures.dataset.classes)
    pictures = [
        as_svg(steps, "One picture, step by step"),
        *([as_svg(grid, "Variants of a few pictures by this recipe's augmentation")] if made else []),
        as_svg(sheet, "The first batch as the network gets it"),
    ]
    return Section("preprocessing", "Preprocessing, step by step", texts=[text], pictures=pictures)


def simple_models(material: Material) -> Section | None:
    """Show the accuracy of classical models, and the weights of two of them."""
    if not material.baselines or material.pictures is None:
        return None
    titles, cells = metrics(material.baselines)
    header = ["model", *titles, "seconds to fit", "published (test)"]
    rows = [
        [score.title, *row, f"{score.train_seconds:.1f}", score.published or "-"]
        for score, row in zip(material.baselines, cells, strict=True)
    ]
    points: list[tuple[str, float, Score]] = [(score.name, score.train_seconds, score) for score in material.baselines]
    points += [(one.run.name, one.run.environment["train_seconds"], one.score) for one in material.by_recipe]
    pictures = [
        as_svg(baseline_figures.accuracy_against_seconds(points), "Baselines and networks: accuracy against seconds")
    ]
    if not extras.missing("train", "sklearn"):
        weights, means = _learnt(material.pictures)
        figure = baseline_figures.learnt(weights, means, material.pictures.dataset.classes)
        caption = f"The weights of logistic regression and of the nearest centroid (from {LEARNT_FROM:,} pictures)"
        pictures.append(as_svg(figure, caption))
    return Section("baselines", "Baselines", texts=[BASELINES], tables=[Table(header, rows)], pictures=pictures)


def _learnt(pictures: Split) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of logistic regression and the nearest centroid's means, both `[classes, 784]`."""
    train = pictures.train.take(np.arange(min(LEARNT_FROM, len(pictures.train))))
    few = Split(pictures.dataset, train, train.take(np.arange(1)))
    fitted = baselines.compare(few, ["logistic-regression", "nearest-centroid"])
    models: list[Any] = [one.model for one in fitted]
    return models[0].coef_, models[1].centroids_


def _test_counts(material: Material) -> list[int] | None:
    """Return the test pictures per class from the scores of a run; the test set is not opened for this."""
    found = (run.score("test") for run in material.runs)
    return next(([one.support for one in score.per_class] for score in found if score), None)
