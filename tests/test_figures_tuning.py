"""Figures of searches: ours, and those that Optuna draws."""

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from matplotlib import pyplot as plt

from tenfold import recipes
from tenfold.report.figures import optuna_plots, style, tuning
from tenfold.tune import space_file
from tenfold.tune.study import Question, Result, Trial

pytestmark = pytest.mark.slow

SPACE = {
    "network": {"choices": ["quick", "mlp"]},
    "learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "batch_size": {"choices": [64, 128, 256]},
    "label_smoothing": {"low": 0.0, "high": 0.3, "step": 0.1},
    "quick.width": {"low": 8, "high": 24, "step": 4},
    "mlp.width": {"low": 64, "high": 512, "log": True},
}


def _search(seed=0):
    """A search with made-up accuracies: the learning rate matters most; some trials are pruned or failed."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(40):
        network, rate = ("quick", "mlp")[number % 3 > 1], float(10 ** rng.uniform(-3, -1))
        width = int(rng.choice([8, 12, 24])) if network == "quick" else int(rng.integers(64, 513))
        point = {"network": network, "learning_rate": rate, f"{network}.width": width}
        point |= {"batch_size": int(rng.choice([64, 128])), "label_smoothing": float(rng.choice([0.0, 0.1, 0.3]))}
        accuracy = 0.98 - 0.02 * abs(np.log10(rate) + 2) + rng.normal(0, 0.0005)
        state = ("complete", "complete", "complete", "pruned", "failed")[number % 5]
        trials.append(Trial(number, point, state, float(accuracy), float(rng.uniform(1, 3))))
    return _result(trials)


def _result(trials, importances=None):
    space = space_file.parse(SPACE, recipes.quick())
    return Result(Path("study"), Question(space, "random"), trials, importances or {}, None)


def _trials(*accuracies, state="complete", seconds=1.0):
    return [Trial(at, {"learning_rate": 0.01}, state, one, seconds) for at, one in enumerate(accuracies)]


def _dots(axis):
    """The points drawn without a line, by label, `[N, 2]`."""
    return {line.get_label(): line.get_xydata() for line in axis.lines if line.get_linestyle() == "None"}


def _seen(axis):
    """The labels of the ticks that are on the x axis."""
    low, high = axis.get_xlim()
    return [label for label in axis.get_xticklabels() if low <= label.get_position()[0] <= high]


def _overlapping(texts):
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_the_leaderboard_separates_the_trials_within_the_noise_of_the_best():
    (axis,) = tuning.leaderboard(_result(_trials(0.985, 0.989, 0.988, 0.9884)), 0.0006).axes
    np.testing.assert_allclose(_dots(axis)["within it"], [[0.989, 0], [0.9884, 1]])
    np.testing.assert_allclose(_dots(axis)["below it"], [[0.988, 2], [0.985, 3]])
    (band,) = axis.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.9884, 0.9896))


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["complete", "pruned"]), st.floats(0.1, 9)), min_size=1))
def test_the_best_so_far_is_the_largest_accuracy_of_what_has_ended(drawn):
    trials = [Trial(at, {}, state, right / 50, cost) for at, (right, state, cost) in enumerate(drawn)]
    times, best = tuning.best_so_far(_result(trials), "seconds")
    for at in range(len(trials)):
        ended = [trial.accuracy for trial in trials[: at + 1] if trial.state == "complete"]
        assert best[at] == max(ended, default=-np.inf)
        assert times[at] == pytest.approx(sum(trial.seconds for trial in trials[: at + 1]))


def test_slices_have_a_panel_per_parameter(tmp_path):
    figure = optuna_plots.slices(_search())
    figure.draw_without_rendering()
    panels = {axis.get_xlabel(): axis for axis in figure.axes if axis.get_xlabel()}
    assert panels.keys() == SPACE.keys()
    assert not any(_overlapping(_seen(axis)) for axis in panels.values())


def test_few_and_odd_trials_can_be_drawn():
    one = _result(_trials(1.0))
    for figure in (optuna_plots.history, optuna_plots.slices, optuna_plots.parallel_coordinates):
        style.png(figure(one))
    style.png(optuna_plots.history(_result(_trials(0.5, state="failed"))))
    style.png(optuna_plots.importances(_result(_search().trials, {"learning_rate": 0.9, "batch_size": 0.1})))
    style.png(tuning.leaderboard(_search(), None))
    style.png(tuning.race({name: [_search(seed)] for seed, name in enumerate(("grid", "random", "tpe", "$a$"))}))
    layout = tuning.layout({"grid": _search(1), "random": _search(2)}, "learning_rate", "label_smoothing")
    layout.draw_without_rendering()
    assert not _overlapping(_seen(layout.axes[4]))


def test_optuna_leaves_nothing_behind(capfd):
    plt.switch_backend("pdf")
    before, level = dict(mpl.rcParams), optuna.logging.get_verbosity()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        figure = optuna_plots.slices(_search())
    assert dict(mpl.rcParams) == before
    assert (mpl.get_backend(), plt.get_fignums(), optuna.logging.get_verbosity()) == ("pdf", [], level)
    plt.switch_backend("agg")
    assert (heard, *capfd.readouterr()) == ([], "", "")
    assert style.svg(figure) == style.svg(optuna_plots.slices(_search()))
    assert DisplayFormatter().format(figure)[0]["image/png"][:4] == b"\x89PNG"
