import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.report.figures import search, style, tuning
from test_figures_tuning import FAILED, PRUNED, ended, headline, searched

pytestmark = pytest.mark.slow

ACCURACIES = st.none() | st.integers(0, 50).map(lambda right: right / 50)


def _line(axis, colour):
    """The best so far in this colour, as an array `[N, 2]`."""
    (line,) = [line for line in axis.lines if line.get_color() == colour and line.get_drawstyle() == "steps-post"]
    return line.get_xydata()


def _after(line, x):
    """What a line of steps says at `x`."""
    return line[np.searchsorted(line[:, 0], x, side="right") - 1, 1]


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


TRIALS = [
    FAILED,
    ended(0.980, 20),
    ended(0.990, 25, state="pruned"),
    ended(0.985, 40),
    ended(0.984, 55),
    ended(0.989, 70),
    ended(None, 80, state="failed"),
]


def test_progress_is_the_best_complete_trial_by_number_and_by_seconds():
    figure = search.progress({"tpe": TRIALS})
    by_number, by_seconds = figure.axes
    np.testing.assert_allclose(_line(by_number, style.COLOURS[0]), [[2, 0.98], [4, 0.985], [6, 0.989], [7, 0.989]])
    np.testing.assert_allclose(_line(by_seconds, style.COLOURS[0]), [[20, 0.98], [40, 0.985], [70, 0.989], [80, 0.989]])
    for axis, complete, pruned in ((by_number, [2, 4, 5, 6], [3]), (by_seconds, [20, 40, 55, 70], [25])):
        dots = {line.get_marker(): line.get_xydata() for line in axis.lines if line.get_linestyle() == "None"}
        np.testing.assert_allclose(dots["o"], np.transpose([complete, [0.98, 0.985, 0.984, 0.989]]))
        np.testing.assert_allclose(dots["x"], np.transpose([pruned, [0.99]]))
    assert headline(figure) == "Best is 98.90%, after 6 of 7 trials and 70 s: 4 complete trials, 1 pruned, 2 failed"
    assert _legend(figure) == ["tpe", "a trial", "pruned"]


@given(st.lists(st.tuples(ACCURACIES, st.sampled_from(["complete", "pruned"]), st.floats(0.1, 100)), max_size=12))
def test_the_best_so_far_is_the_largest_of_what_has_ended(drawn):
    trials = [ended(accuracy, seconds, state) for accuracy, state, seconds in drawn]
    complete = [trial for trial in trials if trial.state == "complete" and trial.accuracy is not None]
    climb = search._climb(trials, "seconds")
    assert climb.end == max((trial.seconds for trial in trials), default=0)
    for moment in sorted({trial.seconds for trial in complete}):
        best = max(trial.accuracy for trial in complete if trial.seconds <= moment)
        assert climb.after(np.array(moment)) == best
    assert len(climb.at) == len(set(climb.best)) <= len(complete)


def test_searches_are_told_apart_by_more_than_colour():
    searches = {
        name: searched(60, seed, spread=0.001 + seed / 1000)
        for seed, name in enumerate(("grid", "random", "tpe", "$a$"))
    }
    figure = search.progress(searches)
    lines = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    for attribute in ("color", "marker", "linestyle"):
        assert len({getattr(line, f"get_{attribute}")() for line in lines}) == 4
    assert _legend(figure)[:4] == ["grid", "random", "tpe", r"\$a\$"]
    best = {name: max(tuning.accuracies(tuning.ranked(trials))) for name, trials in searches.items()}
    winner = max(best, key=best.get)
    assert headline(figure).startswith(f"{winner} finds the best: {best[winner]:.2%} after ")
    assert all(f"{accuracy:.2%}" in headline(figure) for accuracy in best.values())


def test_searches_that_reach_the_same_are_level():
    figure = search.progress({"grid": [ended(0.98)], "random": [ended(0.99)], "tpe": [ended(0.97), ended(0.99)]})
    assert headline(figure) == "random and tpe reach the same: 99.00%; grid 98.00%"


def test_what_is_lower_than_the_axis_is_drawn_at_its_edge():
    figure = search.progress({"tpe": [ended(0.1135, 5), *TRIALS]})
    axis = figure.axes[0]
    ((x, y),) = next(line.get_xydata() for line in axis.lines if line.get_marker() == "v")
    assert x == 1
    assert axis.get_ylim()[0] < y < 0.98
    assert _legend(figure)[-1] == tuning.LOWER


@pytest.mark.parametrize(
    ("searches", "title"),
    [
        ({}, "No trial was made"),
        ({"tpe": []}, "No trial was made"),
        ({"tpe": [FAILED, FAILED]}, "No trial is complete (2 failed)"),
        ({"tpe": [PRUNED], "grid": [FAILED]}, "No trial is complete (1 pruned, 1 failed)"),
        ({"tpe": [ended(1.0, 3.21)]}, "Best is 100.00%, after 1 of 1 trials and 3.2 s: 1 complete trial"),
        ({"tpe": [ended(0.98)] * 3}, "Best is 98.00%, after 1 of 3 trials and 1.0 s: 3 complete trials"),
        ({"tpe": [], "grid": [ended(0.98, 12)]}, "grid finds the best: 98.00% after 1 of 1 trials and 12 s"),
    ],
)
def test_progress_of_little(searches, title):
    figure = search.progress(searches)
    assert headline(figure) == title
    drawn = [line.get_xydata() for line in figure.axes[0].lines if len(line.get_xdata())]
    low, high = figure.axes[0].get_ylim()
    assert all(np.all((low < line[:, 1]) & (line[:, 1] < high)) for line in drawn)
    if not drawn:
        assert figure.axes[0].texts[0].get_text() == "no trial has an accuracy"


