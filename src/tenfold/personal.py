"""A run learns one's own hand: it goes on with a few drawings among pictures it knows, so as not to forget those.

The new run has a recipe like any other: dataset, validation pictures and test set of the run it began with, `extra`
drawings, each many times an epoch and never twice alike. How well it reads the drawings is cross-validated, since a few
are too few to set some aside for good.
"""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold import crossval, evaluate, recipes, scores, train
from tenfold.data import catalog
from tenfold.data.catalog import Dataset
from tenfold.data.split import development
from tenfold.errors import DataError, UsageError
from tenfold.progress import SILENT, Progress
from tenfold.recipes import Recipe
from tenfold.runs import Run
from tenfold.scores import Score

FOLDS = 5
OWN = 1_000  # drawings an epoch: each as often as makes so many
KNOWN = 4_000  # pictures an epoch that the run knows
EPOCHS = 2
STRENGTHS = {"rotation": 15.0, "shift": 1.5, "scale": 0.15, "shear": 0.2}  # of the augmentation, at least


@dataclass(frozen=True)
class Change:
    """Scores of the same pictures before and after."""

    before: Score
    after: Score

    def document(self) -> dict[str, Any]:
        """Return both as JSON can hold them."""
        return {"before": self.before.document(), "after": self.after.document()}


@dataclass(frozen=True)
class Personal:
    """The result of learning a handwriting: the new run, its gain, and its cost.

    `own` is about the drawings, after it each is answered by a model that never saw it; `known` about the validation
    pictures of the dataset that the run learnt from first, None where it kept none. `seconds` is all of it.
    """

    run: Run
    own: Change
    known: Change | None
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return all of it as what JSON can hold."""
        known = self.known.document() if self.known else None
        return {"name": self.run.name, "own": self.own.document(), "known": known, "seconds": self.seconds}


def personalise(
    run: Run,
    drawings: Dataset,
    out: Path | None = None,
    assignments: Collection[str] = (),
    device: str = "auto",
    progress: Progress = SILENT,
) -> Personal:
    """Train on from a run with drawings, those of `folder.read(…, like=…)`, into `out`, and measure what that brings.

    Five models learn four fifths of the drawings each, and answer the fifth they never saw; then the run that is kept
    learns all of them. `assignments` change its recipe. Raises `UsageError` for drawings of other classes, `DataError`
    for fewer than five.
    """
    start = time.perf_counter()
    recipe = recipe_for(run, drawings, assignments)
    samples = development(drawings, progress)
    if len(samples) < FOLDS:
        raise DataError(f"{drawings.name} has {len(samples)} pictures; to learn a hand takes {FOLDS}, or better 20")
    before = evaluate.predict(run, samples.images)
    known = train.split_for(recipes.replace(recipe, extra=None), progress).train
    begun = train.beginning(recipe, run.weights())
    whole = recipes.replace(recipe, train_size=None)  # of the known pictures, not of the drawings
    after = crossval.out_of_fold(whole, samples, FOLDS, device, progress, known=known, begun=begun).logits
    learnt = train.train(recipe, out, device, progress, run.weights())
    both = recipe.validation_size and run.recipe.validation_size
    return Personal(
        run=learnt,
        own=Change(*(scores.of_logits("own", logits, samples.labels) for logits in (before, after))),
        known=_change(run, learnt, progress) if both else None,
        seconds=round(time.perf_counter() - start, 3),
    )


def recipe_for(run: Run, drawings: Dataset, assignments: Collection[str] = ()) -> Recipe:
    """Return the recipe by which a run learns drawings; `UsageError` where they are of other classes."""
    source = catalog.find(run.recipe.dataset)
    if drawings.classes != source.classes:
        raise UsageError(
            f"{drawings.name} has the classes {', '.join(drawings.classes)}; "
            f"{run.folder} knows {', '.join(source.classes)}"
        )
    count = max(1, drawings.development_size)
    available = source.development_size - run.recipe.validation_size
    first = train.fine_tuning(run)
    recipe = recipes.replace(
        first,
        extra=drawings.name,
        extra_repeats=max(1, math.ceil(OWN / count)),
        train_size=min(available, max(KNOWN, 2 * count)),
        epochs=EPOCHS,
        averaging=0,
        precision="float32",
        **{name: max(least, getattr(first, name)) for name, least in STRENGTHS.items()},
    )
    return recipes.override(recipe, assignments)


def _change(run: Run, learnt: Run, progress: Progress) -> Change:
    """Score both runs on validation pictures; only the new one is written to, the first may be one to read only."""
    before = evaluate.validate(run, progress)
    (after,) = evaluate.evaluate([learnt], progress=progress)
    return Change(before.score, after.score)
