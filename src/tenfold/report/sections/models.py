"""The models: their scores, training, layers, confusion and calibration."""

from collections import defaultdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tenfold import evaluate, networks, statistics
from tenfold.data import catalog
from tenfold.evaluate import Evaluation
from tenfold.frameworks import onnx
from tenfold.report.figures import confusion as confusion_figures
from tenfold.report.figures import network as network_figures
from tenfold.report.figures import training as training_figures
from tenfold.report.figures import trust as trust_figures
from tenfold.report.material import Material
from tenfold.report.page import Picture, Section, Table, as_svg
from tenfold.runs import Run
from tenfold.scores import Score, metrics

SCORES = (
    "Each row is a run and the pictures that it was scored on; the chosen run is shaded. The 95% interval is the "
    "range of true accuracies consistent with this score on so few pictures, so do not choose between runs whose "
    "intervals overlap without the paired test below. MCC is the correlation of answers and labels (1 is perfect). "
    "Top 2 counts an answer as correct if the label is among the two likeliest classes. NLL, the mean surprise at the "
    "label in nats, and ECE, the mean gap between confidence and accuracy, are better when smaller."
)
NETWORK = (
    "The table follows a picture from layer to layer. Multiply-adds are the work for one picture: to make the network "
    "faster, change the layer with the longest orange bar; to make it smaller, that with the longest blue one. A "
    "filter is a small pattern; a feature map is dark where its filter fits the picture."
)
TRAINING = (
    "The loss measures how wrong the answers are (cross-entropy in nats; less is better), and an epoch is one pass "
    "over the training pictures. If accuracy still rises at the end, train for more epochs. If it falls on validation "
    "while it rises in training, the network overfits: use augmentation, more pictures or a smaller network."
)
CONFUSION = (
    "A row is a true class and a column an answer. The pale diagonal counts correct answers and every other cell "
    "counts errors, darker where there are more. Look at the pictures of the darkest cells: wrong labels can be "
    "corrected, and more training pictures of those two classes help most."
)
TRUST = (
    "Confidence is the probability that a model gives to its answer. A model is calibrated if 80% of the answers "
    "given with 80% confidence are correct: its dots lie on the dashed line. Temperature scaling divides the logits, "
    "the scores before probabilities, by one number T that fits this best; the answers stay the same. Use the curve "
    "of accuracy to decide below which confidence a person should look at the picture."
)


def scores(material: Material) -> Section | None:
    """List every run with its scores on each split."""
    if not material.runs:
        return None
    scored: list[tuple[Run, Score | None]] = []
    for run in material.runs:
        scored += [(run, score) for score in run.scores] or [(run, None)]
    titles, cells = metrics([score for _, score in scored if score])
    rows: list[list[str]] = []
    chosen, left = None, iter(cells)
    for run, score in scored:
        if material.main is not None and run is material.main.run and chosen is None:
            chosen = len(rows)
        seconds = run.environment.get("train_seconds")
        rows.append(
            [
                run.name,
                f"{networks.parameter_count(run.recipe.layers()):,}",
                "not finished" if seconds is None else f"{seconds:.1f}",
                *([score.split, *next(left)] if score else ["-"] * (1 + len(titles))),
            ]
        )
    header = ["run", "parameters", "seconds of training", "split", *titles]
    verdicts = []
    if material.main is not None:
        for first, second, test_of in evaluate.comparisons(material.by_recipe):
            verdicts.append(
                f"{first.run.name} is {test_of.verdict} {'with' if test_of.verdict == 'tied' else 'than'} "
                f"{second.run.name} on validation: {test_of.only_first} pictures only the first classifies correctly, "
                f"{test_of.only_second} only the second. McNemar's exact test gives p = {test_of.p_value:.2g}, the "
                "chance of a difference this large between two models that are equally good."
            )
    return Section("scores", "Scores", texts=[SCORES, *verdicts], tables=[Table(header, rows, chosen)])


def training(material: Material) -> Section | None:
    """Draw the histories, recipe by recipe; those of stopped runs too."""
    families: dict[str, list[Any]] = defaultdict(list)
    for run in material.runs:
        families[run.recipe.family].append(run)
    pictures, texts = [], [TRAINING]
    for members in families.values():
        histories = [run.history for run in members]
        if any(len(one) > 1 for one in histories):
            names = ", ".join(run.name for run in members)
            figure = training_figures.history(histories, [run.finished for run in members])
            pictures.append(as_svg(figure, f"Training of {names}"))
    if not pictures:
        return None
    if material.main is not None and (why := _gap(material.main.run)):
        texts.append(why)
    return Section("training", "Training", texts=texts, pictures=pictures)


