import pytest

from tenfold import progress


def test_bars_are_for_terminals(capsys):
    assert isinstance(progress.for_terminal(), progress.Lines)


@pytest.mark.parametrize("show", [progress.Lines(), progress.Bars()])
def test_all_is_told_on_standard_error(show, capsys):
    show = type(show)()  # made here, so that it writes where capsys reads
    with show.task("fitting", 10) as done:
        done(5)
        show.line("half [of] it")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "half [of] it" in captured.err


def test_the_last_board_stays_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("TERM", "xterm")
    bars = progress.Bars()
    with bars.board() as show:
        show("1 trial [of] 3")
        bars.line("in between")
        show("2 trials [of] 3\n  the best")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "in between" in captured.err
    assert captured.err.replace("\x1b[?25h", "").endswith("2 trials [of] 3\n  the best\n")  # but for the cursor


def test_silence(capsys):
    with progress.SILENT.task("fitting", 10) as done, progress.SILENT.board() as show:
        done(5)
        show("nothing")
        progress.SILENT.line("nothing")
    assert capsys.readouterr() == ("", "")
