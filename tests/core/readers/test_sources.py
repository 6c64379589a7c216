"""What is no source."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from steps.core.readers.load import load_source, source_fingerprint
from steps.core.readers.sources import EXPECTED
from steps.errors import UserError


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a\0b.csv", "cannot be opened: embedded null"),
        ("x" * 300 + ".csv", "cannot be opened: File name too long"),
        ("/dev/zero", "'/dev/zero' is a device, expected 'simulated', a folder with participants/ or study.yaml, "),
        ("file.csv/participants", "does not exist"),
        ("loop.csv", "cannot be opened: Too many levels of symbolic links"),
        ("pipe.csv", r"'pipe\.csv' is a pipe \(FIFO\), expected"),
        ("socket.csv", r"'socket\.csv' is a socket, expected"),
        ("zero.parquet", r"'zero\.parquet' is a device, expected"),
        (".csv", "does not exist"),
    ],
)
def test_what_is_no_file_of_this_machine(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.csv").write_text("x")
    Path("loop.csv").symlink_to("loop.csv")
    Path("zero.parquet").symlink_to("/dev/zero")
    os.mkfifo("pipe.csv")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.csv")
        for read in (load_source, source_fingerprint):
            with pytest.raises(UserError, match=message) as caught:
                read(source)
            assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("study.json.gz", "is a compressed file, which is not read: unpack it first"),
        ("study.TAR", "is an archive, which is not read: unpack it first"),
        ("study.xls", "is an older spreadsheet or one of another program, which is not read: save it as .xlsx"),
        ("study.c3d", r"is one recording \(C3D\), and a study is a folder of them: participants/<subject>/<label>/"),
        ("study.npy", "is a NumPy array, which is not read: in Python, pandas.DataFrame"),
        ("study.pkl", "is a pickle, which can run code and is never opened"),
        ("study.pq", r"rename it to \.parquet"),
        ("study.abc", "ends in '.abc'"),
        ("study", "ends in ''"),
    ],
)
def test_files_of_other_kinds_say_how_to_convert_them(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=f"{message}.*; expected|{message}, expected") as caught:
        load_source(str(tmp_path / name))
    assert f"expected {EXPECTED}" in str(caught.value)
