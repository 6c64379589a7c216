"""C3D files of any computer: the values that ezc3d reads, gaps where nothing was seen, events, damage."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from steps.core.formats.file_table import FileTable
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.conftest import ROOT
from tests.core.formats.c3d_writer import c3d_bytes
from tests.core.formats.helpers import read, values, write_study
from tests.core.readers.helpers import long_frame

REAL = ROOT.parent / "shared" / "data" / "formats" / "kineticstoolkit"
RNG = np.random.default_rng(5)
FRAMES = 40
POINTS = np.round(RNG.normal(size=(FRAMES, 3, 3)) * 50, 2)
SEEN = np.zeros((FRAMES, 3))
SAMPLES = RNG.integers(-99, 99, (FRAMES, 2))
PARAMETERS: dict[str, Any] = {
    "POINT:USED": 3,
    "POINT:LABELS": ["KNEE", "LKneeAngles", "HIP"],
    "POINT:UNITS": ["mm"],
    "POINT:ANGLES": ["LKneeAngles"],
    "POINT:ANGLE_UNITS": ["deg"],
    "POINT:RATE": 100.0,
    "ANALOG:USED": 2,
    "ANALOG:LABELS": ["EMG1", "Fz"],
    "ANALOG:UNITS": ["V", "N"],
    "ANALOG:SCALE": [0.5, 2.0],
    "ANALOG:OFFSET": np.array([10, 20]),
    "ANALOG:GEN_SCALE": 0.1,
    "EVENT:TIMES": [[0.0, 0.25], [1.0, 0.1]],
    "EVENT:LABELS": ["Foot Strike", "Foot Off"],
    "EVENT:CONTEXTS": ["Left", "Right"],
}


def _xyz(table: FileTable, *labels: str) -> npt.NDArray[np.float64]:
    return values(table, *(f"{label}_{axis}" for label in labels for axis in "xyz")).reshape(-1, len(labels), 3)


def write_c3d(path: Path, **options: Any) -> Path:
    """Three points, two analog channels, two events."""
    path.write_bytes(c3d_bytes(POINTS, SEEN, PARAMETERS, SAMPLES.tolist(), **options))
    return path


@pytest.mark.parametrize("name", ["walkingOptiTrack", "sample_propulsion", "racing_full"])
def test_real_files_hold_what_ezc3d_reads(name: str) -> None:
    path = REAL / f"{name}.c3d"
    if not path.exists():
        pytest.skip("needs ../shared/data")
    table = read(path)
    reference = pytest.importorskip("ezc3d").c3d(str(path))
    labels = reference["parameters"]["POINT"]["LABELS"]["value"]
    expected = reference["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_array_equal(_xyz(table, *labels), expected)
    assert np.isnan(expected).any()
    assert "Points that were not seen (residual below 0, or 0, 0, 0) are missing values." in table.notes
    assert set(table.units.values()) == set(reference["parameters"]["POINT"]["UNITS"]["value"])
    rate = reference["header"]["points"]["frame_rate"]
    np.testing.assert_allclose(values(table, "time")[:, 0], np.arange(len(expected)) / rate, rtol=1e-6)


def test_what_ezc3d_wrote_is_read(tmp_path: Path) -> None:
    written = pytest.importorskip("ezc3d").c3d()
    parameters = written["parameters"]
    parameters["POINT"]["RATE"]["value"], parameters["ANALOG"]["RATE"]["value"] = [100.0], [100.0]
    parameters["POINT"]["LABELS"]["value"] = ("KNEE", "HIP")
    parameters["ANALOG"]["LABELS"]["value"] = ("EMG1",)
    parameters["ANALOG"]["UNITS"]["value"] = ("V",)
    points = np.ones((4, 2, FRAMES))
    points[:3] = POINTS[:, :2].transpose(2, 1, 0).astype(np.float32)
    points[:3, 1, 7] = np.nan
    analog = RNG.normal(size=(1, 1, FRAMES)).astype(np.float32)
    written["data"]["points"], written["data"]["analogs"] = points, analog
    path = tmp_path / "a.c3d"
    written.write(str(path))
    table = read(path)
    np.testing.assert_array_equal(_xyz(table, "KNEE", "HIP"), points[:3].transpose(2, 1, 0))
    np.testing.assert_array_equal(values(table, "EMG1")[:, 0], analog[0, 0])
    assert table.units["EMG1"] == "V"


@pytest.mark.parametrize("scale", [-1.0, 0.25])
@pytest.mark.parametrize("machine", ["intel", "dec", "mips"])
def test_every_computer_and_both_ways_to_store_numbers(machine: str, scale: float, tmp_path: Path) -> None:
    stored = POINTS.astype(np.float32).astype(np.float64) if scale < 0 else np.round(POINTS)
    samples = RNG.integers(-99, 99, (FRAMES, 2))
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes(stored, SEEN, PARAMETERS, samples.tolist(), machine=machine, scale=scale))
    table = read(path)
    expected = stored * (1 if scale < 0 else scale)
    np.testing.assert_array_equal(_xyz(table, "KNEE", "LKneeAngles", "HIP"), expected)
    factors = np.array([0.5, 2.0]) * float(np.float32(0.1))
    np.testing.assert_array_equal(values(table, "EMG1", "Fz"), (samples - [10, 20]) * factors)
    assert {table.units[f"{name}_z"] for name in ("KNEE", "HIP")} == {"mm"}
    assert (table.units["LKneeAngles_x"], table.units["EMG1"], table.units["Fz"]) == ("deg", "V", "N")
    assert [event.name for event in table.events] == ["Left Foot Strike", "Right Foot Off"]
    assert [event.time for event in table.events] == pytest.approx([0.25, 60.1])
    if machine == "intel":
        reference = pytest.importorskip("ezc3d").c3d(str(path))["data"]
        np.testing.assert_array_equal(reference["points"][:3].transpose(2, 1, 0), expected)
        np.testing.assert_allclose(reference["analogs"][0].T, values(table, "EMG1", "Fz"), rtol=1e-6)


@pytest.mark.parametrize(("kind", "raw", "offset"), [("SIGNED", -7, -20), ("UNSIGNED", 40000, 50000)])
def test_analog_numbers_with_and_without_a_sign(kind: str, raw: int, offset: int, tmp_path: Path) -> None:
    as_stored = np.array([offset, offset]).astype(np.uint16).view(np.int16)
    parameters = PARAMETERS | {"ANALOG:OFFSET": as_stored, "ANALOG:FORMAT": kind, "ANALOG:GEN_SCALE": 1.0}
    samples = np.full((FRAMES, 2), raw).astype(np.uint16).view(np.int16)
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes(np.round(POINTS), SEEN, parameters, samples.tolist(), scale=0.1))
    np.testing.assert_array_equal(values(read(path), "Fz")[:, 0], np.full(FRAMES, (raw - offset) * 2.0))


def test_points_that_were_not_seen_are_missing_and_angles_of_zero_are_not(tmp_path: Path) -> None:
    points, residuals = POINTS.copy(), SEEN.copy()
    residuals[3, 0], points[4, 0], points[5, 1] = -1, 0, 0
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes(points, residuals, PARAMETERS, SAMPLES.tolist()))
    missing = np.isnan(_xyz(read(path), "KNEE", "LKneeAngles", "HIP")).any(axis=2)
    assert np.argwhere(missing).tolist() == [[3, 0], [4, 0]]


def test_a_slow_wave_in_faster_analog_signals_is_where_it_was(tmp_path: Path) -> None:
    per_frame, rate = 10, 100.0
    clock = np.arange(FRAMES * per_frame) / (rate * per_frame)
    wave = np.sin(2 * np.pi * 3 * clock)
    fast = np.sin(2 * np.pi * 260 * clock)
    parameters = PARAMETERS | {"ANALOG:SCALE": [1.0, 1.0], "ANALOG:OFFSET": np.array([0, 0]), "ANALOG:GEN_SCALE": 1.0}
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes(POINTS, SEEN, parameters, np.column_stack([wave, fast]).tolist(), per_frame=per_frame))
    table = read(path)
    assert any(note.startswith("Analog signals were brought from 1000 to 100 per second") for note in table.notes)
    slow, none = values(table, "EMG1", "Fz").T
    inside = slice(10, -10)
    np.testing.assert_allclose(slow[inside], wave[::per_frame][inside], atol=2e-3)
    assert np.abs(none[inside]).max() < 0.01
    alone = read(path, tuple(f"{label}_{axis}" for label in ("KNEE", "LKneeAngles", "HIP") for axis in "xyz"))
    assert alone.table.column_names == ["time", "EMG1", "Fz"]
    np.testing.assert_allclose(values(alone, "EMG1")[:, 0], wave, atol=1e-6)
    np.testing.assert_allclose(values(alone, "time")[:, 0], clock)


def test_names_lose_the_person_and_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.c3d"
    named = PARAMETERS | {"POINT:LABELS": ["Ann:KNEE", "Ann:LKneeAngles", "Ann:HIP"]}
    path.write_bytes(c3d_bytes(POINTS, SEEN, named, SAMPLES.tolist()))
    table = read(path)
    assert table.table.column_names[1:4] == ["KNEE_x", "KNEE_y", "KNEE_z"]
    assert table.units["LKneeAngles_x"] == "deg"
    path.write_bytes(c3d_bytes(POINTS, SEEN, PARAMETERS | {"POINT:LABELS": ["KNEE", "KNEE", ""]}, SAMPLES.tolist()))
    assert read(path).table.column_names[1:-2:3] == ["KNEE_x", "KNEE_2_x", "point_3_x"]


def test_points_that_nobody_named_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.c3d"
    path.write_bytes(
        c3d_bytes(POINTS, SEEN, PARAMETERS | {"POINT:LABELS": ["*110", "LKneeAngles", "*7"]}, SAMPLES.tolist())
    )
    table = read(path)
    assert table.table.column_names == ["time", "LKneeAngles_x", "LKneeAngles_y", "LKneeAngles_z", "EMG1", "Fz"]
    np.testing.assert_allclose(_xyz(table, "LKneeAngles")[:, 0], POINTS[:, 1], rtol=1e-6)
    assert table.units["LKneeAngles_z"] == "deg"
    assert "Points that nobody named (such as *110) are not taken." in table.notes


def test_more_frames_than_16_bits_count(tmp_path: Path) -> None:
    frames = 70_000
    points = np.ones((frames, 1, 3))
    parameters = {
        "POINT:USED": 1,
        "POINT:LABELS": ["KNEE"],
        "TRIAL:ACTUAL_START_FIELD": np.array([1, 0]),
        "TRIAL:ACTUAL_END_FIELD": np.array([frames - 65536, 1]),
    }
    path = tmp_path / "a.c3d"
    path.write_bytes(c3d_bytes(points, np.zeros((frames, 1)), parameters))
    assert read(path).table.num_rows == frames


def test_time_and_rows_count_from_the_first_frame_of_the_recording(tmp_path: Path) -> None:
    table = read(write_c3d(tmp_path / "a.c3d", first=201))
    assert table.table["time"][0].as_py() == pytest.approx(2.0)
    assert table.first_row == 201


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw[:-1024], "it says 40 frames, but holds [0-9]+; it was cut short"),
        (lambda raw: raw[:1000], "its first bytes are not those of a C3D file"),
        (lambda raw: b"x" * len(raw), "its first bytes are not those"),
        (lambda raw: b"\xff" + raw[1:], "no parameter section where it should be"),
        (lambda raw: raw[:2] + b"\x09\0" + raw[4:], "its header says 9 points, its parameters 3"),
        (
            lambda raw: raw[:516] + b"\x05\x01" + b"\xff" * 1000 + raw[1518:],
            "one of its parameters is of an unknown kind",
        ),
        (lambda raw: raw[:4] + b"\0\0" + raw[6:], "its header says 0 analog channels, its parameters 2"),
    ],
)
def test_damage_is_one_line(spoil: Any, message: str, tmp_path: Path) -> None:
    path = write_c3d(tmp_path / "a.c3d")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=rf"a\.c3d is not a readable C3D file: .*{message}"):
        read(path)


def test_a_study_of_c3d_files_with_gaps_filled(tmp_path: Path) -> None:
    def write(rows: Any, path: Path) -> None:
        points = rows[["knee", "hip", "knee"]].to_numpy()[:, None, :]
        residuals = np.zeros((len(rows), 1))
        residuals[2] = -1
        parameters = {"POINT:USED": 1, "POINT:LABELS": ["ankle"], "POINT:UNITS": ["m"]}
        path.write_bytes(c3d_bytes(points, residuals, parameters, rate=2.0))

    study = write_study(long_frame(), tmp_path / "study", ".c3d", write)
    with pytest.raises(UserError, match=r"t0\.c3d, row 3: column 'ankle_x' holds no number .*a gap of 1 samples"):
        load_source(study)
    dataset = load_source(study, max_gap=1)
    assert dataset.features == ("ankle_x", "ankle_y", "ankle_z")
    assert dataset.units == dict.fromkeys(dataset.features, "m")
    assert dataset.time == (0.0, 0.5, 1.0, 1.5, 2.0)
    assert "Read 8 files as C3D." in dataset.notes


@pytest.mark.slow
def test_a_thousand_files_take_less_than_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "a.c3d"
    labels = [f"M{i}" for i in range(40)]
    points = np.round(RNG.normal(size=(500, 40, 3)) * 100, 2)
    parameters = {"POINT:USED": 40, "POINT:LABELS": labels, "ANALOG:LABELS": [f"E{i}" for i in range(16)]}
    samples = RNG.normal(size=(5000, 16)).tolist()
    path.write_bytes(c3d_bytes(points, np.zeros((500, 40)), parameters, samples, per_frame=10))
    start = time.perf_counter()
    for _ in range(1000):
        read(path)
    assert time.perf_counter() - start < 60
