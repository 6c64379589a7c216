"""What a step shows on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment


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
