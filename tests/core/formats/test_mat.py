"""MATLAB files of every version: variables and fields of structs, as pymatreader reads them; what is no column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import loadmat, savemat

from steps.core.formats.mat5 import variables
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.conftest import ROOT
from tests.core.formats.helpers import read, values, write_study
from tests.core.readers.helpers import long_frame, write_folder, write_table

REAL = ROOT.parent / "shared" / "data" / "formats" / "kineticstoolkit" / "sprintbasket.mat"
KNEE = np.round(np.random.default_rng(1).normal(size=50), 3)
BLOCK = np.round(np.random.default_rng(2).normal(size=(50, 3)), 3)
VARIABLES: dict[str, Any] = {
    "trial": {"knee": KNEE[:, None], "emg": BLOCK, "who": "Ann", "deep": {"hip": KNEE[None, :] + 1}},
    "label": np.array(["fear"] * 50, dtype=object),
    "fs": 100.0,
    "note": "x",
}


def write_mat(frame: pd.DataFrame, path: Path) -> None:
    """Every column as a variable; text as cells."""
    savemat(path, {str(name): _variable(frame[name]) for name in frame})


def _variable(column: pd.Series[Any]) -> Any:
    return column.to_numpy(dtype=object) if isinstance(column.iloc[0], str) else column.to_numpy()[:, None]


def write_mat_73(variables: Mapping[str, Any], path: Path) -> None:
    """A file as MATLAB writes version 7.3: 512 bytes before HDF5, arrays transposed, text as numbers of letters."""
    with h5py.File(path, "w", userblock_size=512, track_order=True) as root:
        references = root.create_group("#refs#")

        def put(group: Any, name: str, value: Any) -> None:
            if isinstance(value, Mapping):
                inner = group.create_group(name)
                inner.attrs["MATLAB_class"] = np.bytes_("struct")
                for field, one in value.items():
                    put(inner, field, one)
            elif isinstance(value, str):
                letters = np.frombuffer(value.encode("utf-16-le"), "<u2")[:, None]
                group[name] = letters if len(letters) else np.zeros(2, "u8")
                group[name].attrs["MATLAB_class"] = np.bytes_("char")
                if not value:
                    group[name].attrs["MATLAB_empty"] = 1
            elif isinstance(value, np.ndarray) and value.dtype == object:
                cells = np.empty((1, len(value)), dtype=h5py.ref_dtype)
                for i, one in enumerate(value):
                    put(references, f"{name}{i}", one)
                    cells[0, i] = references[f"{name}{i}"].ref
                group.create_dataset(name, data=cells, dtype=h5py.ref_dtype)
                group[name].attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                group[name] = np.atleast_2d(value).T
                group[name].attrs["MATLAB_class"] = np.bytes_("double")

        for name, value in variables.items():
            put(root, name, value)
    raw = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM" + raw[128:])


def _write(version: str, variables: dict[str, Any], path: Path) -> Path:
    if version == "7.3":
        write_mat_73(variables, path)
    else:
        savemat(path, variables, do_compression=version == "7", oned_as="column")
    return path


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_a_folder_and_a_table_are_the_study_that_csv_is(version: str, tmp_path: Path) -> None:
    def write(frame: pd.DataFrame, path: Path) -> None:
        if version == "5":
            write_mat(frame, path)
        else:
            write_mat_73({str(name): _variable(frame[name]) for name in frame}, path)

    frame = long_frame()
    folder = load_source(write_study(frame, tmp_path / "mat", ".mat", write))
    assert folder.digest() == load_source(write_folder(frame, tmp_path / "csv")).digest()
    write(frame, tmp_path / "study.mat")
    table = load_source(str(tmp_path / "study.mat"))
    assert table.digest() == load_source(write_table(frame, tmp_path / "study.csv")).digest()


@pytest.mark.parametrize("version", ["5", "7", "7.3"])
def test_fields_of_structs_are_columns_by_their_path(version: str, tmp_path: Path) -> None:
    table = read(_write(version, VARIABLES, tmp_path / "a.mat"))
    columns = {"time", "trial.knee", "trial.emg_1", "trial.emg_2", "trial.emg_3", "trial.deep.hip", "label"}
    assert set(table.table.column_names) == columns
    np.testing.assert_array_equal(values(table, "trial.emg_1", "trial.emg_2", "trial.emg_3"), BLOCK)
    np.testing.assert_array_equal(values(table, "trial.knee", "trial.deep.hip"), np.column_stack([KNEE, KNEE + 1]))
    np.testing.assert_array_equal(values(table, "time")[:, 0], np.arange(50) / 100)
    assert table.table["label"].to_pylist() == ["fear"] * 50
    assert table.read_as == "MATLAB"


@pytest.mark.parametrize("version", ["5", "7", "7.3"])
def test_pymatreader_reads_the_same(version: str, tmp_path: Path) -> None:
    path = _write(version, VARIABLES, tmp_path / "a.mat")
    reference = pytest.importorskip("pymatreader").read_mat(str(path))
    table = read(path)
    np.testing.assert_array_equal(values(table, "trial.knee")[:, 0], reference["trial"]["knee"])
    np.testing.assert_array_equal(values(table, "trial.emg_1", "trial.emg_2", "trial.emg_3"), reference["trial"]["emg"])
    assert table.table["label"].to_pylist() == list(reference["label"])


def test_scipy_reads_the_same_values_of_every_kind(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    kinds = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "?"]
    written: dict[str, Any] = {f"n{i}": rng.integers(0, 99, (3, 4)).astype(kind) for i, kind in enumerate(kinds)}
    written |= {"deep": rng.normal(size=(2, 3, 4)), "none": np.zeros((0, 3)), "one": 7.25, "rows": ["ab", "abc", ""]}
    written |= {"nested": {"a": {"b": rng.normal(size=(5, 2))}, "c": "text"}}
    for packed in (False, True):
        savemat(tmp_path / "a.mat", written, do_compression=packed)
        found, reference = variables((tmp_path / "a.mat").read_bytes()), loadmat(tmp_path / "a.mat")
        for name in written.keys() - {"rows", "nested"}:
            np.testing.assert_array_equal(found[name], reference[name], err_msg=name)
        assert found["rows"].tolist() == [row.rstrip() for row in reference["rows"]]
        nested = reference["nested"][0, 0]
        np.testing.assert_array_equal(found["nested"]["a"]["b"], nested["a"][0, 0]["b"])
        assert found["nested"]["c"].tolist() == nested["c"].tolist()


def test_a_real_file(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip("needs ../shared/data")
    table = read(REAL)
    reference = pytest.importorskip("pymatreader").read_mat(str(REAL))["contents"]
    assert table.table.shape == (3677, 1 + 4 * len(reference))
    for marker, series in reference.items():
        names = [f"contents.{marker}.Data_{i}" for i in (1, 2, 3, 4)]
        np.testing.assert_array_equal(values(table, *names).T, series["Data"])
        np.testing.assert_array_equal(values(table, "time")[:, 0], series["Time"])
    assert len(table.notes) == 4


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"emg": np.ones(500)}, r"several lengths: 'knee' \(50\), 'emg' \(500\).*leave the others out with ignore"),
        ({"emg": np.array(["a", 1.0], dtype=object)}, "'emg' is (an array of )?cells of which some hold no text"),
    ],
)
def test_what_is_ambiguous_is_refused_with_its_path(
    version: str, extra: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = _write(version, {"knee": KNEE[:, None], **extra}, tmp_path / "a.mat")
    with pytest.raises(UserError, match=message):
        read(path)
    assert read(path, ("emg",)).table.column_names == ["knee"]


def test_structs_in_a_row_and_sparse_matrices_are_refused(tmp_path: Path) -> None:
    trials = np.array([(KNEE,), (KNEE,)], dtype=[("knee", object)])
    with pytest.raises(UserError, match="'trial' is an array of 2 structs"):
        read(_write("5", {"trial": trials}, tmp_path / "a.mat"))
    with pytest.raises(UserError, match=r"'knee' is a sparse matrix \(save it with full\)"):
        read(_write("5", {"knee": sparse.csc_matrix(KNEE)}, tmp_path / "b.mat"))


def test_objects_of_classes_are_refused(tmp_path: Path) -> None:
    write_mat_73({"knee": KNEE}, tmp_path / "a.mat")
    with h5py.File(tmp_path / "a.mat", "a") as root:
        root["table"] = np.ones((1, 6), dtype=np.uint32)
        root["table"].attrs["MATLAB_class"] = np.bytes_("table")
        root["table"].attrs["MATLAB_object_decode"] = 3
    with pytest.raises(UserError, match=r"'table' is .* an object of the class table: .* table2struct with ToScalar"):
        read(tmp_path / "a.mat")


@pytest.mark.parametrize("version", ["5", "7", "7.3"])
def test_a_truncated_file_is_one_line(version: str, tmp_path: Path) -> None:
    path = _write(version, VARIABLES, tmp_path / "a.mat")
    raw = path.read_bytes()
    for length in (3, 130, 200, 600, len(raw) // 2):
        path.write_bytes(raw[:length])
        with pytest.raises(UserError, match=r"a\.mat"):
            read(path)


def test_time_in_a_struct_keeps_its_unit(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"trial": {"Time_ms": np.arange(50.0) * 10, "knee": KNEE}})
    table = read(tmp_path / "a.mat")
    assert table.units == {"time": "ms"}
