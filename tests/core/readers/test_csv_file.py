"""Plain trial files are parsed at once; the result, or the error, is that of reading each for itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steps.core.readers import folder as reader
from steps.core.readers.columns import Parsed
from steps.core.readers.csv_file import parse_together
from steps.core.readers.files import Request
from steps.core.readers.folder import read_folder
from steps.core.readers.in_parts import InParts
from steps.core.readers.load import load_source
from steps.core.readers.long_table import LongTable
from steps.core.readers.text_files import Texts
from steps.core.readers.trial_files import StudyFiles, TrialFile
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, trial_file, write_folder

Content = tuple[str, tuple[tuple[str, ...], ...], str, bytes]

# What people's programs write, and what they should not.
HEADERS = ["x,y", "x,y", "x,y", '"x","y"', " x , y", "y,x", "time,x", "x", "x;y", "x,x", "subject,x", "Ä,y"]
NUMBERS = ["1", "-2.5", "1e3", "0.1", "", "nan", "NaN", "NA", "inf", " 7", "7 ", "1e400", "4.9e-324", "+3", "0x10"]
CELLS = [*NUMBERS, *NUMBERS, '"1.5"', '""', "x", "1,5", "ä", "１", "\x00", '"', "1\r2"]
ENDS = ["\n", "\n", "\r\n", "\r", "\n\n", "\n \n"]
MARKS = [b"", b"", b"", b"\xef\xbb\xbf", b"\n", b"\xff"]
rows = st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)
numbers = st.lists(st.tuples(*[st.sampled_from(NUMBERS)] * 2), min_size=1, max_size=4).map(tuple)
contents = st.tuples(st.sampled_from(HEADERS), numbers | rows, st.sampled_from(ENDS), st.sampled_from(MARKS))
alike = st.tuples(st.just("x,y"), numbers, st.sampled_from(["\n", "\r\n"]), st.just(b""))


def _bytes(content: Content, is_ended: bool = True) -> bytes:
    header, lines, end, mark = content
    text = end.join([header, *(",".join(cells) for cells in lines)])
    return mark + (text + end if is_ended else text).encode()


def _read(raws: Sequence[bytes], run_bytes: int = 1 << 20) -> LongTable | str:
    """What `read_folder` makes of these files, or its message."""
    files = [TrialFile(Path(), f"{i}.csv", f"S{i}", "a", "1", "patient") for i in range(len(raws))]
    contents = {file.path: raw for file, raw in zip(files, raws, strict=True)}
    with (
        mock.patch.object(reader, "study_files", return_value=StudyFiles(files, [])),
        mock.patch.object(reader, "read_regular", lambda path, _: contents[path]),
    ):
        try:
            read = read_folder(Path(), Request(), run_bytes)
            assert isinstance(read, LongTable)
            return read
        except UserError as error:
            return str(error)


def _same(a: LongTable | str, b: LongTable | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    pd.testing.assert_frame_equal(a.frame, b.frame)
    np.testing.assert_array_equal(a.values, b.values)
    return (a.features, a.origins, a.starts, a.has_time) == (b.features, b.origins, b.starts, b.has_time)


@given(
    st.lists(st.tuples(contents, st.booleans()) | st.tuples(alike, st.booleans()), min_size=1, max_size=5),
    st.sampled_from([1, 20, 1 << 20]),
)
@example([(("x,y", (("1", "2"),), end, b""), ended) for end, ended in itertools.product(ENDS, (True, False))], 1 << 20)
@example([(("x,y", (("1", "2"), ("", "nan")), "\n", b""), True), (("x,y", (("1",),), "\n", b""), True)], 1 << 20)
@example([(("x", (("1",), ("",), ("2",)), "\n", b""), True), (("x", (("3",),), "\n", b""), True)], 1 << 20)
@example([(("x", (("1",),), "\n", b""), True), (("x", (), "\n", b""), True)], 1 << 20)
@example([(("x", (("1",),), "\n", b""), True), (("x", ((" ",),), "\n", b""), True)], 1 << 20)
@example([(("x", (("1\r2",),), "\n", b""), True), (("x", (("1",), ("",), ("2",)), "\n", b""), True)], 1 << 20)
def test_together_or_alone_comes_to_the_same(files: list[tuple[Content, bool]], run_bytes: int) -> None:
    raws = [_bytes(content, is_ended) for content, is_ended in files]
    together = _read(raws, run_bytes)
    with mock.patch.object(reader, "is_plain", return_value=False):
        alone = _read(raws)
    assert _same(together, alone)


@given(st.lists(alike, min_size=2, max_size=5))
@example([("x,y", (("1", "1"),), "\n", b""), ("x,y", (("0x10", "1"), ("1", "")), "\n", b"")])
@example([("x,y", (("1", "1"),), "\n", b""), ("x,y", (("nan", "0x10"), ("1", "1")), "\n", b"")])
def test_values_are_those_that_python_reads(files: list[Content]) -> None:
    table = _read([_bytes(file) for file in files])
    cells = [cell for _, lines, _, _ in files for line in lines for cell in line]
    if any("0x" in cell for cell in cells):
        assert isinstance(table, str)
        assert "holds '0x10', expected a number" in table
        return
    assert isinstance(table, LongTable)
    missing = ("", "NA")
    expected = [float("nan") if cell in missing else float(cell) for cell in cells]
    np.testing.assert_array_equal(table.values.reshape(-1), expected)
    assert table.starts == tuple(np.cumsum([0, *(len(lines) for _, lines, _, _ in files[:-1])]).tolist())


def _as_r_writes(text: str) -> str:
    header, _, rest = text.partition("\n")
    return ",".join(f'"{name}"' for name in header.split(",")) + "\n" + rest


PLAIN: dict[str, Callable[[str], str]] = {
    "pandas": lambda text: text,
    "R": _as_r_writes,
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "no last line end": lambda text: text.rstrip("\n"),
    "blank lines at the end": lambda text: text + "\n\n",
    "missing cells": lambda text: text + "2.5,,1\n3,1,NaN\n",
    "other letters": lambda text: text.replace("knee", "Knie ä"),
}


@pytest.mark.parametrize("case", PLAIN)
def test_plain_files_are_parsed_at_once(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(long_frame(), tmp_path)
    for path in tmp_path.rglob("*.csv"):
        path.write_bytes(PLAIN[case](path.read_text()).encode())
    calls = mock.Mock(wraps=parse_together)
    monkeypatch.setattr(reader, "parse_together", calls)
    monkeypatch.setattr(Texts, "parse", mock.Mock(side_effect=AssertionError("parsed alone")))
    dataset = load_source(source, max_gap=2) if case != "missing cells" else read_folder(tmp_path, Request())
    assert not isinstance(dataset, InParts)
    assert len(dataset.values) in (8, 8 * 7)
    assert calls.call_count == 1


def test_a_file_that_is_not_plain_is_parsed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(long_frame(), tmp_path)
    expected = load_source(source).digest()
    path = trial_file(source, "S2", "fear", "t1")
    path.write_text(path.read_text().replace("\n0.0,", '\n"0.0",'))
    names: list[str] = []
    parse = Texts.parse

    def named(self: Texts, raw: bytes, name: str) -> Parsed:
        names.append(name)
        return parse(self, raw, name)

    monkeypatch.setattr(Texts, "parse", named)
    assert load_source(source).digest() == expected
    assert names == ["participants/S2/fear/t1.csv"]


def test_what_is_wrong_with_an_earlier_file_is_said_first(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    trial_file(source, "S1", "fear", "t0").write_text("time,knee,hip\n0,1,2\n1,x,2\n")
    last = trial_file(source, "S4", "calm", "t1")
    last.unlink()
    last.symlink_to(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=r"S1/fear/t0\.csv, row 3: column 'knee' holds 'x'"):
        load_source(source)
