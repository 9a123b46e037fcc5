import numpy as np
import pytest

from tenfold.errors import UsageError
from tenfold.report.figures import style


def _figure():
    figure, axes = style.new(2)
    axes[0, 0].plot([0, 1], [0, 1], label="<b>")
    axes[0, 0].set_title("a < b & c")
    return figure


@pytest.fixture
def figure():
    return _figure()


def test_files_are_what_their_endings_say(figure, tmp_path):
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        style.save(figure, tmp_path / f"figure.{kind}")
        assert (tmp_path / f"figure.{kind}").read_bytes().startswith(begins)


def test_another_ending_is_refused_and_leaves_nothing(figure, tmp_path):
    with pytest.raises(UsageError, match="png, svg, pdf"):
        style.save(figure, tmp_path / "figure.jpeg")
    assert list(tmp_path.iterdir()) == []


def test_texts_in_svg_are_text_and_inert(figure):
    text = style.svg(figure)
    assert text.startswith("<svg")
    assert "a &lt; b &amp; c" in text


def test_the_same_figure_is_the_same_bytes():
    assert style.svg(_figure()) == style.svg(_figure())


def test_a_notebook_shows_a_figure_as_it_is_saved(figure):
    from IPython.core.formatters import DisplayFormatter

    shown, _ = DisplayFormatter().format(figure)
    assert shown["image/png"] == style.png(figure)


def test_nothing_global_changes(figure):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    style.png(figure)
    assert dict(mpl.rcParams) == before


def test_pictures_stand_in_rows():
    _, axes = style.new(2)
    pictures = np.arange(5)[:, None, None] * np.ones((5, 2, 3))
    style.grid_of_pictures(axes[0, 0], pictures, columns=3, gap=1)
    sheet = axes[0, 0].images[0].get_array()
    assert sheet.shape == (5, 11)
    assert sheet[0, 0] == 0
    assert sheet[0, 8] == 2
    assert sheet[3, 4] == 4
    assert np.ma.getmaskarray(np.ma.masked_invalid(sheet))[2].all()
