import numpy as np

from tenfold import architectures, networks
from tenfold.report.figures import network, style


def _rows(axis):
    """The texts of a drawn table, by row and from left to right."""
    rows = {}
    for text in sorted(axis.texts, key=lambda text: text.get_position()[0]):
        rows.setdefault(int(text.get_position()[1]), []).append(text.get_text())
    return rows


def test_the_table_has_every_layer_with_its_shape_and_cost():
    layers = networks.summarise(architectures.keras_example(10))
    figure = network.layer_table(layers)
    (axis,) = figure.axes
    rows = _rows(axis)
    assert rows[-1] == ["layer", "what it is", "makes", "parameters", "multiply-adds"]
    assert rows[0] == ["conv1", "Conv channels 32, kernel 3", "32×26×26", "320", "194,688"]
    assert rows[2] == ["maxpool1", "MaxPool", "32×13×13", "", ""]
    assert rows[8] == ["dense1", "Dense units 10", "10", "16,010", "16,000"]
    assert rows[9] == ["all", "34,826", f"{networks.multiply_adds(architectures.keras_example(10)):,}"]
    assert [rows[at][0] for at in range(9)] == [layer.name for layer in layers]
    assert figure.get_suptitle() == "conv2 has 91% of the multiply-adds, conv2 has 53% of the parameters"
    bars = np.array([bar.get_width() for bar in axis.patches]).reshape(2, 9)
    counts = [[layer.parameter_count for layer in layers], [layer.multiply_adds for layer in layers]]
    np.testing.assert_allclose(bars / bars.sum(1, keepdims=True), np.array(counts) / np.sum(counts, 1, keepdims=True))


def test_settings_that_are_not_the_default_are_told():
    layers = networks.summarise((networks.Conv(4, 5, stride=2, padding=1), networks.Flatten(), networks.Dense(3)))
    assert _rows(network.layer_table(layers).axes[0])[0][1] == "Conv channels 4, kernel 5, stride 2, padding 1"


def test_filters_lie_in_order_on_a_scale_around_zero():
    weights = np.random.default_rng(0).normal(size=(20, 1, 5, 5)).astype(np.float32)
    weights[3] *= 0.01
    figure = network.filters(weights)
    (sheet,) = figure.axes[0].images
    drawn = sheet.get_array()
    np.testing.assert_array_equal(drawn[:5, :5], weights[0, 0])
    np.testing.assert_array_equal(drawn[6:11, 18:23], weights[19, 0])  # 16 a row, a pixel between
    largest = float(np.abs(weights).max())
    assert sheet.get_clim() == (-largest, largest)
    assert figure.axes[1].get_ylabel() == "weight"
    assert figure.get_suptitle().startswith("20 filters of 5×5 look at the picture: 1 with less than a quarter")


def test_feature_maps_have_a_row_a_layer():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (28, 28), np.uint8)
    maps = {"conv1": rng.normal(size=(20, 12, 12)), "relu1": np.maximum(rng.normal(size=(4, 6, 6)), 0)}
    figure = network.feature_maps(image, maps)
    picture, conv, relu = figure.axes
    assert [axis.texts[0].get_text() for axis in figure.axes] == [
        "picture\n1×28×28",
        "conv1\n16 of 20×12×12",
        "relu1\n4×6×6",
    ]
    np.testing.assert_array_equal(picture.images[0].get_array()[:28, :28], image)
    np.testing.assert_array_equal(conv.images[0].get_array()[:, 15 * 13 : 15 * 13 + 12], maps["conv1"][15])
    np.testing.assert_array_equal(relu.images[0].get_array()[:, 7:13], maps["relu1"][1])
    share = np.mean(maps["relu1"] == 0)
    assert figure.get_suptitle() == f"From 28×28 pixels to 4 maps of 6×6; {share:.0%} of relu1 is 0"
    style.svg(figure)
