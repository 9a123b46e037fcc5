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


def test_silence(capsys):
    with progress.SILENT.task("fitting", 10) as done:
        done(5)
        progress.SILENT.line("nothing")
    assert capsys.readouterr() == ("", "")
