"""HDF5 files: datasets by their path, units, no other files, no circles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.formats.helpers import read, values, write_study
from tests.core.readers.helpers import long_frame, write_folder, write_table

KNEE = np.round(np.random.default_rng(1).normal(size=50), 3)


def write_hdf5(frame: pd.DataFrame, path: Path) -> None:
    """Every column as a dataset."""
    with h5py.File(path, "w", track_order=True) as root:
        for name in frame:
            root[str(name)] = frame[name].tolist()


def one_hdf5(path: Path) -> None:
    """Groups, a unit, a rate, a compressed block."""
    with h5py.File(path, "w") as root:
        root.attrs["fs"] = 100.0
        root["trial/knee"] = KNEE
        root["trial/knee"].attrs["units"] = "deg"
        root.create_dataset("trial/emg", data=np.ones((50, 2)) * KNEE[:, None], compression="gzip", chunks=(10, 2))
        root["subject"] = ["S1"] * 50


def test_a_folder_and_a_table_are_the_study_that_csv_is(tmp_path: Path) -> None:
    frame = long_frame()
    folder = load_source(write_study(frame, tmp_path / "h5", ".h5", write_hdf5))
    assert folder.digest() == load_source(write_folder(frame, tmp_path / "csv")).digest()
    write_hdf5(frame, tmp_path / "study.hdf5")
    table = load_source(str(tmp_path / "study.hdf5"))
    assert table.digest() == load_source(write_table(frame, tmp_path / "study.csv")).digest()


def test_groups_units_and_rates(tmp_path: Path) -> None:
    one_hdf5(tmp_path / "a.h5")
    table = read(tmp_path / "a.h5")
    assert table.table.column_names == ["time", "subject", "trial.emg_1", "trial.emg_2", "trial.knee"]
    np.testing.assert_array_equal(values(table, "trial.knee", "trial.emg_2"), np.column_stack([KNEE, KNEE]))
    np.testing.assert_array_equal(values(table, "time")[:, 0], np.arange(50) / 100)
    assert table.table["subject"].to_pylist() == ["S1"] * 50
    assert table.units == {"trial.knee": "deg"}


def test_times_of_groups_that_agree_are_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        for name in ("hip", "knee"):
            root[f"{name}/Time"] = np.arange(50) / 10
            root[f"{name}/Data"] = KNEE
    table = read(tmp_path / "a.h5")
    assert table.table.column_names == ["time", "hip.Data", "knee.Data"]
    assert table.notes == ("Time is 'hip.Time' and 1 more that are the same.",)
    with h5py.File(tmp_path / "a.h5", "a") as root:
        root["knee/Time"][3] = 7
    assert "time" not in read(tmp_path / "a.h5").table.column_names


def test_a_table_of_named_fields(tmp_path: Path) -> None:
    rows = np.array([("S1", 1.5, 2), ("S1", 2.5, 3)], dtype=[("subject", "S2"), ("knee", "f4"), ("hip", "i2")])
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["study/table"] = rows
    table = read(tmp_path / "a.h5").table
    assert table.to_pydict() == {"subject": ["S1", "S1"], "knee": [1.5, 2.5], "hip": [2.0, 3.0]}


def _soft(root: Any) -> None:
    root["link"] = h5py.SoftLink("/knee")


def _outside(root: Any) -> None:
    root["link"] = h5py.ExternalLink("/etc/passwd", "/")


def _virtual(root: Any) -> None:
    layout = h5py.VirtualLayout((50,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "knee", (50,))
    root.create_virtual_dataset("seen", layout)


def _external(root: Any) -> None:
    root.create_dataset("raw", (50,), "u1", external=[("/etc/passwd", 0, 50)])


def _circle(root: Any) -> None:
    root.create_group("a")["back"] = root["/"]


def _huge(root: Any) -> None:
    root.create_dataset("huge", (10**7, 50), "f8", chunks=(1000, 50))


def _ragged(root: Any) -> None:
    root.create_dataset("lists", (50,), h5py.vlen_dtype(np.float64))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_soft, "'link' is a link to another place, which is not followed"),
        (_outside, "'link' is a link to another place, which is not followed"),
        (_virtual, "'seen' lies in other files, which are not opened"),
        (_external, "'raw' lies in other files, which are not opened"),
        (_circle, "'a.back' is a group that lies in itself"),
        (_huge, "'huge' says that it has shape"),
        (_ragged, "'lists' holds references or lists of different lengths"),
        (lambda root: root.create_dataset("odd", data=np.ones(7)), "several lengths"),
    ],
)
def test_what_is_not_in_the_file_is_not_looked_for(
    spoil: Callable[[Any], object], message: str, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["knee"] = KNEE
        spoil(root)
    with pytest.raises(UserError, match=rf"a\.h5.*{message}"):
        read(tmp_path / "a.h5")
    names = ("link", "seen", "raw", "a", "huge", "lists", "odd")
    assert read(tmp_path / "a.h5", names).table.column_names == ["knee"]


def test_a_heap_of_text_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    """The library would go round in it for ever: found by damaged files."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        root["subject"], root["knee"] = ["S1"] * 50, KNEE
    raw = path.read_bytes()
    heap = raw.index(b"GCOL") + 16
    path.write_bytes(raw[:heap] + bytes(16) + raw[heap + 16 :])
    with pytest.raises(UserError, match=r"a\.h5 is not a readable HDF5 file: what it says of itself cannot be"):
        read(path)


@pytest.mark.parametrize("length", [0, 7, 100, 1000, 3000])
def test_a_truncated_file_is_one_line(length: int, tmp_path: Path) -> None:
    one_hdf5(tmp_path / "a.h5")
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:length])
    with pytest.raises(UserError, match=r"a\.h5 is (empty|not a readable HDF5 file)"):
        read(tmp_path / "a.h5")


def test_fill_values_are_missing_and_packed_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        root["knee"] = np.array([1, -9999, 3], dtype=np.int16)
        root["knee"].attrs["_FillValue"] = np.int16(-9999)
        root["hip"] = [0.5, 1.5, -9999.0]  # says nothing
    table = read(path).table
    np.testing.assert_array_equal(table["knee"].to_numpy(), [1, np.nan, 3])
    np.testing.assert_array_equal(table["hip"].to_numpy(), [0.5, 1.5, -9999])
    with h5py.File(path, "a") as root:
        root["knee"].attrs["scale_factor"] = 0.1
    with pytest.raises(
        UserError, match=r"'knee' has the attribute scale_factor, so its numbers are not the values: .* or leave it out"
    ):
        read(path)
    assert read(path, ("knee",)).table.column_names == ["hip"]
