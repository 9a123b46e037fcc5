import numpy as np
import pytest

from tenfold.report.figures import costs, style

OURS = costs.Series(
    "ours",
    "o",
    "black",
    [
        costs.Point("slow", 60, 0.996, (0.9955, 0.9965)),
        costs.Point("fast", 1, 0.99, (0.989, 0.991)),
        costs.Point("wasteful", 30, 0.989, None),
    ],
    joined=True,
)
THEIRS = costs.Series("theirs", "s", "red", [costs.Point("theirs", 10, 0.985, None)])


def test_on_the_front_are_those_that_nothing_cheaper_reaches():
    def points(*places):
        return [costs.Point("", cost, accuracy, None) for cost, accuracy in places]

    assert costs.front(points((3, 0.9), (1, 0.8), (1, 0.7), (2, 0.8), (3, 0.95))) == points((1, 0.8), (3, 0.95))


@pytest.fixture
def axis():
    figure = costs.accuracy_against([OURS, THEIRS], (0.5, 100), "seconds", "{:g} s".format, [1, 60])
    style.png(figure)
    return figure.axes[0]


def test_the_best_of_ours_are_joined_in_the_order_of_cost_and_theirs_stand_alone(axis):
    (ours, _, _), (theirs, _, _) = (container.lines for container in axis.containers)
    assert (ours.get_xdata().tolist(), theirs.get_xdata().tolist()) == ([60, 1, 30], [10])
    (line,) = [line for line in axis.lines if line.get_linestyle() == "-"]
    assert (line.get_xdata().tolist(), line.get_color()) == ([1, 60], "black")
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["ours", "theirs"]


def test_intervals_are_bars_and_one_that_is_not_known_is_none(axis):
    (known,), (unknown,) = (container.lines[2] for container in axis.containers)
    bars = [segment[:, 1].tolist() for segment in known.get_segments() if len(segment)]
    assert bars == [pytest.approx([0.9955, 0.9965]), pytest.approx([0.989, 0.991])]
    assert not any(np.isfinite(segment).all() for segment in unknown.get_segments() if len(segment))


def test_each_is_named_where_it_is_on_the_marks_asked_for(axis):
    assert {text.get_text(): text.xy for text in axis.texts} == {
        "slow": (60, 0.996),
        "fast": (1, 0.99),
        "wasteful": (30, 0.989),
        "theirs": (10, 0.985),
    }
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1 s", "60 s"]
    assert axis.get_xlim() == (0.5, 100)
