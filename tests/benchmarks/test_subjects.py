"""What folds cost: a row for a study, each column what its name says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.slow  # TensorFlow on one thread: a process of its own
def test_a_row_sums_up_its_folds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.subjects", "--quick", "--output", str(tmp_path / "table")]
    subprocess.run(command, cwd=ROOT, check=True)
    (series,) = json.loads((tmp_path / "table.json").read_text())["series"]
    cells = dict(zip(series["header"], series["rows"][0], strict=True))
    assert cells["subjects"] == 25
    of_a_fold = sum(cells[f"{step}: a fold, s"] for step in ("train", "evaluate", "attribute"))
    once = sum(cells[name] for name in ("planning, s", "intervals, permutations, s", "training again, s"))
    assert cells["all folds, hours"] * 3600 == pytest.approx(25 * of_a_fold + once)
    assert cells["train: peak memory, MB"] == ""
