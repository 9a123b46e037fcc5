"""A study as Optuna keeps it, and what of that is a trial of Tenfold's.

Optuna's trials that only say that a point was drawn again, or that a worker died and the point waits anew, are left
out: here a trial is a point of the space.
"""

import optuna
from optuna.trial import FrozenTrial, TrialState

from tenfold.errors import UsageError
from tenfold.tune.storage import Store
from tenfold.tune.study import Question, Trial

# Attributes of Optuna's trials.
WORKER, IDENTITY, SECONDS, REUSED = "worker", "identity", "seconds", "reused"
REASON, DEATHS, REPLACES, REPEATS = "reason", "deaths", "replaces", "repeats"
RETRIES = 2  # of a trial whose worker died
DIED = f"its worker died {RETRIES + 1} times"
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def begin(store: Store, name: str, question: Question) -> optuna.Study:
    """Open the study of that name, made if there is none; `UsageError` if it asks another question."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it warns of what is told as an error, with the statement
    with store.troubles(), store.locks.held("ask"):
        try:
            study = optuna.load_study(storage=store.storage, study_name=name)
        except KeyError:
            study = optuna.create_study(storage=store.storage, study_name=name, direction="maximize")
        known = study.user_attrs.get("question")
        if known is None and not study.get_trials(deepcopy=False):
            study.set_user_attr("question", question.document)
            return study
    if known is None:
        raise UsageError(f"{store.shown} has a study {name!r} that is not one of Tenfold's; choose another --study")
    asked = question.document
    if differ := [key for key in asked if known.get(key) != asked[key]]:
        raise UsageError(
            f"{store.shown} has a study {name!r} with another {' and another '.join(differ)};\n"
            "choose another --study, or ask what it was begun with"
        )
    return study


def trials(study: optuna.Study) -> list[Trial]:
    """Return the study's trials, by number."""
    return [_seen(trial) for trial in points(study.get_trials(deepcopy=False))]


def points(everything: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return those of Optuna's trials that stand for a point: neither drawn again nor replaced after a death."""
    replaced = {trial.user_attrs.get(REPLACES) for trial in everything}
    return [trial for trial in everything if REPEATS not in trial.user_attrs and trial.number not in replaced]


def _seen(trial: FrozenTrial) -> Trial:
    looks = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    value = trial.value if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    if value is None and looks:
        value = looks[-1]
    attributes = trial.user_attrs
    return Trial(
        trial.number,
        trial.params,
        STATES[trial.state],
        value,
        attributes.get(SECONDS, 0.0),
        looks,
        attributes.get(REUSED, False),
        attributes.get(REASON) or (DIED if trial.state == TrialState.FAIL else None),
    )
