"""Hyperparameter search: grid, random and Bayesian, with pruning, on many processes and machines.

In the order of its story: `space` and `space_file` say what is searched, `study` what is asked and what came of it,
`storage` where that is kept and `locks` who may write, `memo` what was paid for, `drawing` which trial is next,
`worker` trains it, `finalists` judge the best two on fresh seeds, `search` is the whole:
`tenfold.tune.search.tune(...)`.
"""

from importlib.util import find_spec

from tenfold.errors import TenfoldError


def require_libraries() -> None:
    """Raise `TenfoldError` naming the extra where what searches is not installed."""
    if find_spec("optuna") is None:
        raise TenfoldError("searching needs Optuna, which is not installed: pip install 'tenfold[tune]'")
