import numpy as np
import pytest
from matplotlib.colors import to_hex

from tenfold.report.figures import hyperparameters, scales, style, tuning
from test_figures_tuning import FAILED, PRUNED, dots, ended, headline, searched

pytestmark = pytest.mark.slow

LOGARITHMIC = {"learning_rate"}
TRIALS = [
    ended(0.980, learning_rate=0.001, schedule="cosine"),
    ended(0.989, learning_rate=0.01, schedule="linear", momentum=0.9),
    ended(0.986, learning_rate=0.1, schedule="cosine", momentum=0.8),
    ended(0.975, state="pruned", learning_rate=0.01, schedule="linear"),
    ended(None, state="failed", learning_rate=0.1, schedule="constant"),
]


def _panels(figure):
    return {axis.get_xlabel().partition(" (")[0]: axis for axis in figure.axes if axis.get_xlabel()}


def test_slices_have_a_panel_a_parameter_with_all_that_have_it():
    figure = hyperparameters.slices(TRIALS, LOGARITHMIC)
    panels = _panels(figure)
    assert list(panels) == ["learning_rate", "schedule", "momentum"]
    points = dots(panels["learning_rate"])
    np.testing.assert_allclose(points["best"], [[0.5, 0.989]])
    np.testing.assert_allclose(points["next best 4"], [[1, 0.986], [0, 0.980]])
    np.testing.assert_allclose(points["pruned"], [[0.5, 0.975]])
    assert list(points) == ["pruned", "next best 4", "best"]
    assert [label.get_text() for label in panels["learning_rate"].get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert panels["momentum"].get_xlabel() == "momentum (2 of 5 trials)"
    assert [len(points) for points in dots(panels["momentum"]).values()] == [1, 1]
    assert headline(figure) == "3 complete trials, 1 pruned, 1 failed; best is trial 7 with 98.90%"
    markers = {line.get_label(): line.get_marker() for line in panels["learning_rate"].lines}
    assert len(set(markers.values())) == len(markers)


def test_panels_say_where_the_best_few_are():
    panels = _panels(hyperparameters.slices(TRIALS, LOGARITHMIC))
    titles = {name: axis.get_title() for name, axis in panels.items()}
    assert titles == {
        "learning_rate": "best 3: 0.001 to 0.1",
        "schedule": "best 3: cosine, 2 of 3",
        "momentum": "best 3: 0.8 to 0.9 (2 of 3)",
    }
    others = [ended(0.99 + at / 1e4, width=24, kind="a") for at in range(5)]
    panels = _panels(hyperparameters.slices([*TRIALS, *others], ()))
    assert [panels[name].get_title() for name in ("width", "kind", "momentum")] == [
        "best 5: 24",
        "best 5: a",
        "best 5: without it",
    ]


def test_points_of_a_choice_are_spread_beside_its_tick():
    trials = [ended(0.98 + at / 1e4, kind="abc"[at % 3]) for at in range(90)]
    (axis,) = hyperparameters.slices(trials, ()).axes
    points = np.concatenate(list(dots(axis).values()))
    ticks = np.array(axis.get_xticks())
    for at, tick in enumerate(ticks):
        of_choice = [trial.accuracy for trial in trials if trial.values["kind"] == "abc"[at]]
        x = points[np.isin(points[:, 1], of_choice), 0]
        assert len(x) == 30
        assert np.all(np.abs(x - tick) <= 0.1 + 1e-9)  # the next is 0.5 away
        assert len(set(x.round(6))) > 20
    assert axis.get_xlim()[0] < points[:, 0].min()


def test_slices_mark_what_is_lower_than_the_axis():
    figure = hyperparameters.slices([*TRIALS, ended(0.1, learning_rate=0.1)], LOGARITHMIC)
    points = dots(_panels(figure)["learning_rate"])
    assert points[tuning.LOWER][0, 0] == 1
    assert figure.axes[0].get_ylim()[0] < points[tuning.LOWER][0, 1] < 0.975
    assert tuning.LOWER in [text.get_text() for text in figure.legends[0].get_texts()]


def _lines(figure, parameters):
    """The lines of trials in a figure of parallel coordinates."""
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() != "None"]
    return [line for line in lines if len(line.get_xdata()) == parameters + 1]


def _level(figure, accuracy):
    """Where an accuracy is on the last axis, from the places of its ticks."""
    ticks = [text for text in figure.axes[0].texts if text.get_text().endswith("%")]
    known = scales.height(np.array([float(text.get_text()[:-1]) / 100 for text in ticks]))
    slope, start = np.polyfit(known, [text.xy[1] for text in ticks], 1)
    return start + slope * scales.height(np.array(accuracy))


def test_every_trial_is_a_line_from_its_values_to_its_accuracy():
    figure = hyperparameters.parallel_coordinates(TRIALS, LOGARITHMIC)
    lines = [line.get_ydata() for line in _lines(figure, 3)]
    under = hyperparameters.UNDER
    heights = [[0.5, 1, under], [0, 0.5, under], [1, 0.5, 0], [0.5, 1, 1]]  # pruned, then complete, the best on top
    np.testing.assert_allclose([line[:3] for line in lines], heights)
    accuracies = (0.975, 0.980, 0.986, 0.989)
    np.testing.assert_allclose([line[3] for line in lines], [_level(figure, one) for one in accuracies], atol=1e-6)
    names = [text.get_text() for text in figure.axes[0].texts if text.get_rotation()]
    assert names == ["learning_rate", "schedule", "momentum", "accuracy"]
    assert "not set" in [text.get_text() for text in figure.axes[0].texts]
    assert headline(figure) == "3 complete trials, 1 pruned, 1 failed; best is trial 7 with 98.90%"


