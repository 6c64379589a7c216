"""Turns, commands and memory, with real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from benchmarks.measure import MemorySampler, by_turns, run


def test_sides_take_turns() -> None:
    calls: list[str] = []

    def side(name: str) -> Callable[[int], int]:
        def call(turn: int) -> int:
            calls.append(f"{name}{turn}")
            return turn

        return call

    assert by_turns({"A": side("A"), "B": side("B")}, 2) == {"A": [0, 1], "B": [0, 1]}
    assert calls == ["A0", "B0", "A1", "B1"]


def test_command_has_a_store_of_its_own_and_is_timed(tmp_path: Path) -> None:
    code = "import os, time; time.sleep(0.3); print(os.environ['MLFLOW_TRACKING_URI'], os.getcwd())"
    done = run([sys.executable, "-c", code], tmp_path)
    assert done.output.split() == [f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path)]
    assert 0.3 < done.wall_s < 30
    assert done.peak_bytes is None


def test_command_that_fails_says_so_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"(?s)ended with status 3.*last words"):
        run([sys.executable, "-c", "import sys; print('last words'); sys.exit(3)"], tmp_path)


def test_memory_of_a_child_process_counts(tmp_path: Path) -> None:
    mebibytes = 200
    child = f"x = bytearray({mebibytes} << 20); import time; time.sleep(1)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    peak = run([sys.executable, "-c", code], tmp_path, memory=True).peak_bytes
    assert peak is not None
    assert mebibytes << 20 < peak < (mebibytes + 100) << 20


def test_sampler_of_a_process_that_is_gone_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert MemorySampler(process.pid).stop() == 0
