"""Parquet files that unpack to far more than they seem, say what is not true, or hold what is no text."""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps.core.readers.load import load_source
from steps.errors import UserError
from steps.system import untrusted_files
from tests.core.readers.helpers import long_frame, write_table

GIB = 2**30


def _bytes(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", **options)
    return buffer.getvalue()


def _refused(path: Path, *expected: str) -> None:
    """One line, at once, and without having taken the memory."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        load_source(str(path))
    for part in expected:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 500
    assert time.perf_counter() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GIB / 1024  # counted in KiB


def test_a_few_kilobytes_that_stand_for_gigabytes(tmp_path: Path) -> None:
    rows = 1 << 24
    ones = pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array(["a"]))
    table = pa.table({"subject": ones, "label": ones, "trial": ones, "time": ones, "x": ones})
    content = _bytes(table, data_page_size=1 << 30, max_rows_per_page=1 << 30, row_group_size=1 << 26)
    (tmp_path / "bomb.parquet").write_bytes(content)
    assert len(content) < 10_000
    _refused(tmp_path / "bomb.parquet", "unpacks to 671.1 MB (16,777,216 rows)", "no recordings do", "save it again")


def test_more_than_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted_files, "available_mib", lambda: 100.0)
    monkeypatch.setattr(untrusted_files, "_SMALL", 1000)
    write_table(long_frame(), tmp_path / "study.csv")
    write_table(long_frame(trials=400), tmp_path / "study.parquet")
    load_source(str(tmp_path / "study.csv"))
    load_source(str(tmp_path / "study.parquet"))
    monkeypatch.setattr(untrusted_files, "available_mib", lambda: 0.001)
    _refused(tmp_path / "study.csv", "study.csv has 1.", "kB and takes about", "1.049 kB are free", "more memory")
    monkeypatch.setattr(untrusted_files, "available_mib", lambda: 0.6)
    _refused(tmp_path / "study.parquet", "study.parquet has", "and unpacks to 448 kB (8,000 rows)", "629.1 kB are free")


def test_a_file_larger_than_memory_is_not_read(tmp_path: Path) -> None:
    for name in ("huge.csv", "huge.parquet"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 43)
    _refused(tmp_path / "huge.csv", "huge.csv has 8.796 TB and takes about 35.18 TB of memory", "are free")
    _refused(tmp_path / "huge.parquet", "huge.parquet is not a readable Parquet file")


def _lie(endless: list[str]) -> bytes:
    """A file whose footer says little of its first column, whose pages hold ``endless``.

    It is an honest file with the pages of another one in the place of its own.
    """
    count = len(endless)
    options = {"use_dictionary": False, "write_statistics": False, "store_schema": False, "write_batch_size": 4}
    pages = _bytes(pa.table({"subject": pa.array(endless)}), **options)
    end = 4 + pq.read_metadata(io.BytesIO(pages)).row_group(0).column(0).total_compressed_size
    noise = np.random.default_rng(0).integers(0, 256, (count, 1 + end // count), dtype=np.uint8)
    names = pa.array([row.tobytes().hex() for row in noise])
    text, number = pa.array(["a"] * count), pa.array(np.arange(count, dtype=np.float64))
    content = _bytes(pa.table({"subject": names, "label": text, "trial": text, "time": number, "x": number}), **options)
    size = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0).total_compressed_size
    assert end - 4 < size
    return content[:4] + pages[4:end] + content[end:]


@pytest.fixture
def nothing_reserved() -> Iterator[None]:
    """Arrow's usual allocator keeps a gigabyte for itself, which a file may take whatever the limit."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    yield
    pa.set_memory_pool(before)


@pytest.mark.usefixtures("nothing_reserved")
def test_a_footer_that_does_not_tell_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _lie([f"{i}" + "a" * 1_000_000 for i in range(250)])
    (tmp_path / "lie.parquet").write_bytes(content)
    assert untrusted_files.parquet_bytes(pq.read_metadata(tmp_path / "lie.parquet")) < 1_000_000
    limits = resource.getrlimit(resource.RLIMIT_AS)
    monkeypatch.setattr(untrusted_files, "_SLACK", 64 * 2**20)
    _refused(tmp_path / "lie.parquet", "lie.parquet says that it unpacks to", "takes far more memory", "save it again")
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


def _text_table(column: str, texts: list[bytes]) -> pa.Table:
    frame = long_frame()
    table = pa.table({name: frame[name].to_numpy() for name in frame})
    values = (texts * len(frame))[: len(frame)]
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int32)
    broken = pa.Array.from_buffers(
        pa.string(), len(values), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(values))]
    )
    return table.set_column(table.column_names.index(column), column, broken)


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("column", ["subject", "label", "trial", "group", "knee"])
def test_text_that_is_not_utf8(column: str, dictionary: bool, tmp_path: Path) -> None:
    content = _bytes(_text_table(column, [b"ab", b"c\xff"]), use_dictionary=dictionary)
    (tmp_path / "study.parquet").write_bytes(content)
    _refused(
        tmp_path / "study.parquet", f"row 2: column '{column}' holds text that is not UTF-8 (byte 0xff at offset 1)"
    )


def test_a_name_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "study.parquet").write_bytes(_bytes(_text_table("trial", [b"x" * 1_000_000])))
    _refused(tmp_path / "study.parquet", "row 1: column 'trial' holds 'xxx", "1,000,000 bytes", "expected a name")


@pytest.mark.parametrize(
    "column",
    [pa.array([[1.0]] * 40), pa.array([{"a": 1}] * 40), pa.array([b"x"] * 40), pa.array([b"xy"] * 40, pa.binary(2))],
)
def test_columns_in_columns_and_bytes(column: pa.Array, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(long_frame()).append_column("toe", column)
    (tmp_path / "study.parquet").write_bytes(_bytes(table))
    _refused(tmp_path / "study.parquet", "study.parquet: column 'toe' is of type", "expected numbers")


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    honest = _bytes(pa.Table.from_pandas(long_frame()), write_page_checksum=False)
    rng = np.random.default_rng(0)
    path = tmp_path / "study.parquet"
    said = []
    for _ in range(150):
        damaged = bytearray(honest)
        for place in rng.integers(0, len(honest), rng.integers(1, 30)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged[: rng.integers(1, len(honest))] if rng.random() < 0.2 else damaged))
        try:
            load_source(str(path))
        except UserError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not [line for line in said if "\n" in line or len(line) > 600]
