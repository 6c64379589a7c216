"""Files that are not read: what they are, by their suffix, and how to make CSV or Parquet of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple


class _Kind(NamedTuple):
    suffixes: tuple[str, ...]
    what: str
    how: str


_AS_CSV = "save the sheet as 'CSV UTF-8 (comma delimited)'"
_KINDS: Final = (
    _Kind((".xlsx", ".xlsm", ".xls", ".ods"), "a spreadsheet", _AS_CSV),
    _Kind((".gz", ".bz2", ".xz", ".zst", ".lz4"), "a compressed file", "unpack it first (gunzip, bunzip2, unxz)"),
    _Kind((".zip", ".tar", ".tgz", ".7z", ".rar"), "an archive", "unpack it first"),
    _Kind((".feather", ".arrow", ".ipc"), "an Arrow file",
          "in Python, pandas.read_feather(file).to_parquet('recordings.parquet', index=False)"),
    _Kind((".pq", ".parq"), "a Parquet file under another suffix", "rename it to .parquet"),
    _Kind((".parquet",), "a Parquet file", "write CSV, or put all trials into one long table"),
    _Kind((".mat",), "a MATLAB file", "in MATLAB, writetable(yourTable, 'recordings.csv')"),
    _Kind((".npz", ".npy"), "a file of NumPy arrays",
          "in Python, pandas.DataFrame(array, columns=[...]).to_csv('recordings.csv', index=False)"),
    _Kind((".pkl", ".pickle", ".joblib"), "a pickle, which can run code and is never opened",
          "in Python, where you trust it, write its table with to_parquet('recordings.parquet', index=False)"),
    _Kind((".h5", ".hdf5", ".hdf"), "an HDF5 file", "write its table as CSV or Parquet first"),
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
    _Kind((".db", ".sqlite", ".sqlite3"), "a database", "export its table as CSV"),
)  # fmt: skip
_BY_SUFFIX: Final = {suffix: kind for kind in _KINDS for suffix in kind.suffixes}
_SIDECARS: Final = {".json", ".jsonl", ".xml", ".yaml"}  # often say something about recordings, seldom are some


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
