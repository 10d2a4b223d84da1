import io
import time

import pytest

from classicface.cli import progress
from classicface.cli.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with ProgressBar() as bar:
        bar(0.5, "working")
    assert "working" not in terminal.getvalue()


def test_long_work_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "DELAY", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressBar() as bar:
        for i in range(1, 4):
            bar(i / 10, "working")
            time.sleep(0.1)
    assert "working" in terminal.getvalue()
    assert "30%" in terminal.getvalue()


def test_elsewhere_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.0)
    with ProgressBar() as bar:
        bar(0.25, "working")
    assert capsys.readouterr().err == "working: 25 %\n"


def test_time_left_is_what_it_looks_like(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ProgressBar() as bar:
        assert bar.left() == ""
        now = 130.0
        bar(0.25, "working")
        assert bar.left() == ", 1:30 left"
        now = 150.0  # no news since: the clock runs down
        assert bar.left() == ", 1:10 left"
        now = 1000.0
        assert bar.left() == ", 0:00 left"
