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


def _complete(result):
    return [trial for trial in result.trials if trial.state == "complete"]


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
    figure = tuning.leaderboard(_result(_trials(0.985, 0.989, 0.988, 0.9884)), 0.0006)
    (axis,) = figure.axes
    np.testing.assert_allclose(_dots(axis)["within it"], [[0.989, 0], [0.9884, 1]])
    np.testing.assert_allclose(_dots(axis)["below it"], [[0.988, 2], [0.985, 3]])
    (band,) = axis.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.9884, 0.9896))
    assert "1 of the 3 next best lies within" in figure.get_suptitle()
    unknown = tuning.leaderboard(_search(), None)
    assert "none of these differences is known to be real" in " ".join(unknown.get_suptitle().split())
    (axis,) = tuning.leaderboard(_result(_trials(0.98, 0.979, 0.978, 0.1)), 0.0005).axes
    ((x, y),) = _dots(axis)["lower than the axis"]
    assert (axis.get_xlim()[0] < x < 0.978, y) == (True, 3)


def test_the_leaderboard_shows_the_values_that_differ_beside_their_trials():
    points = [
        {"learning_rate": 0.01, "quick.width": 8},
        {"learning_rate": 0.02, "quick.width": 8},
        {"learning_rate": 0.03},
    ]
    trials = [Trial(at, {"network": "quick"} | one, "complete", 0.97 + at / 1e3) for at, one in enumerate(points)]
    figure = tuning.leaderboard(_result(trials), 0.001)
    figure.draw_without_rendering()
    cells = [text for text in figure.axes[0].texts if text.get_rotation() == 0]
    cells.sort(key=lambda text: (text.get_position()[1], text.get_window_extent().x1))
    assert [text.get_text() for text in cells] == ["2", "0.03", "-", "1", "0.02", "8", "0", "0.01", "8"]
    assert not _overlapping(cells)


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["complete", "pruned"]), st.floats(0.1, 9)), min_size=1))
def test_the_best_so_far_is_the_largest_accuracy_of_what_has_ended(drawn):
    trials = [Trial(at, {}, state, right / 50, cost) for at, (right, state, cost) in enumerate(drawn)]
    times, best = tuning.best_so_far(_result(trials), "seconds")
    for at in range(len(trials)):
        ended = [trial.accuracy for trial in trials[: at + 1] if trial.state == "complete"]
        assert best[at] == max(ended, default=-np.inf)
        assert times[at] == pytest.approx(sum(trial.seconds for trial in trials[: at + 1]))


def test_a_race_draws_mean_and_range_of_the_same_seeds_and_compares_where_the_first_ends():
    slow = [_result(_trials(0.90, 0.95, 0.97)), _result(_trials(0.92, 0.91, 0.93, 0.99))]
    fast = [_result(_trials(0.98, 0.98, seconds=0.5)), _result(_trials(0.96, 0.97, seconds=0.5))]
    figure = tuning.race({"slow": slow, "fast": fast})
    by_trials, by_seconds = figure.axes
    lines = {line.get_label(): line.get_xydata() for line in by_trials.lines if "seeds" in line.get_label()}
    np.testing.assert_allclose(lines["slow, 2 seeds"], [[1, 0.91], [2, 0.935], [3, 0.95]])
    np.testing.assert_allclose(lines["fast, 2 seeds"], [[1, 0.97], [2, 0.975]])
    heights = by_trials.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.90, 0.97)
    assert by_seconds.get_title() == "equal seconds: compared after 1 s"
    assert "After 2 trials fast leads slow by 4.00 points (97.50%); the bands are apart" in figure.get_suptitle()
    assert "After 1 s fast leads slow by 6.50 points (97.50%); the bands are apart" in figure.get_suptitle()


def test_searches_of_a_race_differ_by_more_than_colour():
    figure = tuning.race({name: [_search(seed=seed)] for seed, name in enumerate(("grid", "random", "tpe", "$a$"))})
    lines = [line for line in figure.axes[0].lines if "seed" in line.get_label()]
    for attribute in ("color", "marker", "linestyle"):
        assert len({getattr(line, f"get_{attribute}")() for line in lines}) == 4
    assert "maybe luck" in figure.get_suptitle()
    style.png(figure)  # no name is a formula


