import sys

import pytest

from tenfold import progress


@pytest.mark.parametrize(("terminal", "kind"), [(True, progress.Bars), (False, progress.Lines)])
def test_bars_are_for_terminals(monkeypatch, terminal, kind):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert isinstance(progress.for_terminal(), kind)


@pytest.mark.parametrize("show", [progress.Lines(), progress.Bars()])
def test_all_is_told_on_standard_error(show, capsys):
    show = type(show)()  # made here, so that it writes where capsys reads
    with show.task("fitting", 10) as done:
        done(5)
        show.line("half [of] it")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "half [of] it" in captured.err


def test_lines_show_the_first_of_a_board_seldom_and_the_whole_of_the_last(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.Lines().board() as show:
        for now in (1.0, 9.0, 10.0, 15.0, 20.0, 25.0):
            show(f"{now:.0f} s\n  the best\n  the second")
    assert capsys.readouterr() == ("", "10 s\n20 s\n25 s\n  the best\n  the second\n")


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
