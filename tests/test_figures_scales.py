import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.report.figures import scales, style
from tenfold.report.figures.scales import Ruler

NUMBERS = st.lists(st.floats(1e-6, 1e6) | st.integers(1, 1_000), min_size=1, max_size=30)


def test_halving_the_errors_is_the_same_height_everywhere():
    steps = np.diff(scales.height(np.array([0.8, 0.9, 0.95, 0.975])))
    np.testing.assert_allclose(steps, steps[0])
    assert scales.height(np.array([0.9, 0.99])).tolist() == pytest.approx([1, 2])


@given(st.floats(0, 1))
def test_heights_lead_back_to_their_accuracies(accuracy):
    assert scales.accuracy_at(scales.height(np.array(accuracy))) == pytest.approx(accuracy, abs=1e-9)


def test_the_scale_has_no_break_where_it_becomes_straight_and_1_is_on_it():
    near = scales.SUREST + np.array([-1e-7, 0, 1e-7])
    below, above = np.diff(scales.height(near))
    assert above == pytest.approx(below, rel=0.01)
    assert 4 < scales.height(np.array(1.0)) < 5


def test_an_axis_holds_its_accuracies_and_a_bit_more():
    axis = style.new(2)[1][0, 0]
    scales.accuracy_axis(axis, 1.0, 1.0)  # a model without an error
    low, high = axis.get_ylim()
    assert low < 1 < high
    assert axis.get_yticks()[-1] == 1
    assert axis.yaxis.get_major_formatter()(1, 0) == "100%"
    scales.accuracy_axis(axis, 0.9905, 0.9912)  # two runs about as good
    assert sum(0.99 < tick < 0.992 for tick in axis.get_yticks()) > 2
    scales.accuracy_axis(axis, 0.1, 0.99, horizontal=True, most=4)
    assert axis.get_xlim()[0] < 0.1 < 0.99 < axis.get_xlim()[1]
    assert len(axis.get_xticks()) <= 4


@given(st.floats(0, 0.9999), st.floats(0, 0.9999), st.integers(1, 16))
def test_ticks_of_accuracies_are_few_in_order_and_apart(one, other, most):
    low, high = min(one, other), max(one, other)
    ticks = scales.accuracy_ticks(low, high, most)
    assert len(ticks) <= most
    assert all(low <= tick <= high for tick in ticks)
    gaps = np.diff(scales.height(np.array([low, *ticks, high])))[1:-1]
    assert np.all(gaps >= scales.NEAREST * np.ptp(scales.height(np.array([low, high]))) * (1 - 1e-9))


def test_ticks_leave_no_long_way_without_any():
    """From a model that guesses to one without an error."""
    low, high = 0.1, 1.0
    levels = scales.height(np.array([low, *scales.accuracy_ticks(low, high), high]))
    assert np.diff(levels).max() < 0.2 * np.ptp(levels)


def test_a_tick_is_not_rounded_to_another_accuracy():
    assert [scales.percent(tick) for tick in (0.9, 0.98825, 0.9999)] == ["90%", "98.825%", "99.99%"]


@given(NUMBERS, st.booleans())
def test_numbers_keep_their_order_from_0_to_1(numbers, logarithmic):
    ruler = Ruler(numbers, logarithmic)
    places = [ruler.place(number) for number in sorted(numbers)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == ((0, 1) if max(numbers) > min(numbers) and places[-1] != 0.5 else (0.5, 0.5))


@given(NUMBERS, st.booleans(), st.integers(2, 8))
def test_ticks_of_numbers_are_on_the_axis_and_say_where(numbers, logarithmic, most):
    ruler = Ruler(numbers, logarithmic)
    ticks = ruler.ticks(most)
    assert 1 <= len(ticks) <= most + 1
    for place, text in ticks.items():
        assert 0 <= place <= 1
        number = float(text.replace(",", ""))
        nearest = min(numbers, key=lambda one: abs(ruler.place(one) - place))
        assert number == pytest.approx(nearest, rel=0.01) or min(numbers) * 0.99 <= number <= max(numbers) * 1.01


def test_logarithms_put_equal_ratios_at_equal_distances():
    ruler = Ruler([0.001, 0.01, 0.1], logarithmic=True)
    assert ruler.place(0.01) == pytest.approx(0.5)
    assert list(ruler.ticks().values()) == ["0.001", "0.01", "0.1"]
    assert Ruler([0.001, 0.01, 0.1], logarithmic=False).place(0.01) == pytest.approx(1 / 11)
    assert Ruler([0, 0.01, 0.1], logarithmic=True).place(0.01) == pytest.approx(0.1)  # 0 has no logarithm


def test_choices_are_at_equal_steps_under_their_names():
    ruler = Ruler(["sgd", "adamw", "$lion$"], logarithmic=True)
    assert ruler.ticks() == {0: r"\$lion\$", 0.5: "adamw", 1: "sgd"}
    assert Ruler([True, False], logarithmic=False).ticks() == {0: "False", 1: "True"}
    assert Ruler([3, "none"], logarithmic=True).choices


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (2e-4, 0.2, ["0.001", "0.01", "0.1"]),
        (0.001, 0.1, ["0.001", "0.003", "0.01", "0.03", "0.1"]),
        (0.011, 0.019, ["0.012", "0.014", "0.016", "0.018"]),
    ],
)
def test_many_numbers_have_round_ticks(low, high, texts):
    ruler = Ruler(np.geomspace(low, high, 50).tolist(), logarithmic=True)
    assert list(ruler.ticks().values()) == texts


def test_whole_numbers_have_whole_ticks():
    assert list(Ruler(range(1, 41), logarithmic=False).ticks().values()) == ["10", "20", "30", "40"]
    assert list(Ruler([16, 24, 32], logarithmic=False).ticks().values()) == ["16", "24", "32"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(64, "64"), (12_800, "12,800"), (0.01234, "0.0123"), (0.000123, "1.23e-4"), (2e-12, "2e-12"), (1234.5, "1,234")],
)
def test_values_in_short(value, text):
    assert scales.text(value) == text
    assert scales.text("a very long name of a choice") == "a very long n…"