def test_a_layout_places_each_trial_at_its_two_values():
    searches = {"grid": _search(seed=1), "random": _search(seed=2)}
    figure = tuning.layout(searches, "learning_rate", "label_smoothing")
    figure.draw_without_rendering()
    for place, result in enumerate(searches.values()):
        above, middle, beside = figure.axes[2 * place], figure.axes[4 + 2 * place], figure.axes[5 + 2 * place]
        x, y = (
            np.array([trial.point[name] for trial in result.trials]) for name in ("learning_rate", "label_smoothing")
        )
        accuracy = [trial.accuracy if trial.state == "complete" else np.nan for trial in result.trials]
        np.testing.assert_allclose(middle.lines[0].get_xydata(), np.transpose([x, y]))
        np.testing.assert_allclose(above.lines[0].get_xydata(), np.transpose([x, accuracy]))
        np.testing.assert_allclose(beside.lines[0].get_xydata(), np.transpose([accuracy, y]))
        assert middle.get_xscale() == "log"
        assert not _overlapping(_seen(middle))
    assert figure.axes[4].get_xlim() == figure.axes[6].get_xlim()
    assert figure.get_suptitle() == "Values of learning_rate tried: 40 by grid, 40 by random"


def test_history_has_every_complete_trial_under_its_number_and_the_best_so_far():
    result = _search()
    (axis,) = optuna_plots.history(result).axes
    np.testing.assert_allclose(axis.collections[0].get_offsets(), [(t.number, t.accuracy) for t in _complete(result)])
    _, best = tuning.best_so_far(result, "trials")
    np.testing.assert_allclose(axis.lines[0].get_ydata(), best[: len(axis.lines[0].get_ydata())])


def test_importances_are_those_of_the_study():
    importances = optuna.importance.get_param_importances(optuna_plots._study(_search()))
    result = _result(_search().trials, importances)
    figure = optuna_plots.importances(result)
    (axis,) = figure.axes
    figure.draw_without_rendering()
    bars = {label.get_text(): bar.get_width() for label, bar in zip(axis.get_yticklabels(), axis.patches, strict=True)}
    assert bars == pytest.approx(importances)
    assert figure.get_suptitle().startswith(f"learning_rate matters most: {bars['learning_rate']:.0%}")


def test_slices_have_a_panel_per_parameter_with_the_trials_that_have_it():
    result = _search()
    figure = optuna_plots.slices(result)
    figure.draw_without_rendering()
    panels = {axis.get_xlabel(): axis for axis in figure.axes if axis.get_xlabel()}
    assert panels.keys() == SPACE.keys()
    for name, axis in panels.items():
        having = [trial for trial in _complete(result) if name in trial.point]
        points = axis.collections[0].get_offsets()
        np.testing.assert_allclose(np.sort(points[:, 1]), sorted(trial.accuracy for trial in having))
        if "choices" not in SPACE[name]:
            np.testing.assert_allclose(points[:, 0], [trial.point[name] for trial in having])
        assert not _overlapping(_seen(axis))
        assert axis.get_window_extent().x1 < figure.bbox.x1
    assert {label.get_text() for label in panels["network"].get_xticklabels()} == {"quick", "mlp"}  # without quotes
    best = max(_complete(result), key=lambda trial: trial.accuracy)
    (star,) = panels["learning_rate"].lines
    np.testing.assert_allclose(star.get_xydata(), [[best.point["learning_rate"], best.accuracy]])
    assert figure.get_suptitle().startswith(f"Best is trial {best.number} with {best.accuracy:.2%}")


def test_each_complete_trial_is_a_line_of_parallel_coordinates_and_the_best_are_dark_and_on_top():
    result = _search()
    figure = optuna_plots.parallel_coordinates(result)
    lines = figure.axes[0].collections[0]
    levels = lines.get_array()
    assert len(lines.get_segments()) == len(levels) == len(_complete(result))
    assert all(np.diff(levels) >= 0)
    np.testing.assert_allclose([segment[0, 1] for segment in lines.get_segments()], levels)
    accuracies = sorted(trial.accuracy for trial in _complete(result))
    np.testing.assert_allclose(style.accuracy_at(levels), accuracies)
    lightness = lines.get_cmap()(np.linspace(0, 1, 9))[:, :3].sum(1)
    assert all(np.diff(lightness) < 0)


def test_few_and_odd_trials_can_be_drawn():
    one = _result(_trials(1.0))
    for figure in (optuna_plots.history, optuna_plots.slices, optuna_plots.parallel_coordinates):
        style.png(figure(one))
    assert optuna_plots.history(_result(_trials(0.5, state="failed"))).get_suptitle() == "No trial is complete"
    assert optuna_plots.history(_result(_trials(0.98, 0.979, 0.978, 0.1))).get_suptitle().endswith("; 1 below the axis")


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
