"""Results as text: aligned tables that read the same on a terminal, in a log and in the README."""

from tenfold.console.data import baseline_scores, dataset, findings
from tenfold.console.outcome import export, life, sure
from tenfold.console.reading import answers
from tenfold.console.scores import crossvalidation, evaluations, personal
from tenfold.console.scoring import scoring
from tenfold.console.tables import table
from tenfold.console.tuning import search

__all__ = [
    "answers",
    "baseline_scores",
    "crossvalidation",
    "dataset",
    "evaluations",
    "export",
    "findings",
    "life",
    "personal",
    "scoring",
    "search",
    "sure",
    "table",
]
