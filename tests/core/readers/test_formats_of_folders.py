"""A folder holds trials of one kind: CSV where there is any, else the only other kind that is read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.formats import table
from steps.core.formats.file_table import Event, FileTable, RawFile
from steps.core.formats.npz import read_npz
from steps.core.formats.table import Format
from steps.core.readers.choice import Choice
from steps.core.readers.load import load_source
from steps.core.readers.new_recordings import read_source
from steps.errors import UserError
from tests.core.formats.c3d_writer import c3d_bytes
from tests.core.formats.helpers import read, write_npz, write_study
from tests.core.readers.helpers import long_frame, trial_file, write_folder


def _units(file: RawFile) -> FileTable:
    """An NPZ file in which the units and events stand, too."""
    whole = read_npz(file)
    unit = "rad" if file.name.endswith("S2/fear/t1.unit") and b"odd" in file.raw else "deg"
    return FileTable(
        whole.table,
        {"knee": unit, "time": "s"},
        "NPZ with units",
        notes=("Said.",),
        events=(Event(0.5, "Foot Strike"),),
    )


@pytest.fixture
def with_units(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict(table.FORMATS) | {".unit": Format("units", (".unit",), _units, companions=(".more",))}
    monkeypatch.setattr(table, "FORMATS", rows)


def _write(frame: pd.DataFrame, path: Path) -> None:
    write_npz(frame, path.with_suffix(".npz"))
    path.with_suffix(".npz").rename(path)


@pytest.mark.usefixtures("with_units")
def test_units_reach_the_dataset_and_the_digest(tmp_path: Path) -> None:
    frame = long_frame()
    study = write_study(frame, tmp_path / "units", ".unit", _write)
    dataset = load_source(study)
    assert dataset.units == {"knee": "deg"}
    plain = load_source(write_folder(frame, tmp_path / "csv"))
    assert plain.units == {}
    np.testing.assert_array_equal(plain.values, dataset.values)
    assert plain.digest() != dataset.digest()
    assert dataset.notes[:3] == (
        "Read 8 files as NPZ with units.",
        "Said.",
        "Events, which are not used: 'Foot Strike' (8), in 8 of 8 files.",
    )
    assert read_source(study).units == {"knee": "deg"}
    path = trial_file(study, "S2", trial="t1").with_suffix(".unit")
    path.write_bytes(path.read_bytes() + b"odd")
    with pytest.raises(UserError, match=r"S2/fear/t1\.unit: 'knee' is in 'rad', but in .*S1/fear/t0\.unit in 'deg'"):
        load_source(study)


@pytest.mark.usefixtures("with_units")
def test_files_that_belong_to_a_trial_are_no_files_that_are_not_read(tmp_path: Path) -> None:
    study = write_study(long_frame(), tmp_path / "units", ".unit", _write)
    trial_file(study).with_suffix(".more").write_text("x")
    assert not any(note.startswith("Not read") for note in load_source(study).notes)
    (trial_file(study).parent / "alone.more").write_text("x")
    assert "Not read: 1 file .more (participants/S1/fear/alone.more)." in load_source(study).notes


@pytest.mark.usefixtures("with_units")
def test_several_kinds_are_refused_but_beside_csv(tmp_path: Path) -> None:
    study = write_study(long_frame(), tmp_path / "npz", ".npz", write_npz)
    path = trial_file(study).with_suffix(".unit")
    path.write_bytes(b"x")
    with pytest.raises(UserError, match=r"holds 8 NPZ \(\.npz\) and 1 units \(\.unit\) files, expected trials of one"):
        load_source(study)
    path.rename(Path(study, "participants", "about.unit"))  # above the subjects it can be no trial
    assert "WARNING" not in load_source(study).notes[0]
    (path.parent.parent.parent / "S2" / "notes.txt").write_text("She was tired.")  # gives way to recordings
    (path.parent.parent.parent / "S2" / "raw.zip").write_bytes(b"PK")
    told = " ".join(load_source(study).notes)
    assert "WARNING: Not read: 1 file .txt (participants/S2/notes.txt); 1 file .unit" in told
    assert "1 file .zip (participants/S2/raw.zip)." in told
    csv = write_folder(long_frame(), tmp_path / "csv")
    trial_file(csv, trial="t9").with_suffix(".npz").write_bytes(b"x")
    assert load_source(csv).notes == ("WARNING: Not read: 1 file .npz (participants/S1/fear/t9.npz).",)


def test_a_subject_without_files_of_the_kind_is_missed(tmp_path: Path) -> None:
    study = write_study(long_frame(), tmp_path / "npz", ".npz", write_npz)
    for path in Path(study, "participants", "S3").rglob("*.npz"):
        path.rename(path.with_suffix(".jpg"))
    with pytest.raises(UserError, match=r"participants/S3/ holds no \.npz file, only 2 files \.jpg"):
        load_source(study)


def test_columns_that_differ_and_text_among_numbers_are_named(tmp_path: Path) -> None:
    study = write_study(long_frame(), tmp_path / "npz", ".npz", write_npz)
    path = trial_file(study, "S2", trial="t1").with_suffix(".npz")
    arrays = dict(np.load(path))
    np.savez(path, **arrays, ankle=arrays["knee"])
    with pytest.raises(UserError, match=r"S2/fear/t1\.npz has an additional feature 'ankle', which .*t0\.npz has not"):
        load_source(study)
    np.savez(path, **{**arrays, "hip": np.array(["1.5", "2", "", "n/a", "3"])})
    with pytest.raises(
        UserError, match=r"S2/fear/t1\.npz, row 4: column 'hip' holds 'n/a', expected a number; a column"
    ):
        load_source(study)
    np.savez(path, **{**arrays, "hip": np.array(["1.5", "2", "", "4", "3"])})
    with pytest.raises(UserError, match=r"S2/fear/t1\.npz, row 3: column 'hip' holds no number"):
        load_source(study)


def test_signals_that_nobody_wants_decide_no_rate(tmp_path: Path) -> None:
    def write(_rows: pd.DataFrame, path: Path) -> None:
        seed = zlib.crc32(path.as_posix().encode())
        points = np.random.default_rng(seed).normal(size=(6, 1, 3))
        samples = np.random.default_rng(seed).normal(size=(60, 1)).tolist()
        parameters = {"POINT:LABELS": ["ankle"], "ANALOG:LABELS": ["EMG"]}
        path.write_bytes(c3d_bytes(points, np.zeros((6, 1)), parameters, samples, per_frame=10))

    study = write_study(long_frame(), tmp_path / "study", ".c3d", write)
    assert load_source(study).timesteps == 6
    emg = load_source(study, choice=Choice.of(features="EMG"))
    assert (emg.features, emg.timesteps, emg.time[1]) == (("EMG",), 60, 0.001)
    assert emg.left_out == ("ankle_x", "ankle_y", "ankle_z")


def test_arrays_that_are_left_out_may_be_of_any_length(tmp_path: Path) -> None:
    def write(rows: pd.DataFrame, path: Path) -> None:
        np.savez(path, time=rows["time"], knee=rows["knee"], emg=np.ones(99), about=np.ones((2, 2, 2)))

    study = write_study(long_frame(), tmp_path / "npz", ".npz", write)
    dataset = load_source(study, choice=Choice.of(ignore="emg,abo*"))
    assert dataset.features == ("knee",)
    assert dataset.left_out == ("emg", "about")
    with pytest.raises(UserError, match="ignore names 'hip', which is no column"):
        load_source(study, choice=Choice.of(ignore="emg,about,hip"))


def test_numbers_are_names_without_a_point(tmp_path: Path) -> None:
    frame = long_frame({"1": "fear", "2": "fear", "03": "calm", "4": "calm"})
    frame["trial"] = frame["trial"].str.removeprefix("t").astype(float)
    frame["subject"] = frame["subject"].astype(int)
    write_npz(frame, tmp_path / "study.npz")
    dataset = load_source(str(tmp_path / "study.npz"))
    assert set(dataset.subjects) == {"1", "2", "3", "4"}
    assert set(dataset.trials) == {"0", "1"}


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Format("X", (".x",), read_npz, package="no_such_package", requirement="no-such-package>=1")
    monkeypatch.setattr(table, "FORMATS", {".x": kind})
    (tmp_path / "a.x").write_bytes(b"x")
    with pytest.raises(UserError, match=r"a\.x: X files need the package no_such_package, .* pip install 'no-such"):
        read(tmp_path / "a.x")


def test_a_packed_text_lends_its_trial_no_suffix(tmp_path: Path) -> None:
    study = write_folder(long_frame(), tmp_path / "study")
    plain = load_source(study)
    for path in sorted(Path(study).rglob("*.csv")):
        with zipfile.ZipFile(path.with_suffix(".csv.zip"), "w") as archive:
            archive.write(path, path.name)
        path.unlink()
    np.testing.assert_array_equal(load_source(study).trials, plain.trials)
