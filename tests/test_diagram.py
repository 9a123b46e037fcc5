"""Diagrams of networks: the shapes and layers that are written, the maps, units and lines that are drawn."""

from matplotlib.collections import LineCollection
from matplotlib.patches import Circle, Rectangle

from tenfold import architectures
from tenfold.networks import Dense, Dropout, Flatten
from tenfold.report.figures import diagram, style


def _texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def _count(figure, kind):
    return sum(isinstance(patch, kind) for patch in figure.axes[0].patches)


def test_shapes_and_layers_are_those_of_the_network():
    figure = diagram.draw(architectures.quick(10, width=8), "quick")
    texts = _texts(figure)
    shapes = [text for text in texts if text[0].isdigit()]
    assert shapes == ["1×28×28", "8×8×8", "16×6×6", "16×3×3", "144", "52", "10"]
    layers = [text.split("\n") for text in texts if not text[0].isdigit()]
    assert layers == [
        ["conv 5×5", "stride 3", "norm", "ReLU"],
        ["conv 3×3"],
        ["max pool 2×2", "norm", "ReLU"],
        ["flatten"],
        ["dense", "norm", "ReLU"],
        ["dense"],
    ]
    assert figure.get_suptitle() == "quick"


def test_few_units_are_all_drawn_and_of_many_there_are_dots():
    figure = diagram.draw((Flatten(), Dropout(0.2), Dense(3)), "three classes")
    assert _count(figure, Rectangle) == 1
    assert _count(figure, Circle) == (diagram.UNITS - 1) + 3 + 3  # 784 units with three dots, and three classes
    (lines,) = (one for one in figure.axes[0].collections if isinstance(one, LineCollection))
    assert len(lines.get_segments()) == diagram.UNITS * 3
    assert "flatten\ndropout 0.2" in _texts(figure)


def test_every_network_of_the_catalogue_can_be_drawn():
    for name, function in architectures.NETWORKS.items():
        figure = diagram.draw(function(10), name)
        assert style.png(figure)
        assert _texts(figure)[-2:] == ["10", "dense"]
