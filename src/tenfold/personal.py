"""Adapt a run to a user's handwriting: train on with a few drawings among known pictures, which it must not forget.

The new run has an ordinary recipe: dataset, validation pictures and test set of the original run, and the drawings as
`extra`, each used many times per epoch with different augmentation. Accuracy on the drawings is cross-validated,
because they are too few to set some aside.
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
OWN = 1_000  # drawings per epoch, repetitions included
KNOWN = 4_000  # known pictures per epoch
EPOCHS = 2
STRENGTHS = {"rotation": 15.0, "shift": 1.5, "scale": 0.15, "shear": 0.2}  # least augmentation


@dataclass(frozen=True)
class Change:
    """Scores on the same pictures before and after."""

    before: Score
    after: Score

    def document(self) -> dict[str, Any]:
        """Return both scores as JSON values."""
        return {"before": self.before.document(), "after": self.after.document()}


@dataclass(frozen=True)
class Personal:
    """The result of adapting to a handwriting: the new run, its gain and its cost.

    `own` has the scores on the drawings; afterwards, each is classified by a model that never saw it. `known` has the
    scores on the validation pictures of the original dataset, or is None without any. `seconds` is the total time.
    """

    run: Run
    own: Change
    known: Change | None
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
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
    """Fine-tune a run on drawings, which `folder.read(…, like=…)` returned, into `out`, and measure the effect.

    Five models each learn from four fifths of the drawings and classify the other fifth; then the new run learns from
    all of them. `assignments` change its recipe. Raises `UsageError` for drawings of other classes, `DataError` for
    fewer than five.
    """
    start = time.perf_counter()
    recipe = recipe_for(run, drawings, assignments)
    samples = development(drawings, progress)
    if len(samples) < FOLDS:
        raise DataError(f"{drawings.name} has {len(samples)} pictures; adapting needs at least {FOLDS}, better 20")
    before = evaluate.predict(run, samples.images)
    known = train.split_for(recipes.replace(recipe, extra=None), progress).train
    begun = train.beginning(recipe, run.weights())
    whole = recipes.replace(recipe, train_size=None)  # it limits the known pictures, not the drawings
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
    """Return the recipe that adapts a run to drawings; raise `UsageError` if they have other classes."""
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
    """Score both runs on validation pictures. Only the new run is written to; the original may be read-only."""
    before = evaluate.validate(run, progress)
    (after,) = evaluate.evaluate([learnt], progress=progress)
    return Change(before.score, after.score)
