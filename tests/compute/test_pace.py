"""How far work is: nothing for the first seconds, then few lines, or a bar."""

from __future__ import annotations

import io
import sys

import pytest

from steps.compute import pace as module
from steps.compute.pace import pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_short_work_is_not_worth_a_word(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pace("reading") as news:
        for done in range(101):
            clock.now = done * 0.04
            news(done, 100, "files")
    assert capsys.readouterr() == ("", "")


def test_long_work_has_few_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pace("reading") as news:
        for done in range(100_001):
            clock.now = done * 0.01
            news(done, 100_000, "files")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "reading: 500 of 100,000 files, 100 files/s, about 16 min 35 s left"
    assert 10 < len(lines) < 60
    assert all(line.startswith("reading: ") for line in lines)


def test_tables_go_by_megabytes(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pace("reading") as news:
        clock.now = 10.0
        news(500.4, 2000.2, "MB")
    assert capsys.readouterr().err == "reading: 500 of 2,000 MB, 50 MB/s, about 30 s left\n"


def test_a_terminal_has_a_bar_that_goes_away(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with pace("reading") as news:
        clock.now = 3.0
        news(300, 1000, "files")
        clock.now = 4.0
        news(400, 1000, "files")
    shown = terminal.getvalue()
    assert "reading" in shown
    assert "100 files/s" in shown
    assert "\x1b[2K" in shown
