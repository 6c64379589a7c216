"""EDF and BDF files that edfio wrote: values, units, rates, annotations; what is cut short or has pauses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.formats.file_table import Event
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.formats.helpers import read, values, write_study
from tests.core.readers.helpers import FEATURES, long_frame

edfio = pytest.importorskip("edfio")
RNG = np.random.default_rng(3)
SLOW, FAST = RNG.normal(size=40), RNG.normal(size=1000)


def write_edf(path: Path) -> None:
    """Two rates, units, annotations."""
    signals = [
        edfio.EdfSignal(SLOW, 4, label="EDA", physical_dimension="uS"),
        edfio.EdfSignal(FAST, 100, label="EMG", physical_dimension="mV"),
        edfio.EdfSignal(FAST, 100, label="EMG"),
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(2.5, 1, "fear"), edfio.EdfAnnotation(1, None, "go")]).write(
        path
    )


def write_bdf(path: Path) -> None:
    """One signal of 24 bits."""
    edfio.Bdf([edfio.BdfSignal(SLOW, 4, label="EDA", physical_dimension="uS")]).write(path)


def test_signals_are_at_the_fastest_rate_in_their_units(tmp_path: Path) -> None:
    write_edf(tmp_path / "a.edf")
    table = read(tmp_path / "a.edf")
    assert table.table.column_names == ["time", "EDA", "EMG", "EMG_2"]
    assert table.units == {"EDA": "uS", "EMG": "mV"}
    clock = np.arange(1000) / 100
    np.testing.assert_allclose(values(table, "time")[:, 0], clock)
    np.testing.assert_allclose(values(table, "EMG")[:, 0], FAST, atol=np.ptp(FAST) / 2**16)
    expected = np.interp(clock, np.arange(40) / 4, SLOW)
    np.testing.assert_allclose(values(table, "EDA")[:, 0], expected, atol=np.ptp(SLOW) / 2**15)
    assert table.events == (Event(1.0, "go"), Event(2.5, "fear"))
    assert table.notes == (
        "Some names occur more than once, and are numbered from the second on: 'EMG'.",
        "Interpolated to 100 per second, the rate of the fastest signal, between their samples: 'EDA'.",
    )


def test_a_signal_that_is_left_out_decides_nothing(tmp_path: Path) -> None:
    write_edf(tmp_path / "a.edf")
    table = read(tmp_path / "a.edf", ("EMG",))
    assert table.table.column_names == ["time", "EDA"]
    np.testing.assert_allclose(values(table, "time")[:, 0], np.arange(40) / 4)
    assert table.notes == ()


def test_24_bits(tmp_path: Path) -> None:
    write_bdf(tmp_path / "a.bdf")
    table = read(tmp_path / "a.bdf")
    np.testing.assert_allclose(values(table, "EDA")[:, 0], SLOW, atol=np.ptp(SLOW) / 2**23)
    assert table.read_as == "BDF"


def test_a_study_of_edf_files(tmp_path: Path) -> None:
    def write(rows: pd.DataFrame, path: Path) -> None:
        signals = [edfio.EdfSignal(rows[name].to_numpy(), 2, label=name, physical_range=(-5, 5)) for name in FEATURES]
        edfio.Edf(signals, data_record_duration=0.5).write(path)

    frame = long_frame()
    dataset = load_source(write_study(frame, tmp_path / "study", ".edf", write))
    assert dataset.time == (0.0, 0.5, 1.0, 1.5, 2.0)
    order = frame.sort_values(["subject", "trial", "time"], kind="stable")
    np.testing.assert_allclose(dataset.values.reshape(-1, 2), order[FEATURES].to_numpy(), atol=10 / 2**16)
    assert dataset.units == {}


def _with(raw: bytes, at: int, new: bytes) -> bytes:
    return raw[:at] + new + raw[at + len(new) :]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw[:-50], "not a readable EDF file: Incomplete data record"),
        (lambda raw: raw[:300], "its header says what cannot be"),
        (lambda raw: b"x" * 1000, "not a readable EDF file"),
        (lambda raw: _with(raw, 192, b"EDF+D"), r"has pauses in it \(EDF\+D\)"),
        (lambda raw: _with(raw, 236, b"99999999"), "header indicates 99999999 data records"),
        (lambda raw: _with(raw, 252, b"9999"), "its header says what cannot be"),
        (lambda raw: _with(raw, 244, b"0       "), "a.edf"),
        (lambda raw: _with(raw, 244, b"-1      "), "not a readable EDF file"),
        (lambda raw: _with(raw, 256 + 4 * 216, b"0       "), "a.edf"),
    ],
)
def test_damage_is_one_line(spoil: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    write_edf(path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=message):
        read(path)
