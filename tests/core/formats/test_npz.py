"""NPZ files: arrays as columns, no pickles, no bombs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError
from tests.core.formats.helpers import read, values, write_npz, write_study
from tests.core.readers.helpers import long_frame, write_folder, write_table


def test_a_folder_and_a_table_are_the_study_that_csv_is(tmp_path: Path) -> None:
    frame = long_frame()
    plain = load_source(write_folder(frame, tmp_path / "csv")).digest()
    folder = load_source(write_study(frame, tmp_path / "npz", ".npz", write_npz))
    assert folder.digest() == plain
    assert folder.notes[0] == "Read 8 files as NPZ."
    write_npz(frame, tmp_path / "study.npz")
    table = load_source(str(tmp_path / "study.npz"))
    assert table.digest() == load_source(write_table(frame, tmp_path / "study.csv")).digest()
    assert table.notes[0] == "Read as NPZ."


def test_what_is_read_is_what_the_fingerprint_is_of(tmp_path: Path) -> None:
    from steps.core.readers.files import Fingerprint

    study, fingerprint = write_study(long_frame(), tmp_path / "npz", ".npz", write_npz), Fingerprint()
    load_source(study, fingerprint=fingerprint)
    assert fingerprint.hexdigest() == source_fingerprint(study)


def test_blocks_take_the_names_that_fit_and_a_rate_makes_time(tmp_path: Path) -> None:
    block = np.arange(12.0).reshape(6, 2)
    np.savez(tmp_path / "a.npz", angles=block.T, columns=np.array(["knee", "hip"]), fs=100, by="me")
    table = read(tmp_path / "a.npz")
    assert table.table.column_names == ["time", "knee", "hip"]
    np.testing.assert_array_equal(values(table, "knee", "hip"), block)
    np.testing.assert_array_equal(values(table, "time")[:, 0], np.arange(6) / 100)
    assert table.notes == (
        "Turned, because time points stood in columns: 'angles'.",
        "Time comes from 'fs': 100 per second.",
        "Not taken, single values: 'by'.",
    )


def test_a_block_without_names_numbers_its_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", emg=np.ones((9, 2)))
    table = read(tmp_path / "a.npz")
    assert table.table.column_names == ["emg_1", "emg_2"]
    assert table.notes == ("Columns without names are numbered, as 'emg_1': 'emg'.",)


def test_arrays_of_named_fields_are_columns(tmp_path: Path) -> None:
    rows = np.array([(1, 2.5), (2, 3.5)], dtype=[("knee", "i4"), ("hip", ">f8")])
    np.savez(tmp_path / "a.npz", rows=rows)
    table = read(tmp_path / "a.npz")
    assert table.table.column_names == ["knee", "hip"]
    np.testing.assert_array_equal(values(table, "knee", "hip"), [[1, 2.5], [2, 3.5]])


def test_lengths_that_differ_are_refused_unless_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, knee=np.arange(5.0), hip=np.arange(5.0), emg=np.arange(50.0))
    message = r"a\.npz has arrays of several lengths: 'knee' \(5\), 'hip' \(5\), 'emg' \(50\); .* leave the others out"
    with pytest.raises(UserError, match=message):
        read(path)
    assert read(path, ("emg",)).table.column_names == ["knee", "hip"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.array([{}, 1], dtype=object)}, r"'a' holds Python objects \(a pickle\), which are never opened"),
        ({"a": np.ones((3, 4, 5))}, r"'a' is of 3 x 4 x 5 numbers, expected columns"),
        ({"a": np.ones(3, dtype=complex)}, "'a' holds values of type complex128, expected numbers or text"),
        ({"a": np.array(["x", "y"])}, r"holds no column of numbers: 'a' \(2\)"),
        ({}, "holds no column of numbers"),
    ],
)
def test_what_is_no_column_is_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "a.npz")


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.save(member, np.zeros(10))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member.getvalue().replace(b"(10,), }    ", b"(10**9,), } "))
        archive.writestr("b.npy", member.getvalue())
    with pytest.raises(UserError, match="'a' has no readable header"):
        read(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member.getvalue().replace(b"(10,), }          ", b"(10000000000,), } "))
    with pytest.raises(UserError, match=r"'a' says it has shape \(10000000000,\) of float64, but holds 80 bytes"):
        read(tmp_path / "a.npz")


def test_a_member_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"x" * 1000)
    raw = (tmp_path / "a.npz").read_bytes()
    huge = (1 << 31).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(raw.replace((1000).to_bytes(4, "little"), huge))
    with pytest.raises(UserError, match=r"a\.npz"):
        read(tmp_path / "a.npz")
