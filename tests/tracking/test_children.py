"""What a child prints reaches the terminal, stays a terminal's output, and its end is kept."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment

SCRIPT = """
import subprocess, sys
from steps.tracking.children import tail_of_output
print("before")
with tail_of_output(3) as tail:
    print("from python")
    subprocess.run([sys.executable, "-c", (
        "import os, sys, time\\n"
        "for i in range(5): print('line', i)\\n"
        "print('terminal', os.isatty(1), os.isatty(2), flush=True)\\n"
        "time.sleep(0.5)\\n"  # the two streams are read by two threads
        "os.write(2, b'50%\\\\rto the error stream')\\n"
    )])
print("after", sorted(tail))
"""


def test_output_passes_through_and_the_tail_is_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == ["before", "from python", "line 0"]
    assert "terminal False False" in lines
    assert done.stderr.endswith("to the error stream")
    assert lines[-1].startswith("after ['")
    assert "to the error stream" in lines[-1]
    assert "50%" not in lines[-1]


def test_a_terminal_stays_a_terminal() -> None:
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=clean_environment(), stdout=writer, stderr=writer
    )
    os.close(writer)
    output = read_all(reader)
    assert process.wait(timeout=60) == 0
    assert "terminal True True" in output
    assert "line 4" in output
    assert "after [" in output


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_training_shows_a_progress_bar_on_a_terminal(tmp_path: Path, small_study_folder: Path) -> None:
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "steps.train", "--dataset_uri", str(small_study_folder), "--epochs", "2"]
    environment = clean_environment() | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "TERM": "xterm"}
    process = subprocess.Popen(
        [*command, "--subjects", "S01,S02"], cwd=tmp_path, env=environment, stdout=writer, stderr=writer
    )
    os.close(writer)
    output = read_all(reader)
    assert process.wait(timeout=120) == 0, output[-2000:]
    output = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)  # colours and cursor movements
    # The bar is drawn ten times a second, so of short folds only the last state is sure to be seen.
    assert re.search(r"fold 2/2  S0[12] \(test 1\)  epoch 2/2", output)
    assert "4/4 epochs" in output
    assert "left" in output


def read_all(reader: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(reader, 65536)
        except OSError:  # the last writer is gone
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(reader)
    return b"".join(chunks).decode()
