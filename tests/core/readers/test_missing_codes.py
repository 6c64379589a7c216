"""Codes for missing numbers are pointed out; numbers that only look like one are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from steps.core.readers.load import load_source
from tests.core.readers.helpers import long_frame, write_table


def _notes(code: float, tmp_path: Path, count: int = 4, scale: float = 1.0) -> tuple[str, ...]:
    frame = long_frame(timesteps=20)
    frame["knee"] *= scale
    frame.loc[np.arange(count) * 20 + 7, "knee"] = code
    return load_source(write_table(frame, tmp_path / "study.csv")).notes


@pytest.mark.parametrize("code", [9999, -9999, -999, -9999.99, 999999, 1e30])
def test_a_code_for_missing_numbers_is_pointed_out(code: float, tmp_path: Path) -> None:
    (note,) = _notes(code, tmp_path)
    assert note.startswith(f"WARNING: 'knee' is {code:.10g} in 4 samples, and nowhere near that elsewhere: does it")


@pytest.mark.parametrize(("code", "count", "scale"), [(9998, 4, 1), (9999, 1, 1), (999, 4, 400), (99, 4, 1)])
def test_a_number_that_may_be_one_is_not(code: float, count: int, scale: float, tmp_path: Path) -> None:
    assert _notes(code, tmp_path, count, scale) == ()
