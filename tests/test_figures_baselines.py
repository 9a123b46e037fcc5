import numpy as np
import pytest
from matplotlib.text import Text

from tenfold import baselines
from tenfold.data import catalog
from tenfold.data.split import split
from tenfold.report.figures import baselines as figures
from tenfold.report.figures import style

DIGITS = catalog.MNIST.classes
NETWORK = {"name": "life-1-quick-seed0", "accuracy": 0.99, "interval": [0.98, 0.995], "train_seconds": 1.5}


@pytest.fixture(scope="module")
def fitted():
    names = ["majority", "nearest-centroid", "nearest-neighbours", "logistic-regression"]
    return {model.name: model for model in baselines.compare(split(catalog.MNIST, 1_000, train_size=2_000), names)}


def _headline(figure):
    style.png(figure)
    return figure.get_suptitle()


def test_each_model_is_a_labelled_point_with_its_interval(fitted):
    entries = [*(model.score for model in fitted.values()), NETWORK]
    figure = figures.accuracy_against_seconds(entries)
    (axis,) = figure.axes
    assert axis.get_xscale() == "log"
    places = {text.get_text(): text.xy for text in axis.texts}
    titles = [*(baselines.BASELINES[name].title for name in fitted), NETWORK["name"]]
    assert list(places) == titles
    bars = {}
    for container in axis.containers:
        points, _, (ranges,) = container.lines
        for x, y, (low, high) in zip(*points.get_data(), ranges.get_segments(), strict=True):
            bars[x, y] = low[1], high[1]
    assert len(bars) == len(entries)
    for entry, title in zip(entries, titles, strict=True):
        x, y = places[title]
        assert x == max(entry["train_seconds"], figures.SOONEST)
        assert y == entry["accuracy"]
        assert bars[x, y] == pytest.approx(entry["interval"])
        assert axis.get_ylim()[0] < entry["interval"][0] < entry["interval"][1] < axis.get_ylim()[1]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["classical model, 95% interval", "network, 95% interval"]
    assert len(axis.containers[1].lines[0].get_xdata()) == 1
    assert _headline(figure).startswith("Best is life-1-quick-seed0: 99.00% (98.00% to 99.50%), fitted in 1.5 s")


def test_the_fastest_of_those_about_as_good_is_named():
    slow = {"name": "mlp", "accuracy": 0.972, "interval": [0.967, 0.976], "train_seconds": 3.1}
    fast = {"name": "nearest-neighbours", "accuracy": 0.971, "interval": [0.966, 0.975], "train_seconds": 0.0}
    bad = {"name": "ridge", "accuracy": 0.85, "interval": [0.84, 0.86], "train_seconds": 0.0}
    text = _headline(figures.accuracy_against_seconds([slow, fast, bad]))
    assert "Best is multilayer perceptron, 128" in text
    assert "3 nearest neighbours is fastest: 97.10%" in text


def test_labels_do_not_lie_on_each_other():
    """Eight models that take the same time and are about as good."""
    entries = [
        {"name": name, "accuracy": 0.97 - at / 5_000, "interval": [0.96, 0.975], "train_seconds": 9 + at / 10}
        for at, name in enumerate(baselines.BASELINES)
    ]
    figure = figures.accuracy_against_seconds(entries)
    style.png(figure)
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]  # without the line to its point
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])


def test_what_was_learnt_is_drawn_class_by_class(fitted):
    logistic, centroids = fitted["logistic-regression"].model.coef_, fitted["nearest-centroid"].model.centroids_
    figure = figures.learnt(logistic, centroids, DIGITS)
    for values, axes in ((centroids, figure.axes[:10]), (logistic, figure.axes[10:20])):
        for row, axis in zip(values, axes, strict=True):
            np.testing.assert_array_equal(axis.images[0].get_array(), row.reshape(28, 28))
    assert [axis.get_xlabel() for axis in figure.axes[10:20]] == list(DIGITS)
    assert [figure.axes[at].get_ylabel() for at in (0, 10)] == ["nearest\ncentroid", "logistic\nregression"]
    low, high = figure.axes[10].images[0].get_clim()
    assert low == -high == -np.abs(logistic).max()  # white is no weight
    alike = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(logistic, centroids, strict=True)])
    assert f"{alike:.2f}" in _headline(figure)
    assert "correlation 1.00" in _headline(figures.learnt(centroids, centroids, DIGITS))
