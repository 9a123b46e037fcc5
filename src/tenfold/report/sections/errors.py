"""The errors: each one, doubtful labels, accuracy on changed pictures."""

from functools import partial
from typing import Any

import numpy as np

from tenfold import evaluate, robustness, statistics
from tenfold.atlas import Mistake, atlas
from tenfold.data import catalog
from tenfold.data.split import Samples, Split, development
from tenfold.errors import TenfoldError
from tenfold.frameworks import load
from tenfold.report.figures import doubt as doubt_figures
from tenfold.report.figures import robustness as robustness_figures
from tenfold.report.material import Material
from tenfold.report.page import Atlas, Section, as_svg, digit, overlay

LISTED = 400  # errors at most, the surest first: more make a heavy page and no other point
DISTURBED = 1_000  # validation pictures that are changed in every way
ATTACKED = 300  # of them, in the attacks that need gradients
BUDGETS = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # largest change of a pixel, of 255
MODELS = 3  # that are set side by side
DOUBTFUL = (
    "Models that never saw a picture are sure of another class than its label. Look at each picture: correct the "
    "label if it is wrong, remove the picture if nobody can read it, and train again."
)
ROBUSTNESS = (
    "The same validation pictures are changed in ten ways, a little at first and then more; the pictures under each "
    "curve show by how much. If a curve falls early, avoid such pictures, or train with augmentation that makes "
    "similar ones."
)
ATTACKS = (
    " Attacks change every pixel by at most a budget so that the answer becomes wrong: FGSM in one step, PGD in ten. "
    "If strangers can send pictures and gain by an error, do not rely on this model alone."
)


def error_atlas(material: Material) -> Section | None:
    """List the pictures that the chosen model classifies wrongly, at most `LISTED`, with their explanation."""
    if material.main is None or material.pictures is None:
        return None
    main, validation = material.main, material.pictures.validation
    asked, labels = [validation.images], [validation.labels]
    if kept := main.run.test_answers():
        asked.append(kept["images"])
        labels.append(kept["labels"][kept["index"]])
    samples = Samples(np.concatenate(asked), np.concatenate(labels))
    answers = [
        (
            one.run.name,
            statistics.probabilities(
                np.concatenate([one.logits, *(evaluate.predict(one.run, images) for images in asked[1:])]),
                one.score.temperature or 1,
            ),
        )
        for one in material.by_recipe
    ]
    found = atlas(main.run, answers, samples, material.pictures.train, LISTED)
    if not found:
        return Section("errors", "Error atlas", texts=["There is no error to show."])
    on_validation = [mistake for mistake in found if mistake.index < len(validation)]
    on_test = [mistake for mistake in found if mistake.index >= len(validation)]
    parts = [("validation", int((~main.right).sum()), on_validation, np.arange(len(validation)))]
    if kept:
        parts.append(("the test set", len(kept["index"]), on_test, kept["index"]))
    atlases = []
    for where, errors, listed, numbers in parts:
        count = f"{errors}" if len(listed) == errors else f"{len(listed)} of {errors}"
        rows = [_row(mistake, samples, numbers, material.pictures) for mistake in listed]
        atlases.append(Atlas(f"{count} {'error' if errors == 1 else 'errors'} on {where}", rows))
    return Section(
        "errors",
        "Error atlas",
        texts=[
            f"The pictures that {main.run.name} gets wrong, the surest first. A click on a heading sorts. Orange "
            "pixels spoke for the answer, blue ones against it (integrated gradients). The nearest training pictures "
            "are those whose features, the input of the network's last layer, are most similar. Begin at the top: a "
            "confident wrong answer often means a wrong label, or a style of writing that the training set lacks."
        ],
        atlases=atlases,
    )


def doubtful_labels(material: Material) -> Section | None:
    """Show the labels that cross-validated models doubt most."""
    if not material.crossvalidations:
        return None
    texts, pictures = [DOUBTFUL], []
    for crossed in material.crossvalidations:
        known = catalog.find(crossed.recipe.dataset)
        doubts = crossed.doubts
        low, high = crossed.score.interval
        texts.append(
            f"{crossed.folder.name}: each of {crossed.score.total:,} development pictures was answered by a model "
            f"that never saw it; {crossed.score.accuracy:.2%} of the answers are right (95% interval {low:.2%} to "
            f"{high:.2%}), and {len(doubts)} {'label is' if len(doubts) == 1 else 'labels are'} in doubt."
        )
        images = development(known).images[doubts.pictures]
        figure = doubt_figures.doubtful(images, doubts.given, doubts.suggested, known.classes)
        pictures.append(as_svg(figure, "The labels most in doubt: given → suggested by the models"))
    return Section("doubtful", "Doubtful labels", texts=texts, pictures=pictures)


def disturbed(material: Material) -> Section | None:
    """Draw accuracy on pictures that are shifted, turned, blurred and so on, and on adversarial ones."""
    if material.main is None or material.pictures is None:
        return None
    few = material.pictures.validation.take(np.arange(min(DISTURBED, len(material.pictures.validation))))
    models = [one.run for one in material.by_recipe[:MODELS]]
    results = {run.name: robustness.curves(partial(evaluate.predict, run), few) for run in models}
    caption = f"Accuracy on {len(few):,} changed validation pictures"
    pictures = [as_svg(robustness_figures.curves(results, few.images[0], len(few)), caption)]
    count = min(ATTACKED, len(few))
    attacked = _attacked(material, few.take(np.arange(count)))
    if attacked:
        figure = robustness_figures.adversarial(BUDGETS, attacked, count)
        pictures.append(as_svg(figure, f"Accuracy on {count} pictures changed to deceive"))
    text = ROBUSTNESS + (ATTACKS if attacked else "")
    return Section("robustness", "Robustness", texts=[text], pictures=pictures)


def _attacked(material: Material, few: Samples) -> dict[str, dict[str, list[float]]]:
    try:
        pytorch = load("pytorch")
    except TenfoldError:  # attacks need gradients, and the base install has none
        return {}
    return {
        run.name: pytorch.gradients.accuracies(
            pytorch.build(run.recipe.layers(), run.weights()).eval(),
            few.images,
            few.labels,
            run.recipe.dataset,
            BUDGETS,
        )
        for run in (one.run for one in material.by_recipe[:MODELS])
    }


def _row(mistake: Mistake, samples: Samples, numbers: np.ndarray, pictures: Split) -> dict[str, Any]:
    """Return an error as the page's template takes it; `numbers` are the places of its part's pictures."""
    classes, train = pictures.dataset.classes, pictures.train
    first = len(pictures.validation) if mistake.index >= len(pictures.validation) else 0
    image, saliency = samples.images[mistake.index], mistake.saliency
    return {
        "index": numbers[mistake.index - first],
        "picture": digit(image),
        "saliency": "" if saliency is None else overlay(image, saliency),
        "true": classes[mistake.label],
        "said": classes[mistake.predicted],
        "confidence": f"{mistake.confidence:.1%}",
        "top": ", ".join(f"{classes[label]} {p:.1%}" for label, p in mistake.top),
        "neighbours": [
            {"label": classes[near.label], "picture": digit(train.images[near.index])} for near in mistake.neighbours
        ],
        "others": ", ".join(f"{one.model}: {classes[one.label]} {one.probability:.0%}" for one in mistake.others),
    }