SEEDS = {
    "random": [
        [ended(0.980, 10), ended(0.986, 20), ended(0.985, 30), ended(0.988, 40)],
        [ended(0.970, 15), ended(0.980, 35), ended(0.984, 45), ended(0.985, 60)],
    ],
    "tpe": [
        [PRUNED, ended(0.975, 5), ended(0.989, 50)],
        [ended(0.978, 4), ended(0.977, 8), ended(0.991, 30)],
    ],
}


def test_race_is_the_mean_of_seeds_and_their_range_at_every_moment():
    figure = search.race(SEEDS)
    for axis, clock in zip(figure.axes, search.CLOCKS, strict=True):
        for at, (name, seeds) in enumerate(SEEDS.items()):
            line = _line(axis, style.COLOURS[at])
            band = axis.collections[at].get_paths()[0].vertices
            climbs = [search._climb(trials, clock) for trials in seeds]
            assert line[0, 0] == max(climb.at[0] for climb in climbs), name
            assert line[-1, 0] == min(climb.end for climb in climbs), name
            for x in line[:, 0]:
                values = [climb.after(np.array(x)) for climb in climbs]
                assert _after(line, x) == pytest.approx(np.mean(values))
                there = band[band[:, 0] == x, 1]
                assert {min(values), max(values)} <= set(there)


def test_race_compares_where_the_first_search_ends():
    figure = search.race(SEEDS)
    by_number, by_seconds = figure.axes
    assert by_number.get_title() == "equal trials: compared after 3 trials"
    assert by_seconds.get_title() == "equal seconds: compared after 30 s"
    stops = [[line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"] for axis in figure.axes]
    assert stops == [[3], [30]]
    assert headline(figure) == (
        "After 3 trials tpe leads random by 0.50 points (99.00%); the bands are apart\n"
        "After 30 s tpe leads random by 0.50 points (98.30%); the bands overlap"
    )
    assert _legend(figure) == ["random, 2 seeds", "tpe, 2 seeds"]
    title = figure.legends[0].get_title().get_text()
    assert title == "best so far: mean over seeds; band from the least to the largest"


@pytest.mark.parametrize(
    ("races", "title"),
    [
        ({}, "No search can be compared"),
        ({"tpe": [[FAILED]], "grid": [[]], "random": []}, "No search can be compared"),
        ({"tpe": [[ended(0.98, 3)]]}, "After 1 trial tpe has 98.00%\nAfter 3.0 s tpe has 98.00%"),
        (
            {"tpe": [[ended(0.98, 30)], [ended(0.99, 30)]]},
            "After 1 trial tpe has 98.50% (98.00% to 99.00%)\nAfter 30 s tpe has 98.50% (98.00% to 99.00%)",
        ),
        (
            {"tpe": [[ended(1.0, 30)]], "grid": [[ended(0.99, 30)], [ended(0.99, 30)]]},
            "After 1 trial tpe leads grid by 1.00 points (100.00%); with one seed, this may be luck\n"
            "After 30 s tpe leads grid by 1.00 points (100.00%); with one seed, this may be luck",
        ),
        (
            {"tpe": [[ended(0.98, 30)]], "grid": [[ended(0.98, 30)]]},
            "After 1 trial tpe and grid are level: 98.00%\nAfter 30 s tpe and grid are level: 98.00%",
        ),
        (
            {"tpe": [[ended(0.98, 30)], [FAILED, ended(0.98, 60)]]},  # one ended before the other had anything
            "After 1 trial no search has a complete trial with each seed\n"
            "After 30 s no search has a complete trial with each seed",
        ),
    ],
)
def test_race_of_little(races, title):
    figure = search.race(races)
    assert headline(figure) == title
    lines = [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]
    if not lines:
        assert figure.axes[0].texts[0].get_text() == "no search has a complete trial with each seed"
    low, high = figure.axes[0].get_ylim()
    assert all(low < y < high for line in lines for y in line.get_ydata())


def test_a_search_without_a_complete_trial_is_named_and_not_compared():
    figure = search.race(SEEDS | {"grid": [[FAILED] * 9, [ended(0.99, 1)]]})
    assert _legend(figure) == ["random, 2 seeds", "tpe, 2 seeds", "grid, 2 seeds (one without a complete trial)"]
    assert headline(figure) == headline(search.race(SEEDS))


def test_many_trials_and_seeds():
    races = {name: [searched(300, 10 * at + seed) for seed in range(5)] for at, name in enumerate(("random", "tpe"))}
    assert headline(search.race(races)).startswith("After 300 trials ")
    assert "of 300 trials and" in headline(search.progress({name: seeds[0] for name, seeds in races.items()}))
