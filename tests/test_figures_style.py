"""The style of all figures: files, colours, the scale of accuracies, names that people gave."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_rgb

from tenfold.errors import UsageError
from tenfold.report.figures import style

# Machado, Oliveira and Fernandes (2009), severity 1: how people without one kind of cone see linear RGB.
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


@pytest.fixture
def figure():
    figure, axes = style.new(2)
    axes[0, 0].plot([0, 1], [0, 1])
    axes[0, 0].set_title("a < b & c")
    return figure


def test_files_are_what_their_endings_say(figure, tmp_path):
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        style.save(figure, tmp_path / f"figure.{kind}")
        assert (tmp_path / f"figure.{kind}").read_bytes().startswith(begins)
    with pytest.raises(UsageError):
        style.save(figure, tmp_path / "figure.jpeg")
    assert not (tmp_path / "figure.jpeg").exists()
    assert "a &lt; b &amp; c" in style.svg(figure)


def test_a_notebook_shows_a_figure_as_it_is_saved(figure):
    shown, _ = DisplayFormatter().format(figure)
    assert shown["image/png"] == style.png(figure)


def test_the_same_figure_is_the_same_bytes_and_changes_nothing_global():
    before = dict(mpl.rcParams)
    once, again = style.new(2)[0], style.new(2)[0]
    assert style.svg(once) == style.svg(again)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("sight", [np.eye(3), PROTANOPIA, DEUTERANOPIA])
def test_colours_differ_for_colour_blind_readers_too(sight):
    rgb = np.array([to_rgb(colour) for colour in style.COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(sight).T, 0, 1) ** (1 / 2.4)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(seen), 1)]
    assert distances.min() > 0.15


def test_halving_the_errors_is_the_same_height_everywhere():
    steps = np.diff(style.height(np.array([0.8, 0.9, 0.95, 0.975])))
    np.testing.assert_allclose(steps, steps[0], rtol=0.005)
    accuracies = np.linspace(0, 1, 10_001)  # a model without errors is on the axis too
    np.testing.assert_allclose(style.accuracy_at(style.height(accuracies)), accuracies, atol=1e-9)


@given(st.floats(0, 0.9999), st.floats(0, 0.9999), st.integers(1, 16))
def test_ticks_of_accuracies_are_few_and_far_enough_apart(one, other, most):
    low, high = sorted([one, other])
    ticks = style.accuracy_ticks(low, high, most)
    assert len(ticks) <= most
    assert all(low <= tick <= high for tick in ticks)
    gaps = np.diff(style.height(np.array([low, *ticks, high])))[1:-1]
    assert np.all(gaps >= style.NEAREST * np.ptp(style.height(np.array([low, high]))) * (1 - 1e-9))


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.9905, 0.9912), (0.1, 0.99), (0.1, 1.0)])
def test_an_axis_of_accuracies_holds_both_ends_and_names_some_between(low, high):
    axis = style.new(2)[1][0, 0]
    style.accuracy_axis(axis, low, high)
    bottom, top = axis.get_ylim()
    assert bottom < low <= high < top
    labels = [axis.yaxis.get_major_formatter()(tick, 0) for tick in axis.get_yticks()]
    assert [float(label[:-1]) / 100 for label in labels] == pytest.approx(list(axis.get_yticks()), abs=1e-5)
    assert low == high or len(labels) > 2


def test_a_name_is_one_short_line_and_no_formula():
    assert style.shown("$\\frac{\n  a" + "b" * 50, 12) == "\\$\\frac{ abb…"


def test_a_headline_is_wrapped_to_the_figure(figure):
    style.headline(figure, "the best of all trials is this one, " * 9)
    figure.draw_without_rendering()
    (title,) = figure.texts
    assert title.get_window_extent().x1 < figure.bbox.x1
    assert figure.axes[0].get_window_extent().y1 < title.get_window_extent().y0
