"""Damaged and strange files end in a dataset or in one line, never in a traceback: many of them, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, write_folder, write_table

Random = np.random.Generator
Damage = Callable[[bytes, Random], bytes]
WORDS = [
    *(b"", b",", b",,", b";", b"\t", b'"', b"'", b"\n", b"\r", b"\r\n", b"\n\n", b"\x00", b"\xff", b"\xef\xbb\xbf"),
    *(b"NA", b"nan", b"inf", b"-1", b"1e999", b"0x1", b"  ", b"#", b"sep=;\n", b"\xc3\xa4", "１".encode(), b"()"),
    *(b"Unnamed: 0", b"time", b"Time", b"subject", b"\x0b", "\u2028".encode(), b"\x1a", b"9" * 400),
]


def _anywhere(raw: bytes, random: Random) -> int:
    return int(random.integers(0, len(raw) + 1))


def _insert(raw: bytes, random: Random) -> bytes:
    at = _anywhere(raw, random) if random.random() < 0.5 else int(random.integers(0, 40))
    return raw[:at] + WORDS[int(random.integers(len(WORDS)))] + raw[at:]


def _cut(raw: bytes, random: Random) -> bytes:
    start = _anywhere(raw, random)
    return raw[:start] + raw[start + int(random.integers(1, 200)) :]


def _end(raw: bytes, random: Random) -> bytes:
    return raw[: _anywhere(raw, random)]


def _replace(raw: bytes, random: Random) -> bytes:
    old, new = (WORDS[int(i)] for i in random.integers(1, len(WORDS), 2))
    return raw.replace(old, new, int(random.integers(1, 50)))


def _separate(raw: bytes, random: Random) -> bytes:
    return raw.replace(b",", [b";", b"\t", b"|", b" ", b", ", b",,"][int(random.integers(6))])


def _shuffle(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\n")
    random.shuffle(lines)
    return b"\n".join(lines)


DAMAGES: list[Damage] = [_insert, _insert, _cut, _end, _replace, _separate, _shuffle]


@pytest.mark.parametrize("form", ["study.csv", "study.parquet", "folder"])
def test_damaged_files_are_one_line(form: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = long_frame()
    source = write_folder(frame, tmp_path / form) if form == "folder" else write_table(frame, tmp_path / form)
    path = next(Path(source).rglob("*.csv")) if form == "folder" else Path(source)
    whole = path.read_bytes()
    messages = []
    for _ in range(150):
        raw = whole
        for _ in range(int(random.integers(1, 4))):
            raw = DAMAGES[int(random.integers(len(DAMAGES)))](raw, random)
        path.write_bytes(raw)
        try:
            load_source(source, max_gap=int(random.integers(0, 3)))
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 50
    for message in messages:
        assert message.isprintable(), ascii(message)
        assert len(message) < 2000, message
