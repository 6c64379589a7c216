"""What float32 cannot hold is refused, what it can is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from steps.core.readers.choice import Choice
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, write_folder, write_table

Make = Callable[[pd.DataFrame], npt.ArrayLike]

LOST: dict[str, Make] = {
    "sine on 1e9": lambda f: 1e9 + np.sin(f.index),
    "noise on an offset": lambda f: 101_325 + 1e-3 * f["knee"],
    "counts above 2**24": lambda f: 1_234_567_890 + (50 * f["knee"]).round(),
    "too small for float32": lambda f: 1e-46 * f["knee"],
    "flat for some": lambda f: 1e9 + np.sin(f.index) * (f["subject"] != "S1"),
    "a code": lambda f: 1_000_000_000 + f["subject"].str[1:].astype(int),
}
HELD: dict[str, Make] = {
    "whole numbers": lambda f: (16_000_000 + f.index % 7).astype(float),
    "small noise that fits": lambda f: 101_325 + f["knee"],
    "tiny units": lambda f: 5e-6 + 2e-8 * f["knee"],
    "tesla": lambda f: 1e-13 * f["knee"],
    "large": lambda f: 1e30 * f["knee"],
    "steps": lambda f: np.where(f["time"] > 1, 1e8, 1e8 + 1e4),
    "constant": lambda f: np.full(len(f), 0.1),
    "dust on a constant": lambda f: 1e9 / 3 + 1e-8 * (f.index % 2),
    "saturated": lambda f: (1e6 * f["knee"]).clip(-1e6, 1e6),
    "flat in some trials": lambda f: np.where(f["subject"] == "S1", 0.1, f["knee"]),
    "large once": lambda f: f["knee"] + 1e9 * (f.index == 3),
}


def _study(make: Make) -> pd.DataFrame:
    frame = long_frame()
    return frame.assign(value=np.asarray(make(frame)))


@pytest.mark.parametrize("case", LOST)
def test_what_float32_cannot_hold_is_refused(case: str, tmp_path: Path) -> None:
    frame = _study(LOST[case])
    with pytest.raises(UserError, match=r"column 'value' does not fit into float32 .* \d+ remain .* ignore=value"):
        load_source(write_table(frame, tmp_path / "study.parquet"), choice=Choice.of(features="*,value"))
    assert load_source(write_table(frame, tmp_path / "study.parquet"), choice=Choice.of(ignore="value")).features == (
        "knee",
        "hip",
    )


@pytest.mark.parametrize("case", HELD)
def test_what_float32_holds_is_kept(case: str, tmp_path: Path) -> None:
    dataset = load_source(
        write_table(_study(HELD[case]), tmp_path / "study.parquet"), choice=Choice.of(features="*,value")
    )
    assert dataset.features == ("knee", "hip", "value")


def test_the_values_that_remain_are_counted(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    for path in tmp_path.rglob("*.csv"):
        trial = pd.read_csv(path)
        trial["knee"] = [1e9, 1e9 + 1, 1e9 + 2, 1e9 + 1, 1e9 + 3]
        trial.to_csv(path, index=False)
    with pytest.raises(
        UserError, match=r"t0\.csv: column 'knee' .* of its 4 different values 1 remain .* 1000000003\)"
    ):
        load_source(source)
