"""What went in: the pictures, what training makes of them, and how far simple models get."""

import numpy as np

from tenfold import baselines, similarity
from tenfold.data.split import Split
from tenfold.frameworks import load
from tenfold.report.figures import baselines as baseline_figures
from tenfold.report.figures import data as data_figures
from tenfold.report.figures import preprocessing as preprocessing_figures
from tenfold.report.material import Material
from tenfold.report.page import Section, Table, drawing, photograph

MAPPED = 1_500  # pictures on the t-SNE map: more take longer than the rest of the report
LEARNT_FROM = 10_000  # pictures that logistic regression sees to be drawn: its weights look the same


def data(material: Material) -> Section | None:
    """Show the dataset: classes, examples, means, intensities, near-duplicates, maps."""
    if material.pictures is None:
        return None
    pictures, known = material.pictures, material.pictures.dataset
    train, validation = pictures.train, pictures.validation
    counts = {
        "train": np.bincount(train.labels, minlength=len(known.classes)).tolist(),
        "validation": np.bincount(validation.labels, minlength=len(known.classes)).tolist(),
    }
    if test := _test_counts(material):
        counts["test"] = test
    nearest, squares = similarity.nearest(similarity.pixels(validation.images), similarity.pixels(train.images))
    few = np.random.default_rng(0).permutation(len(train))[:MAPPED]
    rows, labels = similarity.pixels(train.images[few]), train.labels[few]
    plane, _ = similarity.pca(rows)
    return Section(
        "data",
        "Data",
        texts=[
            f"{known.title}, by {known.credit} (licence: {known.licence}). {len(train):,} pictures to train on and "
            f"{len(validation):,} to choose with, apart by class and by the seed of the split; the official test set is sealed."
        ],
        pictures=[
            drawing(data_figures.class_distribution(counts, known.classes), "Pictures a class"),
            photograph(data_figures.examples(train.images, train.labels, known.classes), "Examples of each class"),
            photograph(
                data_figures.mean_and_deviation(train.images, train.labels, known.classes),
                "Each class's mean picture and where its pictures differ",
            ),
            drawing(data_figures.intensity_histogram(train.images), "How bright the pixels are"),
            photograph(
                data_figures.duplicates(
                    train.images,
                    train.labels,
                    validation.images,
                    validation.labels,
                    nearest[:, 0],
                    np.sqrt(squares[:, 0]),
                    known.classes,
                ),
                "The validation pictures that have the nearest twin among those trained on",
            ),
            photograph(data_figures.map_of_data(plane, labels, known.classes, "PCA"), f"{len(few):,} pictures, PCA"),
            photograph(
                data_figures.map_of_data(similarity.tsne(rows), labels, known.classes, "t-SNE"),
                f"The same {len(few):,} pictures, t-SNE",
            ),
        ],
    )


def preprocessing(material: Material) -> Section | None:
    """Show a picture on its way into the network, by the code that training runs."""
    if material.main is None or material.pictures is None:
        return None
    try:
        framework = load()
    except ModuleNotFoundError:
        return None
    recipe, train = material.main.run.recipe, material.pictures.train
    one = train.take(np.array([0]))
    return Section(
        "preprocessing",
        "Preprocessing, step by step",
        texts=[
            f"Pixels from 0 to 255 are moved by at most {recipe.shift:g} pixels, turned by at most {recipe.rotation:g}°, scaled "
            f"by at most {recipe.scale:.0%} and sheared by at most {recipe.shear:.0%} while training, then brought to the "
            "training set's mean 0 and deviation 1."
        ],
        pictures=[
            photograph(preprocessing_figures.steps(framework.variants(recipe, one, 1)), "One picture, step by step"),
            photograph(
                preprocessing_figures.augmented_grid(framework.variants(recipe, train.take(np.arange(4)), 15)),
                "What this recipe's augmentation makes of four pictures",
            ),
            photograph(
                preprocessing_figures.batch(framework.first_batch(recipe, train)), "The first batch as the network gets it"
            ),
        ],
    )


def simple_models(material: Material) -> Section | None:
    """Show how far classical models get, and what two of them learnt."""
    if not material.baselines or material.pictures is None:
        return None
    entries = material.baselines
    header = ["model", "validation", "95% interval", "seconds to fit", "published (test)"]
    rows = [
        [
            baselines.BASELINES[entry["name"]].title,
            f"{entry['accuracy']:.2%}",
            "{:.2%} to {:.2%}".format(*entry["interval"]),
            f"{entry['train_seconds']:.1f}",
            entry["published"] or "-",
        ]
        for entry in entries
    ]
    weights, means = _learnt(material.pictures)
    classes = material.pictures.dataset.classes
    return Section(
        "baselines",
        "Baselines",
        tables=[Table(header, rows)],
        pictures=[
            drawing(baseline_figures.accuracy_against_seconds(entries), "Accuracy against the seconds that it takes to fit"),
            photograph(
                baseline_figures.learnt(weights, means, classes),
                f"What logistic regression and the nearest centroid learn (from {LEARNT_FROM:,} pictures)",
            ),
        ],
    )


def _learnt(pictures: Split) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of logistic regression and the nearest centroid's means, both `[classes, 784]`."""
    train = pictures.train.take(np.arange(min(LEARNT_FROM, len(pictures.train))))
    names = ["logistic-regression", "nearest-centroid"]
    logistic, centroid = baselines.compare(Split(pictures.dataset, train, train.take(np.arange(1))), names)
    return logistic.model.coef_, centroid.model.centroids_


def _test_counts(material: Material) -> list[int] | None:
    """Return the test pictures a class, as the scores of an opening tell them; the set is not opened for this."""
    for run in material.runs:
        for entry in run.scores:
            if entry["split"] == "test":
                return [scores["support"] for scores in entry["per_class"]]
    return None
