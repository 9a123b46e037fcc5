import numpy as np
import pytest

from tenfold.report.figures import style, training


def _history(epochs, seed, validation=True):
    rng = np.random.default_rng(seed)
    lines = []
    for epoch in range(1, epochs + 1):
        line = {"epoch": float(epoch), "step": epoch * 10, "learning_rate": 0.01 / epoch}
        parts = ["train", "validation"] if validation else ["train"]
        for part in parts:
            line |= {f"{part}_loss": 1 / epoch + rng.random() / 10, f"{part}_accuracy": 1 - rng.random() / (5 * epoch)}
        lines.append(line)
    return lines


def _headline(figure):
    style.png(figure)
    return figure.get_suptitle()


def _lines(axis, colour):
    """The seeds' lines in this colour, as arrays of epochs and values."""
    return [line.get_xydata() for line in axis.lines if line.get_color() == colour]


def _column(one, key):
    return np.array([(line["epoch"], line[key]) for line in one])


def test_every_seed_is_drawn_and_their_band():
    histories = [_history(5, seed) for seed in range(3)]
    figure = training.history(histories, [True] * 3)
    loss, accuracy, rate = figure.axes
    for axis, key in ((loss, "loss"), (accuracy, "accuracy")):
        for part, colour, *_ in training.PARTS:
            drawn = _lines(axis, colour)
            for one, line in zip(histories, drawn, strict=True):
                np.testing.assert_array_equal(line, _column(one, f"{part}_{key}"))
        bands = [band.get_paths()[0].vertices for band in axis.collections]
        assert len(bands) == 2
        for band, (part, *_) in zip(bands, training.PARTS, strict=True):
            values = np.stack([_column(one, f"{part}_{key}")[:, 1] for one in histories])
            for epoch in range(5):
                there = band[band[:, 0] == epoch + 1, 1]
                assert {there.min(), there.max()} == {values[:, epoch].min(), values[:, epoch].max()}
    for one, line in zip(histories, rate.lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), _column(one, "learning_rate"))
    labels = [text.get_text() for text in loss.get_legend().get_texts()]
    assert labels == ["train, during the epoch", "validation, after it", "kept"]
    ends = [one[-1]["validation_accuracy"] for one in histories]
    assert _headline(figure) == (
        f"Validation accuracy {np.mean(ends):.2%} after 5 epochs (3 seeds: {min(ends):.2%} to {max(ends):.2%})"
    )


def test_the_kept_epoch_is_the_last_of_finished_runs():
    histories = [_history(4, 0), _history(2, 1), []]
    figure = training.history(histories, [True, False, False])
    for axis, key in zip(figure.axes[:2], ("validation_loss", "validation_accuracy"), strict=True):
        (kept,) = [line for line in axis.lines if line.get_label() == "kept"]
        np.testing.assert_array_equal(kept.get_xydata(), [[4, histories[0][-1][key]]])
    assert _headline(figure).endswith("\n2 of 3 runs not finished")
    assert "after 2 to 4 epochs" in _headline(figure)
    (band, *_) = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 0].max() == 2  # beyond, there is one seed


def test_without_validation_training_is_shown():
    histories = [_history(3, 0, validation=False)]
    figure = training.history(histories, [True])
    loss, accuracy, _ = figure.axes
    assert _lines(loss, training.PARTS[1][1]) == []
    (kept,) = [line for line in accuracy.lines if line.get_label() == "kept"]
    assert kept.get_ydata()[0] == histories[0][-1]["train_accuracy"]
    assert _headline(figure).startswith("Train accuracy")


def test_half_an_epoch_is_a_point_in_sight():
    one = [_history(1, 0)[0] | {"epoch": 0.85}]
    figure = training.history([one], [True])
    for axis, key in zip(figure.axes, ("train_loss", "train_accuracy", "learning_rate"), strict=True):
        (point,) = axis.lines[0].get_xydata()
        assert point.tolist() == [0.85, one[0][key]]
        low, high = axis.get_ylim()
        assert low < point[1] < high
        assert 0.85 < axis.get_xlim()[1] < 1
    assert "after 0.85 epoch" in _headline(figure)


@pytest.mark.parametrize(("histories", "title"), [([[]], "1 of 1 runs not finished"), ([], "No run")])
def test_nothing_yet_says_so(histories, title):
    figure = training.history(histories, [False] * len(histories))
    assert figure.axes[0].texts[0].get_text() == "no epoch has ended yet"
    assert _headline(figure) == title


def test_real_histories_plot(run):
    figure = training.history([run.history], [run.finished])
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_xydata(), _column(run.history, "validation_accuracy"))
    assert f"{run.history[-1]['validation_accuracy']:.2%} after 2 epochs" in _headline(figure)


def test_a_range_test_marks_where_the_loss_stops_falling():
    rates = np.geomspace(1e-4, 1, 5)
    falls, astray = np.array([2.3, 2.0, 0.5, 0.9, np.nan]), np.array([2.3, 0.4, 1.0, 9.0, np.inf])
    figure = training.range_test({"plain": (rates, astray), "normed": (rates, falls)})
    (axis,) = figure.axes
    marks = {line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--"}
    assert marks == {rates[1], rates[2]}
    assert figure.get_suptitle() == "The learning rate at which the loss stops falling: plain 0.001, normed 0.01"
    assert axis.get_xscale() == "log"
    assert axis.get_ylim()[1] < 9
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["plain", "normed"]
