import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from tenfold import statistics
from tenfold.report.figures import robustness as figures
from tenfold.robustness import PERTURBATIONS, perturbed

NAMES = list(PERTURBATIONS)


@pytest.fixture
def accuracies():
    """Two models; each perturbation of each has a curve of its own."""
    rng = np.random.default_rng(0)
    falls = rng.uniform(0.01, 0.16, (2, len(NAMES)))
    return {
        model: {name: 0.99 - fall[at] * np.arange(6) for at, name in enumerate(NAMES)}
        for model, fall in zip(("quick", "standard"), falls, strict=True)
    }


@pytest.fixture
def picture(mnist):
    return mnist.images[5]


def _panels(figure):
    """The axes by the perturbation that their titles name."""
    return {axis.get_title().partition(":")[0]: axis for axis in figure.axes if axis.get_title()}


def test_every_perturbation_has_every_models_curve(accuracies, picture):
    panels = _panels(figures.curves(accuracies, picture, 400))
    assert list(panels) == NAMES
    for name, axis in panels.items():
        assert [line.get_label() for line in axis.lines] == ["quick", "standard"]
        assert len({line.get_marker() for line in axis.lines}) == 2  # not by colour alone
        for line, model in zip(axis.lines, accuracies, strict=True):
            np.testing.assert_allclose(line.get_ydata(), 100 * accuracies[model][name])
            assert line.get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
        ends = sorted(curve[name][-1] for curve in accuracies.values())
        assert axis.get_title() == f"{name}: {ends[0]:.0%} to {ends[1]:.0%} right in the end"
        assert axis.get_ylabel() == "accuracy\non 400, %"


def test_bands_are_wilsons(accuracies, picture):
    axis = _panels(figures.curves(accuracies, picture, 400))["blur"]
    band = next(one for one in axis.collections if isinstance(one, PolyCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    low, _ = statistics.wilson_interval(round(accuracies["quick"]["blur"][-1] * 400), 400)
    _, high = statistics.wilson_interval(round(accuracies["quick"]["blur"][0] * 400), 400)
    assert (heights.min(), heights.max()) == pytest.approx((100 * low, 100 * high))


def test_the_picture_stands_under_the_strengths(accuracies, picture):
    figure = figures.curves(accuracies, picture, 400)
    strips = [axis for axis in figure.axes if axis.images]
    by_unit = dict(zip(NAMES, strips, strict=False))
    panels = _panels(figure)
    assert len(strips) == len(NAMES)
    for name, strip in by_unit.items():
        expected = perturbed(picture[None], name)[:, 0]
        assert len(strip.images) == 6
        for image, one in zip(strip.images, expected, strict=True):
            np.testing.assert_array_equal(image.get_array(), one)
        middles = [np.mean(image.get_extent()[:2]) for image in strip.images]
        assert middles == pytest.approx([0, 1, 2, 3, 4, 5])
        assert strip.get_xlim() == panels[name].get_xlim()
        ticks = [float(tick.get_text()) for tick in strip.get_xticklabels()]
        assert ticks == [0, *PERTURBATIONS[name].strengths]
        assert strip.get_xlabel() == PERTURBATIONS[name].unit


def test_each_strip_is_right_under_its_panel(accuracies, picture):
    figure = figures.curves(accuracies, picture, 400)
    figure.draw_without_rendering()
    panels = _panels(figure)
    for name, strip in zip(NAMES, [axis for axis in figure.axes if axis.images], strict=True):
        above, below = panels[name].get_position(), strip.get_position()
        assert (below.x0, below.x1) == pytest.approx((above.x0, above.x1), abs=0.005)
        assert 0 < above.y0 - below.y1 < 0.03


def test_the_title_names_what_hurts_most_and_least(accuracies, picture):
    best = accuracies["standard"]
    for name in NAMES:
        best[name] = np.linspace(0.99, 0.95, 6)
    best["noise"] = np.array([0.99, 0.9, 0.8, 0.25, 0.2, 0.1])
    best["shift"] = np.full(6, 0.99)
    title = figures.curves(accuracies, picture, 400).get_suptitle()
    assert title == "standard: noise hurts most, shift least\n(25% and 99% right at the third of five strengths)"


def test_one_model_has_no_range(accuracies, picture):
    figure = figures.curves({"a $name$": accuracies["quick"]}, picture, 400)
    blur = _panels(figure)["blur"]
    assert blur.get_title() == f"blur: {accuracies['quick']['blur'][-1]:.0%} right in the end"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [r"a \$name\$"]


ATTACKED = {
    "quick": {"FGSM": [0.99, 0.9, 0.8, 0.7], "PGD": [0.99, 0.85, 0.3, 0.01]},
    "standard": {"FGSM": [0.99, 0.95, 0.85, 0.8], "PGD": [0.99, 0.9, 0.45, 0.05]},
}


def test_adversarial_has_a_line_a_model_and_attack():
    figure = figures.adversarial((0, 8, 24, 32), ATTACKED, 300)
    (axis,) = figure.axes
    lines = {line.get_label(): line for line in axis.lines}
    assert list(lines) == ["quick, FGSM", "quick, PGD", "standard, FGSM", "standard, PGD"]
    for model, attacks in ATTACKED.items():
        for attack, values in attacks.items():
            line = lines[f"{model}, {attack}"]
            assert line.get_xdata().tolist() == [0, 8, 24, 32]
            np.testing.assert_allclose(line.get_ydata(), 100 * np.array(values))
        assert lines[f"{model}, FGSM"].get_linestyle() != lines[f"{model}, PGD"].get_linestyle()
    assert lines["quick, PGD"].get_marker() != lines["standard, PGD"].get_marker()
    assert figure.get_suptitle() == "24 of 255 values a pixel leave standard 45% right (PGD)"
    assert axis.get_ylabel() == "accuracy on 300 pictures, %"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines)


def test_adversarial_names_the_last_budget_where_half_stand_to_the_end():
    strong = {"quick": {"FGSM": [0.99, 0.95], "PGD": [0.99, 0.9]}}
    assert figures.adversarial((0, 4), strong, 300).get_suptitle() == (
        "4 of 255 values a pixel leave quick 90% right (PGD)"
    )
