import numpy as np
import pytest

from tenfold.report.figures import costs, style

OURS = costs.Series(
    "ours",
    "o",
    "black",
    [costs.Point("slow", 60, 0.996, (0.9955, 0.9965)), costs.Point("fast", 1, 0.99, (0.989, 0.991))],
    joined=True,
)
THEIRS = costs.Series("theirs", "s", "red", [costs.Point("theirs", 10, 0.985, None)])


@pytest.fixture
def axis():
    figure = costs.accuracy_against([OURS, THEIRS], (0.5, 100), "seconds", "{:g} s".format, [1, 60])
    style.png(figure)
    return figure.axes[0]


def test_ours_are_joined_in_the_order_of_cost_and_theirs_stand_alone(axis):
    (ours, _, _), (theirs, _, _) = (container.lines for container in axis.containers)
    assert ours.get_xdata().tolist() == [1, 60]
    assert (ours.get_linestyle(), theirs.get_linestyle()) == ("-", "None")
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["ours", "theirs"]


def test_intervals_are_bars_and_one_that_is_not_known_is_none(axis):
    (known,), (unknown,) = (container.lines[2] for container in axis.containers)
    bars = [segment[:, 1].tolist() for segment in known.get_segments()]
    assert bars == [pytest.approx([0.989, 0.991]), pytest.approx([0.9955, 0.9965])]
    assert not any(np.isfinite(segment).all() for segment in unknown.get_segments() if len(segment))


def test_each_is_named_where_it_is_on_the_marks_asked_for(axis):
    assert {text.get_text(): text.xy for text in axis.texts} == {
        "slow": (60, 0.996),
        "fast": (1, 0.99),
        "theirs": (10, 0.985),
    }
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1 s", "60 s"]
    assert axis.get_xlim() == (0.5, 100)