def _gap(run: Run) -> str:
    """Explain why the training loss of a run ends above its validation loss; "" where it does not."""
    recipe, last = run.recipe, run.history[-1]
    if last["train_loss"] <= last.get("validation_loss", np.inf):
        return ""
    reasons = []
    if smoothing := recipe.label_smoothing:
        classes = len(catalog.find(recipe.dataset).classes)
        target = np.full(classes, smoothing / classes)
        target[0] += 1 - smoothing
        least = -(target * np.log(target)).sum()
        reasons.append(
            f"labels are smoothed in training ({smoothing:.0%} of each target is spread evenly over the classes), so "
            f"that even perfect answers have a loss of {least:.2f}"
        )
    if recipe.selects:
        reasons.append(f"training uses only the hardest {recipe.hardest:.0%} of the pictures")
    if recipe.augments:
        reasons.append("pictures are augmented in training, which makes them harder")
    reasons.append("the training loss is a mean over the epoch, in which the network was still improving")
    return (
        f"{run.name} ends with a training loss of {last['train_loss']:.2f}, above its validation loss of "
        f"{last['validation_loss']:.2f}. This is no error: {'; '.join(reasons)}."
    )


def network(material: Material) -> Section | None:
    """Draw the chosen network: its layers, its first filters, its feature maps of one picture."""
    if material.main is None or material.pictures is None:
        return None
    run = material.main.run
    layers, weights, dataset = run.recipe.layers(), run.weights(), catalog.find(run.recipe.dataset)
    summary = networks.summarise(layers)
    pictures: list[Picture] = [
        as_svg(network_figures.layer_table(summary), "Layers, their shapes, their parameters and multiply-adds")
    ]
    if isinstance(layers[0], networks.Conv):
        pictures.append(as_svg(network_figures.filters(weights["conv1.weight"]), "The first layer's filters"))
    names = [
        layer.name for layer in summary if len(layer.output_shape) == 3 and layer.name in onnx.inner_layers(layers)
    ]
    if names:
        image = material.pictures.validation.images[:1]
        maps = {name: array[0] for name, array in onnx.layer_outputs(layers, weights, dataset, image, names).items()}
        pictures.append(as_svg(network_figures.feature_maps(image[0], maps), "The feature maps of one picture"))
    return Section("network", "The network", texts=[NETWORK], pictures=pictures)


def confusion(material: Material) -> Section | None:
    """Draw the confusion matrix on validation and, where it was opened, on the test set."""
    if material.main is None or material.pictures is None:
        return None
    main, classes = material.main, material.pictures.dataset.classes
    pictures = [as_svg(confusion_figures.matrix(main.score.matrix, classes), f"{main.run.name} on validation")]
    if test := main.run.score("test"):
        pictures.append(as_svg(confusion_figures.matrix(test.matrix, classes), f"{main.run.name} on the test set"))
    for other in material.by_recipe[1:2]:
        names = (main.run.name, other.run.name)
        figure = confusion_figures.difference(main.score.matrix, other.score.matrix, names, classes)
        pictures.append(as_svg(figure, f"{names[0]} beside {names[1]}, and the difference"))
    samples = material.pictures.validation
    if not main.right.all():
        figure = confusion_figures.most_confused(samples.images, samples.labels, main.logits.argmax(1), classes)
        pictures.append(as_svg(figure, "The pairs that are confused most"))
    return Section("confusion", "Confusion", texts=[CONFUSION], pictures=pictures)


def trust(material: Material) -> Section | None:
    """Draw the calibration of confidence, and the intervals of all scores."""
    if material.main is None:
        return None
    main = material.main
    temperature = main.score.temperature
    before = statistics.probabilities(main.logits)
    after = statistics.probabilities(main.logits, temperature) if temperature else None
    scaled = (
        f"before and after temperature scaling (T = {temperature:.2f})" if temperature else "which is not calibrated"
    )
    pictures = [
        as_svg(
            trust_figures.reliability(before, after, main.labels),
            f"Confidence against accuracy, {scaled}",
        ),
        as_svg(
            trust_figures.selective([(e.run.name, _calibrated(e)) for e in material.by_recipe], main.labels),
            "Accuracy against the share of pictures that are answered, the most confident first",
        ),
    ]
    if sum(len(run.scores) for run in material.runs) > 1:
        pictures.append(as_svg(_forest(material), "Every score with its 95% interval"))
    spreads = [
        (members[0].run.recipe.network, np.array([member.score.accuracy for member in members]))
        for members, _ in evaluate.seed_summaries(material.evaluations)
    ]
    if spreads:
        pictures.append(as_svg(trust_figures.seed_spread(spreads), "Accuracy on validation, seed by seed"))
    return Section("trust", "Calibration and intervals", texts=[TRUST], pictures=pictures)


def _forest(material: Material) -> Figure:
    """Draw every run's scores; the verdicts compare, on validation, one run per recipe."""
    rows = [
        trust_figures.Row(run.name, score.split, score.accuracy, score.interval)
        for run in material.runs
        for score in run.scores
    ]
    place = {row.name: at for at, row in enumerate(rows) if row.split == "validation"}
    compared = [
        (place[first.run.name], place[second.run.name], test)
        for first, second, test in evaluate.comparisons(material.by_recipe)
    ]
    return trust_figures.forest(rows, compared)


def _calibrated(evaluation: Evaluation) -> np.ndarray:
    return statistics.probabilities(evaluation.logits, evaluation.score.temperature or 1)
