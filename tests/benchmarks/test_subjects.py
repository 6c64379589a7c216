"""What folds cost: a row for a study, each column what its name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.subjects import HEADER, measure


@pytest.mark.slow
def test_a_row_sums_up_its_folds(tmp_path: Path) -> None:
    cells = dict(zip(HEADER, measure(12, tmp_path / "study", memory=False), strict=True))
    assert cells["subjects"] == 12
    of_a_fold = sum(float(cells[f"{step}: a fold, s"]) for step in ("train", "evaluate", "attribute"))
    once = sum(float(cells[name]) for name in ("planning, s", "intervals, permutations, s", "training again, s"))
    assert float(cells["all folds, hours"]) * 3600 == pytest.approx(12 * of_a_fold + once)
    assert cells["train: peak memory, MB"] == ""