def test_colour_and_width_follow_accuracy():
    trials = searched(60)
    figure = hyperparameters.parallel_coordinates(trials, LOGARITHMIC)
    lines = _lines(figure, 5)
    assert len(lines) == len([trial for trial in trials if trial.accuracy is not None])
    for line in lines:
        assert to_hex(line.get_color()) == to_hex(hyperparameters.SHADES(line.get_ydata()[-1]))
    thick = [line for line in lines if line.get_linewidth() > 2]
    assert thick == lines[-5:]  # drawn last
    complete = [line for line in lines if line.get_linestyle() == "-"]
    assert [line.get_ydata()[-1] for line in complete] == sorted(line.get_ydata()[-1] for line in complete)
    (strip,) = figure.axes[0].images
    assert strip.get_cmap() is hyperparameters.SHADES
    assert strip.get_extent()[2:] == [0, 1]


def test_what_the_best_five_have_in_common_is_told():
    good = [
        ended(0.99, learning_rate=0.02 + at / 1e3, schedule="cosine", width=16 * at, always=1, long="b" * (at % 2))
        for at in range(5)
    ]
    poor = [
        ended(0.97 + at / 1e4, learning_rate=0.1 * at, schedule="linear", width=at, always=1, long="a")
        for at in range(5)
    ]
    title = headline(hyperparameters.parallel_coordinates(poor + good, ()))
    assert title.replace("\n", " ") == (
        "The best 5 of 10 complete trials (99.00% to 99.00%) agree on learning_rate 0.02 to 0.024; schedule cosine"
    )
    alone = [ended(0.98 + at / 1e4, width=at % 5) for at in range(10)]
    assert headline(hyperparameters.parallel_coordinates(alone, ())).endswith("agree on no parameter")
    much = [ended(0.98 + at / 1e4, **dict.fromkeys("abcdefg", at // 5)) for at in range(10)]
    title = headline(hyperparameters.parallel_coordinates(much, ()))
    assert title.replace("\n", " ").endswith("agree on a 1; b 1; c 1; d 1; and 3 more")


def test_trials_that_are_all_as_good_have_no_best():
    trials = [ended(0.98, learning_rate=0.01 * at) for at in range(12)]
    for draw in (hyperparameters.slices, hyperparameters.parallel_coordinates):
        assert headline(draw(trials, ())) == "12 complete trials; all complete ones reach 98.00%"


def test_lines_below_the_accuracy_axis_end_at_its_foot():
    figure = hyperparameters.parallel_coordinates([*TRIALS, ended(0.1, learning_rate=0.1)], LOGARITHMIC)
    assert min(line.get_ydata()[-1] for line in _lines(figure, 3)) == 0
    assert "or lower" in [text.get_text() for text in figure.axes[0].texts]
    within = hyperparameters.parallel_coordinates(TRIALS, LOGARITHMIC)
    assert "or lower" not in [text.get_text() for text in within.axes[0].texts]


@pytest.mark.parametrize("draw", [hyperparameters.slices, hyperparameters.parallel_coordinates])
@pytest.mark.parametrize(
    ("trials", "title", "message"),
    [
        ([], "No trial was made", None),
        ([FAILED], "No trial is complete (1 failed)", "no trial has an accuracy"),
        ([PRUNED, FAILED], "No trial is complete (1 pruned, 1 failed)", None),
        ([ended(1.0, learning_rate=0.1)], "1 complete trial; best is trial 7 with 100.00%", None),
        ([ended(0.98, **{"$x_1$": "$", "n" * 99: 1})], "1 complete trial; best is trial 7 with 98.00%", None),
    ],
)
def test_little_and_odd(draw, trials, title, message):
    figure = draw(trials, {"learning_rate"})
    assert headline(figure) == title
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert (message in texts) if message else ("no trial has an accuracy" not in texts or not trials)


@pytest.mark.parametrize("draw", [hyperparameters.slices, hyperparameters.parallel_coordinates])
def test_300_trials_with_hostile_names(draw):
    names = {"$x_1$": "$\\frac{", "network.width": "network.blocks.first.convolution.width" * 3, "schedule": "<b>&\n"}
    trials = [
        tuning.Trial(
            trial.number, {names.get(name, name): value for name, value in trial.values.items()}, trial.accuracy, *rest
        )
        for trial in searched(300)
        for rest in [(trial.state, trial.seconds)]
    ]
    figure = draw(trials, LOGARITHMIC)
    assert "&lt;b&gt;&amp;" in style.svg(figure)
    figure.draw_without_rendering()
    title = figure.texts[0].get_window_extent()
    assert title.x1 <= figure.bbox.x1
    assert all(axis.get_tightbbox().y1 <= title.y0 + 1 for axis in figure.axes)
