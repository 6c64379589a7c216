"""A row per trial: samples side by side in columns, or in lists, are the study that a row per sample is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps.core.formats.file_table import FileTable
from steps.core.formats.wide import unfolded
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import FEATURES, long_frame, write_table

KEYS = ["subject", "label", "trial", "group"]
STEPS = 6


def study() -> pd.DataFrame:
    """Time counts samples, as it does where samples stand side by side."""
    frame = long_frame(timesteps=STEPS)
    frame["time"] = np.tile(np.arange(float(STEPS)), len(frame) // STEPS)
    return frame


def wide(frame: pd.DataFrame, pattern: str, first: int = 0) -> pd.DataFrame:
    """The same with a row per trial."""
    rows = []
    for key, trial in frame.groupby(KEYS, sort=False):
        cells = {
            pattern.format(feature, i + first): value for feature in FEATURES for i, value in enumerate(trial[feature])
        }
        rows.append({**dict(zip(KEYS, key, strict=True)), **cells})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("pattern", ["{}_{}", "{}[{}]", "{}.{}", "{}_t{}", "{} ({})"])
@pytest.mark.parametrize("dialect", [",", ";"])
def test_samples_in_columns(pattern: str, dialect: str, tmp_path: Path) -> None:
    frame = study()
    expected = load_source(write_table(frame, tmp_path / "long.csv"))
    path = tmp_path / "wide.csv"
    wide(frame, pattern).to_csv(path, index=False, sep=dialect, decimal="," if dialect == ";" else ".")
    dataset = load_source(str(path))
    renamed = dict(zip(dataset.features, FEATURES, strict=True))
    assert [name.removesuffix("_t") for name in renamed] == FEATURES
    np.testing.assert_array_equal(dataset.values, expected.values)
    assert list(dataset.time) == list(range(STEPS))
    assert list(dataset.subjects) == list(expected.subjects)
    assert "a row per trial" in dataset.notes[0]


def test_lists_in_cells(tmp_path: Path) -> None:
    frame = study()
    expected = load_source(write_table(frame, tmp_path / "long.parquet")).digest()
    nested = frame.groupby(KEYS, sort=False)[["time", *FEATURES]].agg(list).reset_index()
    nested.to_parquet(tmp_path / "nested.parquet", index=False)
    assert load_source(str(tmp_path / "nested.parquet")).digest() == expected
    nested.drop(columns="time").to_parquet(tmp_path / "no_time.parquet", index=False)
    assert load_source(str(tmp_path / "no_time.parquet")).digest() == expected


def test_shorter_trials_end_earlier(tmp_path: Path) -> None:
    frame = study()
    table = wide(frame, "{}_{}")
    table.loc[1, ["knee_4", "hip_4", "knee_5", "hip_5"]] = np.nan
    table.to_csv(tmp_path / "wide.csv", index=False)
    dataset = load_source(str(tmp_path / "wide.csv"))
    assert dataset.time_unit == "%"  # lengths differ
    assert any("1 trials end earlier" in note for note in dataset.notes)
    table.loc[1, "hip_4"] = 1.0
    table.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(UserError, match=r"wide\.csv, row 3 .*column 'knee' holds no number .* at time 4"):
        load_source(str(tmp_path / "wide.csv"))


@pytest.mark.parametrize(
    "columns",
    [
        {"emg1": [1.0, 2.0], "emg2": [1.0, 2.0]},  # too few to be samples
        {f"x_{i}": [1.0, 2.0] for i in (0, 1, 2, 3, 9)},  # with gaps
        {"time": [0.0, 1.0], **{f"x_{i}": [1.0, 2.0] for i in range(6)}},
        {"subject": ["a", "a"], "trial": ["1", "1"], **{f"x_{i}": [1.0, 2.0] for i in range(6)}},  # rows are samples
    ],
)
def test_other_tables_are_left_alone(columns: dict[str, list[object]]) -> None:
    assert unfolded(FileTable(pa.table(columns)), "t.csv") is None


def test_what_does_not_fit_together_is_said(tmp_path: Path) -> None:
    table = wide(study(), "{}_{}").drop(columns="hip_5")
    table.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(UserError, match=r"wide\.csv has a row per trial, but 6 samples of 'knee' and 5 of 'hip'"):
        load_source(str(tmp_path / "wide.csv"))
    uneven = pa.table({"subject": ["a", "b"], "x": [[1.0, 2.0], [1.0]], "y": [[1.0, 2.0], [1.0, 2.0]]})
    pq.write_table(uneven, tmp_path / "uneven.parquet")
    with pytest.raises(UserError, match=r"uneven\.parquet, row 2: column 'y' holds 2 samples, but 'x' 1;"):
        load_source(str(tmp_path / "uneven.parquet"))
