"""WFDB records that the package wfdb wrote, and files made byte by byte: values, units, rates, annotations, damage."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.formats.file_table import Event
from steps.core.readers.files import Fingerprint
from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError
from tests.core.formats.helpers import read, values, write_study
from tests.core.readers.helpers import FEATURES, long_frame, trial_file

RNG = np.random.default_rng(6)
SIGNALS = np.round(RNG.normal(size=(100, 2)), 2)


def _package() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("wfdb")


def write_wfdb(path: Path, form: str = "16", signals: Any = SIGNALS, rate: float = 50) -> None:
    """A header and 16-bit samples, as the package writes them, and annotations."""
    wfdb = _package()
    names, count = ["ECG", "RESP"], signals.shape[1]
    options = {"units": ["mV", "V"][:count], "sig_name": names[:count], "write_dir": str(path.parent)}
    wfdb.wrsamp(path.stem, rate, p_signal=signals, fmt=[form] * count, **options)
    if not path.with_suffix(".atr").exists() and len(signals) > 90:
        notes = ["", "(AFIB", ""]
        wfdb.wrann(
            path.stem, "atr", np.array([10, 60, 90]), ["N", "+", "V"], aux_note=notes, write_dir=str(path.parent)
        )


@pytest.mark.parametrize("form", ["16", "24", "32", "80", "212"])
def test_what_the_package_wrote_is_what_it_reads(form: str, tmp_path: Path) -> None:
    signals = SIGNALS.copy()
    signals[7, 1] = np.nan
    write_wfdb(tmp_path / "a.hea", form, signals)
    table = read(tmp_path / "a.hea")
    reference = _package().rdrecord(str(tmp_path / "a")).p_signal
    np.testing.assert_array_equal(values(table, "ECG", "RESP"), reference)
    np.testing.assert_array_equal(values(table, "time")[:, 0], np.arange(100) / 50)
    assert table.units == {"ECG": "mV", "RESP": "V"}
    assert table.events == (Event(0.2, "N"), Event(1.2, "(AFIB"), Event(1.8, "V"))
    assert table.notes == ()


@pytest.mark.parametrize(("form", "dtype", "offset"), [("61", ">i2", 0), ("160", "<u2", 32768), ("16", "<i2", 0)])
def test_other_ways_to_store_16_bits(form: str, dtype: str, offset: int, tmp_path: Path) -> None:
    stored = RNG.integers(-300, 300, 40)
    (tmp_path / "a.dat").write_bytes((stored + offset).astype(dtype).tobytes())
    (tmp_path / "a.hea").write_text(f"a 1 50\na.dat {form} 10 16 0 0 {int(stored.sum())} 0 x\n")
    table = read(tmp_path / "a.hea")
    np.testing.assert_array_equal(values(table, "x")[:, 0], stored / 10)
    assert table.notes == ()
    np.testing.assert_array_equal(_package().rdrecord(str(tmp_path / "a")).p_signal[:, 0], stored / 10)


def test_annotations_far_apart(tmp_path: Path) -> None:
    write_wfdb(tmp_path / "a.hea")
    (tmp_path / "a.atr").unlink()
    _package().wrann("a", "atr", np.array([10, 200_000, 200_001]), ["N", "V", "N"], write_dir=str(tmp_path))
    assert [event.time for event in read(tmp_path / "a.hea").events] == [0.2, 4000.0, 4000.02]


def test_several_samples_a_frame_defaults_and_comments(tmp_path: Path) -> None:
    fast, slow = np.arange(20), np.arange(10) * 10
    frames = np.column_stack([fast.reshape(10, 2), slow])
    (tmp_path / "a.dat").write_bytes(b"head" + frames.astype("<i2").tobytes())
    header = "# made by hand\na 2 10 10\na.dat 16x2+4 100(5)/uV 12 0 0 0 0 skin\na.dat 16+4\n# end\n"
    (tmp_path / "a.hea").write_text(header)
    table = read(tmp_path / "a.hea")
    assert table.table.column_names == ["time", "skin", "signal_2"]
    np.testing.assert_allclose(values(table, "skin")[:, 0], (fast - 5) / 100)
    np.testing.assert_allclose(values(table, "signal_2")[::2, 0], slow / 200)
    np.testing.assert_allclose(values(table, "signal_2")[1:-1:2, 0], (slow[:-1] + 5) / 200)
    assert table.units == {"skin": "uV", "signal_2": "mV"}
    assert table.notes == (
        "Sums of samples are not those in the header.",
        "Interpolated to 20 per second, the rate of the fastest signal, between their samples: 'signal_2'.",
    )


def test_a_study_of_records(tmp_path: Path) -> None:
    def write(rows: pd.DataFrame, path: Path) -> None:
        stored = np.round(rows[FEATURES].to_numpy() * 1000).astype("<i2")
        path.with_suffix(".dat").write_bytes(stored.tobytes())
        lines = [
            f"{path.stem}.dat 16 1000/mV 16 0 0 {int(stored[:, i].sum())} 0 {name}" for i, name in enumerate(FEATURES)
        ]
        path.write_text("\n".join([f"{path.stem} 2 2 {len(rows)}", *lines]))

    frame, fingerprint = long_frame(), Fingerprint()
    study = write_study(frame, tmp_path / "study", ".hea", write)
    dataset = load_source(study, fingerprint=fingerprint)
    assert fingerprint.hexdigest() == source_fingerprint(study)
    order = frame.sort_values(["subject", "trial", "time"], kind="stable")
    np.testing.assert_allclose(dataset.values.reshape(-1, 2), order[FEATURES].to_numpy(), rtol=1e-6)
    assert dataset.units == {"knee": "mV", "hip": "mV"}
    assert dataset.notes == ("Read 8 files as WFDB.",)
    samples = trial_file(study).with_suffix(".dat")
    samples.rename(samples.with_suffix(".mat"))  # as the PhysioNet Challenges have them
    header = trial_file(study).with_suffix(".hea")
    header.write_text(header.read_text().replace(".dat", ".mat"))
    assert load_source(study).digest() == dataset.digest()
    samples.with_suffix(".mat").unlink()
    with pytest.raises(UserError, match=r"t0\.hea needs the file 't0\.mat', which is not beside it"):
        load_source(study)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "its first line names no record|is empty"),
        ("a/3 2 50 100\nb 20\nc 80\n", "made of several segments"),
        ("a 2 50 100\na.dat 16\n", "says that there are 2 signals, but names 1"),
        ("a 1 50 100\n../../etc/passwd 16\n", "needs the file|etc"),
        ("a 1 50 100\na.dat 310\n", "samples are in format 310, expected one of 16, 24"),
        ("a 1 50 100\na.dat 16:5\n", "shifted against each other"),
        ("a 1 50 999999999\na.dat 16\n", "says 999999999 samples, but 'a.dat' holds 200"),
        ("a 1 0 100\na.dat 16\n", "a signal has a sampling rate of 0"),
        ("a 1 50 100\na.dat sixteen\n", "it says 'a.dat sixteen' of a signal"),
        ("a 1 50 100\na.dat 16x0\n", "in several formats"),
        ("a 2 50 50\na.dat 16\na.dat 212\n", "in several formats"),
    ],
)
def test_what_cannot_be_read_is_one_line(header: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(bytes(400))
    (tmp_path / "a.hea").write_text(header)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "a.hea")
