"""Compressed files of one text; bombs, archives of several files and damaged ones are one line."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib

import pytest

from steps.core.formats.text.container import unpacked
from steps.errors import UserError

TEXT = b"a,b\n" + b"1.5,2.5\n" * 1000


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("t.csv.gz", gzip.compress(TEXT)),
        ("T.CSV.GZ", gzip.compress(TEXT[:500]) + gzip.compress(TEXT[500:])),
        ("t.zip", zipped({"t.csv": TEXT})),
        ("t.zip", zipped({"deep/t.txt": TEXT, "deep/": b"", "__MACOSX/._t.txt": b"x", ".DS_Store": b"x"})),
        ("t.csv", TEXT),
    ],
    ids=range(5),  # archives hold the time, and two processes have to call tests alike
)
def test_contents(name: str, raw: bytes) -> None:
    assert unpacked(raw, name) == TEXT


def _bomb() -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    zeros = bytes(1 << 24)
    return b"".join(packer.compress(zeros) for _ in range(20)) + packer.flush()


def _lies(raw: bytes, size: int) -> bytes:
    at = raw.rindex(b"PK\x01\x02") + 24
    return raw[:at] + size.to_bytes(4, "little") + raw[at + 4 :]


def _encrypted(raw: bytes) -> bytes:
    at = raw.rindex(b"PK\x01\x02") + 8
    return raw[:at] + b"\x01\x00" + raw[at + 2 :]


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("t.csv.gz", gzip.compress(TEXT)[:-20], "is cut off"),
        ("t.csv.gz", TEXT, "no gzip file"),
        ("t.csv.gz", gzip.compress(TEXT)[:20] + b"xxxx" + gzip.compress(TEXT)[24:], "cannot be unpacked"),
        ("t.zip", zipped({"a.csv": TEXT, "b.csv": TEXT}), r"holds 2 files, expected one table: 'a\.csv', 'b\.csv'"),
        ("t.zip", zipped({}), "holds 0 files"),
        ("t.zip", zipped({"../../x.pkl": TEXT}), r"holds x\.pkl, expected a table as text"),
        ("t.zip", zipped({"t.csv": TEXT})[:60], "cannot be unpacked|no zip file"),
        ("t.zip", _lies(zipped({"t.csv": TEXT}), 4_000_000_000), "unpacks to more than 4 GB, which no recordings do"),
        ("t.zip", _lies(zipped({"t.csv": TEXT}), 100), "cannot be unpacked|does not hold as much"),
        ("t.zip", _encrypted(zipped({"t.csv": TEXT})), "is encrypted"),
    ],
    ids=range(10),
)
def test_what_cannot_be_unpacked_is_said(name: str, raw: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        unpacked(raw, name)


def test_a_bomb_is_given_up_before_it_fills_the_memory() -> None:
    bomb = _bomb()
    assert len(bomb) < 4_000_000
    with pytest.raises(UserError, match="which no recordings do"):
        unpacked(bomb, "t.csv.gz")
