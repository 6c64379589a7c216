"""The fingerprint of a source is that of the bytes that were read, and a source that changes meanwhile is noticed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from steps.core.readers.files import Fingerprint
from steps.core.readers.load import SIMULATED, load_source, source_fingerprint, unchanged
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, trial_file, write_folder, write_table


@pytest.mark.parametrize("kind", ["folder", "csv", "parquet"])
def test_reading_gives_the_fingerprint_of_the_source(kind: str, tmp_path: Path) -> None:
    frame = long_frame()
    path = tmp_path / f"study.{kind}"
    source = write_folder(frame, path) if kind == "folder" else write_table(frame, path)
    fingerprint = Fingerprint()
    load_source(source, fingerprint=fingerprint)
    assert fingerprint.hexdigest() == source_fingerprint(source)


def test_what_it_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x\n1\n")
    parts = [b"a.csv", b"x\n1\n"]
    expected = hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts))
    assert source_fingerprint(str(tmp_path / "a.csv")) == expected.hexdigest()


CHANGES: dict[str, Callable[[Path], object]] = {
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"9,9,9\n"),
    "same length": lambda path: path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6")),
    "replaced": lambda path: (
        path.with_suffix(".new").write_bytes(path.read_bytes()) and path.with_suffix(".new").replace(path)
    ),
    "gone": lambda path: path.unlink(),
    "one more": lambda path: (path.parent / "t9.csv").write_bytes(path.read_bytes()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changes_while_it_is_read_is_refused(change: str, tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    os.utime(trial_file(source), (0, 0))  # a clock's tick is longer than a test
    with pytest.raises(UserError, match="changed while it was read; run prepare again"), unchanged(source):
        CHANGES[change](trial_file(source))


def test_a_source_that_stays_is_not_refused(tmp_path: Path) -> None:
    table = write_table(long_frame(), tmp_path / "study.csv")
    for source in (write_folder(long_frame(), tmp_path / "study"), table, SIMULATED):
        with unchanged(source):
            load_source(source)
