import numpy as np
import pytest

from tenfold.report.figures import style, tuning
from tenfold.report.figures.tuning import Trial

pytestmark = pytest.mark.slow


def ended(accuracy, seconds=1.0, state="complete", number=7, **values):
    return Trial(number, values, accuracy, state, seconds)


def searched(count, seed=0, spread=0.0015):
    """Trials as a search of a small network has them: some pruned, a few failed, one parameter conditional."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        values = {"learning_rate": float(10 ** rng.uniform(-3, -1)), "network.width": int(rng.choice([16, 24, 32]))}
        values |= {"schedule": str(rng.choice(["cosine", "constant"])), "$x_1$": float(rng.uniform())}
        if rng.random() < 0.5:
            values["momentum"] = float(rng.uniform(0.8, 0.99))
        state = str(rng.choice(["complete", "pruned", "failed"], p=[0.8, 0.15, 0.05])) if number else "complete"
        accuracy = 0.9885 - spread * np.log10(values["learning_rate"] / 0.02) ** 2 + rng.normal(0, 5e-4)
        at_end = {"complete": accuracy, "pruned": accuracy - 0.005, "failed": None}
        reached = at_end[state]
        trials.append(
            Trial(number, values, reached if reached is None else round(reached, 4), state, 7.5 * (number + 1))
        )
    return trials


def headline(figure):
    style.png(figure)
    return figure.get_suptitle()


def dots(axis):
    """The points on an axis by the label of their artist, as arrays `[N, 2]`."""
    lines = [line for line in axis.lines if line.get_linestyle() == "None" and len(line.get_xdata())]
    return {line.get_label(): line.get_xydata() for line in lines}


FAILED = ended(None, state="failed", learning_rate=0.1)
PRUNED = ended(0.9, state="pruned", learning_rate=0.1)


def test_the_best_come_first_and_of_equal_ones_the_earlier():
    trials = [ended(0.98, 1), ended(0.99, 2), FAILED, ended(0.99, 3), PRUNED]
    assert [trial.seconds for trial in tuning.ranked(trials)] == [2, 3, 1]


@pytest.mark.parametrize(
    ("trials", "text"),
    [
        ([ended(0.98)], "1 complete trial"),
        ([ended(0.98), ended(0.98), PRUNED, FAILED, FAILED], "2 complete trials, 1 pruned, 2 failed"),
        ([PRUNED, FAILED], "No trial is complete (1 pruned, 1 failed)"),
        ([], "No trial was made"),
    ],
)
def test_all_trials_are_accounted_for(trials, text):
    assert tuning.census(trials) == text


def test_an_axis_leaves_out_what_went_astray_alone():
    together = np.array([0.982, 0.985, 0.988, 0.989])
    assert tuning.lowest_shown(together) == 0.982
    astray = np.array([0.1135, *together])
    assert 0.9 < tuning.lowest_shown(astray) < 0.982
    assert tuning.lowest_shown(np.array([0.1, 0.11, 0.12, 0.98])) == 0.1  # most are so low
    assert tuning.lowest_shown(np.array([0.5, 1.0, 1.0])) == 1
    assert tuning.lowest_shown(np.array([])) == 0


def test_names_with_dots_keep_their_ends():
    assert tuning.brief("network.width", 20) == "network.width"
    assert tuning.brief("augmentation.affine.rotation", 20) == "affine.rotation"
    assert tuning.brief("$a_name_without_any_dot", 10) == r"\$a_name_w…"
    assert tuning.brief("........................", 10) == ".........…"


def test_importances_are_bars_the_longest_first():
    shares = {"rotation": 0.004, "network.width": 0.3, "learning_rate": 0.56, "$x_1$": 0.136}
    figure = tuning.importances(shares)
    (axis,) = figure.axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["learning_rate", "network.width", r"\$x_1\$", "rotation"]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([56, 30, 13.6, 0.4])
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # the first on top
    assert [text.get_text() for text in axis.texts] == ["56%", "30%", "14%", "< 1%"]
    assert headline(figure) == "learning_rate matters most: 56%, more than network.width with 30%"


def test_importances_of_one_parameter_and_of_none():
    assert headline(tuning.importances({"learning_rate": 1.0})) == "learning_rate matters most: 100%"
    for nothing in ({}, {"learning_rate": 0.0, "momentum": 0.0}, {"learning_rate": float("nan")}):
        figure = tuning.importances(nothing)
        assert headline(figure).startswith("Nothing is known of what matters")
        assert figure.axes[0].texts[0].get_text() == "no parameter's share is known"


BOARD = [
    ended(number=1, accuracy=0.9850, learning_rate=0.01, width=16, schedule="cosine"),
    ended(number=2, accuracy=0.9890, learning_rate=0.02, width=16),
    ended(number=3, accuracy=0.9880, learning_rate=0.02, width=24, schedule="linear"),
    FAILED,
    ended(number=5, accuracy=0.9884, learning_rate=0.03, width=16, schedule="cosine"),
]


def test_the_leaderboard_tells_who_is_within_the_noise_of_the_best():
    figure = tuning.leaderboard(BOARD, 0.0006)
    (axis,) = figure.axes
    points = dots(axis)
    np.testing.assert_allclose(points["within it"], [[0.989, 0], [0.9884, 1]])
    np.testing.assert_allclose(points["below it"], [[0.988, 2], [0.985, 3]])
    (band,) = axis.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.9884, 0.9896))
    assert axis.get_ylim()[0] > axis.get_ylim()[1]
    assert headline(figure) == ("Best is 98.90%; seeds alone move it by ±0.06 points: 1 of the 3 next best lies within")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["best ± 1 sd over seeds", "within it", "below it"]


def test_the_leaderboard_writes_the_values_that_differ_in_rows():
    figure = tuning.leaderboard(BOARD, 0.0006)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    columns = {}
    for text in axis.texts:
        right = round(text.get_window_extent().x1) if text.get_rotation() == 0 else None
        columns.setdefault(right, []).append(text.get_text())
    assert columns.pop(None) == ["trial", "learning_rate", "width", "schedule"]
    cells = [columns[right] for right in sorted(columns)]
    assert cells == [
        ["2", "5", "3", "1"],
        ["0.02", "0.03", "0.02", "0.01"],
        ["16", "16", "24", "16"],
        ["–", "cosine", "linear", "cosine"],
    ]
    same = tuning.leaderboard([trial for trial in BOARD if trial.values.get("width") == 16], 0.0006)
    assert "width" not in [text.get_text() for text in same.axes[0].texts]


def test_the_leaderboard_ends_at_the_top_and_says_what_it_has_no_room_for():
    trials = [ended(0.98 + at / 1e4, **{f"parameter.{k}": at + 1000.0 * k for k in range(30)}) for at in range(40)]
    figure = tuning.leaderboard(trials, 0.001, top=10)
    (axis,) = figure.axes
    assert sum(map(len, dots(axis).values())) == 10
    heads = [text.get_text() for text in axis.texts if text.get_rotation()]
    assert heads[:2] == ["trial", "parameter.0"]
    assert axis.texts[-1].get_text() == f"{31 - len(heads)} more differ"
    figure.draw_without_rendering()
    assert axis.get_window_extent().x0 < figure.bbox.width * 0.72
    assert min(text.get_window_extent().x0 for text in axis.texts) >= 0


def test_without_measured_noise_nothing_is_called_real():
    figure = tuning.leaderboard(BOARD, None)
    assert headline(figure) == (
        "Best is 98.90%; the noise of seeds was not measured, so none of these differences is\nknown to be real"
    )
    assert not figure.axes[0].patches
    assert not figure.legends
    assert sum(map(len, dots(figure.axes[0]).values())) == 4


@pytest.mark.parametrize(
    ("trials", "noise", "title"),
    [
        (BOARD[:1], 0.0006, "Best is 98.50%; seeds alone move it by ±0.06 points"),
        (BOARD[:1], None, "Best is 98.50%; the noise of seeds was not measured"),
        (
            [ended(0.98)] * 3,
            0.001,
            "Best is 98.00%; seeds alone move it by ±0.10 points: all 2 next best lie within",
        ),
        (
            [ended(1.0), ended(0.9)],
            0.001,
            "Best is 100.00%; seeds alone move it by ±0.10 points: no other lies within",
        ),
        ([PRUNED, FAILED], 0.001, "No trial is complete (1 pruned, 1 failed)"),
        ([], None, "No trial was made"),
    ],
)
def test_the_leaderboard_of_few(trials, noise, title):
    figure = tuning.leaderboard(trials, noise)
    assert headline(figure) == title
    low, high = figure.axes[0].get_xlim()
    for points in dots(figure.axes[0]).values():
        assert np.all((low < points[:, 0]) & (points[:, 0] < high))


def test_a_trial_far_below_stands_at_the_edge_as_another_marker():
    figure = tuning.leaderboard([ended(0.98), ended(0.979), ended(0.978), ended(0.1)], 0.0005)
    (axis,) = figure.axes
    ((x, y),) = dots(axis)[tuning.LOWER]
    assert y == 3
    assert axis.get_xlim()[0] < x < 0.978
    (line,) = [line for line in axis.lines if line.get_label() == tuning.LOWER]
    assert line.get_marker() == "<"


def test_300_trials_are_ranked_and_20_drawn():
    trials = searched(300)
    figure = tuning.leaderboard(trials, 0.0005)
    points = np.concatenate(list(dots(figure.axes[0]).values()))
    complete = sorted((trial.accuracy for trial in trials if trial.state == "complete"), reverse=True)
    np.testing.assert_allclose(np.sort(points[:, 0])[::-1], complete[:20])
    style.png(figure)
