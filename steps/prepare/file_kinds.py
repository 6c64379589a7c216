"""Files that are not read: what they are, by suffix or by their first bytes, and how to make CSV or Parquet of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple


class _Kind(NamedTuple):
    suffixes: tuple[str, ...]
    what: str
    how: str
    beginnings: tuple[bytes, ...] = ()


_KINDS: Final = (
    _Kind((".xlsx", ".xlsm", ".ods"), "a spreadsheet", "save the sheet as 'CSV UTF-8 (comma delimited)'"),
    _Kind((".xls",), "an Excel workbook", "save the sheet as 'CSV UTF-8 (comma delimited)'",
          (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    _Kind((".gz", ".bz2", ".xz", ".zst", ".lz4"), "a compressed file", "unpack it first (gunzip, bunzip2, unxz)",
          (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")),
    _Kind((".zip", ".tar", ".tgz", ".7z", ".rar"), "an archive, or a spreadsheet",
          "unpack it first, or save the sheet as 'CSV UTF-8 (comma delimited)'",
          (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!")),
    _Kind((".feather", ".arrow", ".ipc"), "an Arrow file",
          "in Python, pandas.read_feather(file).to_parquet('recordings.parquet', index=False)",
          (b"ARROW1", b"FEA1")),
    _Kind((".parquet", ".pq"), "a Parquet file", "give it the suffix .parquet", (b"PAR1",)),
    _Kind((".mat",), "a MATLAB file", "in MATLAB, writetable(yourTable, 'recordings.csv')", (b"MATLAB 5.0 MAT-file",)),
    _Kind((".npz", ".npy"), "a file of NumPy arrays",
          "in Python, pandas.DataFrame(array, columns=[...]).to_csv('recordings.csv', index=False)",
          (b"\x93NUMPY",)),
    _Kind((".pkl", ".pickle", ".joblib"), "a pickle, which can run code and is never opened",
          "in Python, where you trust it, write its table with to_parquet('recordings.parquet', index=False)",
          (b"\x80\x04\x95", b"\x80\x05\x95")),
    _Kind((".h5", ".hdf5", ".hdf"), "an HDF5 file", "write its table as CSV or Parquet first", (b"\x89HDF\r\n\x1a\n",)),
    _Kind((".ts", ".arff"), "a file of the time series archive",
          "in Python, read it with aeon or sktime and write a long table: subject, label, trial, time, features"),
    _Kind((".mot", ".sto", ".trc"), "an OpenSim file",
          "write the table below its header as CSV, with commas and one header row"),
    _Kind((".c3d", ".anc"), "a motion capture file", "export its signals as CSV, one header row and a row per sample"),
    _Kind((".edf", ".bdf", ".gdf", ".vhdr", ".eeg", ".fif", ".set", ".hea", ".acq"), "a file of biosignals",
          "export its signals as CSV, one header row and a row per sample (MNE: raw.to_data_frame().to_csv)"),
    _Kind((".tsv", ".tab", ".txt", ".dat", ".asc"), "text that is not called .csv",
          "save as .csv: UTF-8, commas, one header row"),
    _Kind((".json", ".jsonl", ".xml", ".yaml"), "text that is no table", "write it as CSV, a row per time point"),
    _Kind((".rds", ".rda", ".rdata"), "an R file", "in R, write.csv(x, 'recordings.csv', row.names = FALSE)"),
    _Kind((".sav", ".dta", ".sas7bdat", ".por"), "a file of a statistics program", "export it as CSV"),
    _Kind((".db", ".sqlite", ".sqlite3"), "a database", "export its table as CSV", (b"SQLite format 3\x00",)),
)  # fmt: skip
_BY_SUFFIX: Final = {suffix: kind for kind in _KINDS for suffix in kind.suffixes}
_SIDECARS: Final = {".json", ".jsonl", ".xml", ".yaml"}  # often say something about recordings, seldom are some
_BY_BEGINNING: Final = {beginning: kind for kind in _KINDS for beginning in kind.beginnings}
_BEGINNINGS: Final = tuple(_BY_BEGINNING)


def describe(name: str) -> str:
    """What a file with this name is, and what to do with it; "" if unknown."""
    kind = _BY_SUFFIX.get(Path(name).suffix.lower())
    return f"{kind.what}, which is not read: {kind.how}" if kind else ""


def how_to_convert(name: str) -> str:
    """What to do with a file with this name."""
    kind = _BY_SUFFIX.get(Path(name).suffix.lower())
    return kind.how if kind else "save them as CSV"


def holds_recordings(name: str) -> bool:
    """Whether a file with this name may well hold recordings."""
    return Path(name).suffix.lower() in _BY_SUFFIX.keys() - _SIDECARS


def another_kind(raw: bytes) -> str:
    """What a file is by its first bytes, and what to do with it; "" if nothing speaks against text."""
    if not raw.startswith(_BEGINNINGS):
        return ""
    kind = next(kind for beginning, kind in _BY_BEGINNING.items() if raw.startswith(beginning))
    return f"{kind.what}: {kind.how}"
