"""One study in every format, as a folder and as a table: the same values, the same digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.data.dataset import Dataset
from steps.core.readers.load import load_source
from tests.core.formats.c3d_writer import c3d_bytes
from tests.core.formats.helpers import write_npz
from tests.core.formats.test_hdf5 import write_hdf5
from tests.core.formats.test_mat import write_mat, write_mat_73
from tests.core.formats.test_xlsx import write_xlsx

FEATURES = ["ankle_x", "ankle_y", "ankle_z"]
RATE = 2


def _study() -> pd.DataFrame:
    """Eighths of small numbers, which every format holds exactly."""
    rng = np.random.default_rng(8)
    people = {"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm"}
    rows = [
        (subject, label, f"t{i}", step / RATE) for subject, label in people.items() for i in (0, 1) for step in range(6)
    ]
    frame = pd.DataFrame(rows, columns=["subject", "label", "trial", "time"])
    frame[FEATURES] = rng.integers(-80, 80, (len(frame), 3)) / 8
    return frame


def _csv(rows: pd.DataFrame, path: Path) -> None:
    rows.to_csv(path, index=False)


def _parquet(rows: pd.DataFrame, path: Path) -> None:
    rows.to_parquet(path, index=False)


def _feather(rows: pd.DataFrame, path: Path) -> None:
    rows.to_feather(path)


def write_arff(rows: pd.DataFrame, path: Path) -> None:
    kinds = ["numeric" if rows[one].dtype == float else f"{{{','.join(rows[one].unique())}}}" for one in rows]
    header = "".join(f"@attribute {name} {kind}\n" for name, kind in zip(rows, kinds, strict=True))
    path.write_text(f"@relation study\n{header}@data\n{rows.to_csv(index=False, header=False)}")


def _mat_73(rows: pd.DataFrame, path: Path) -> None:
    text = {"subject", "label", "trial"}
    write_mat_73({str(one): rows[one].to_numpy(dtype=object if one in text else float) for one in rows}, path)


def _c3d(rows: pd.DataFrame, path: Path) -> None:
    points = rows[FEATURES].to_numpy()[:, None, :]
    path.write_bytes(c3d_bytes(points, np.zeros((len(rows), 1)), {"POINT:LABELS": ["ankle"]}, rate=RATE))


def _edf(rows: pd.DataFrame, path: Path) -> None:
    edfio = pytest.importorskip("edfio")
    ranges = {"physical_range": (-4096, 4095.875), "digital_range": (-32768, 32767)}
    signals = [edfio.EdfSignal(rows[name].to_numpy(), RATE, label=name, **ranges) for name in FEATURES]
    edfio.Edf(signals, data_record_duration=1 / RATE).write(path)


def _wfdb(rows: pd.DataFrame, path: Path) -> None:
    path.with_suffix(".dat").write_bytes((rows[FEATURES].to_numpy() * 8).astype("<i2").tobytes())
    signals = [f"{path.stem}.dat 16 8/mm 16 0 0 0 0 {name}" for name in FEATURES]
    path.write_text("\n".join([f"{path.stem} 3 {RATE} {len(rows)}", *signals]))


Write = Callable[[pd.DataFrame, Path], None]
TABLES: dict[str, Write] = {
    "study.csv": _csv,
    "study.parquet": _parquet,
    "study.xlsx": write_xlsx,
    "study.feather": _feather,
    "study.arff": write_arff,
    "study.npz": write_npz,
    "study.h5": write_hdf5,
    "five.mat": write_mat,
    "seven.mat": _mat_73,
}
FILES: dict[str, Write] = {
    ".csv": _csv,
    ".xlsx": write_xlsx,
    ".npz": write_npz,
    ".feather": lambda rows, path: rows.reset_index(drop=True).to_feather(path),
    ".h5": write_hdf5,
    ".mat": write_mat,
    ".c3d": _c3d,
    ".edf": _edf,
    ".hea": _wfdb,
}


def _folder(folder: Path, suffix: str, frame: pd.DataFrame) -> Dataset:
    for (subject, label, trial), rows in frame.groupby(["subject", "label", "trial"]):
        path = folder / "participants" / str(subject) / str(label) / f"{trial}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        FILES[suffix](rows[["time", *FEATURES]], path)
    return load_source(str(folder))


def test_a_table_in_nine_formats(tmp_path: Path) -> None:
    frame, digests = _study(), {}
    for name, write in TABLES.items():
        write(frame, tmp_path / name)
        digests[name] = load_source(str(tmp_path / name)).digest()
    assert len(set(digests.values())) == 1, digests


def test_a_folder_in_nine_formats(tmp_path: Path) -> None:
    frame = _study()
    datasets = {suffix: _folder(tmp_path / suffix, suffix, frame) for suffix in FILES}
    assert datasets[".hea"].units == dict.fromkeys(FEATURES, "mm")  # this format always has one
    digests = {suffix: replace(dataset, units={}).digest() for suffix, dataset in datasets.items()}
    assert len(set(digests.values())) == 1, digests
    assert len({dataset.digest() for suffix, dataset in datasets.items() if suffix != ".hea"}) == 1
