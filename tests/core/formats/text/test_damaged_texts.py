"""Damaged texts, seeded: each is read or is one line; never a traceback, never longer than ten seconds or a gibibyte.

The plain suite tries a few; two thousand with ``pytest -m slow tests/core/formats/text/test_damaged_texts.py``.
"""

from __future__ import annotations

import gzip
import io
import resource
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from steps.core.readers.choice import Choice
from steps.core.readers.file_tables import Told
from steps.core.readers.text_files import Texts, is_plain_csv
from steps.errors import UserError
from tests.core.formats.text import test_known_headers as known
from tests.core.formats.text.helpers import Written, frame_of
from tests.deadline import at_most

SEED, FEW, MANY = 18, 60, 2000
SECONDS, BYTES = 10, 1 << 30
_Draw = np.random.Generator


def _zipped(raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", raw)
    return buffer.getvalue()


def _files() -> list[tuple[str, bytes]]:
    frame = frame_of(40)
    units = ["-", "s", *["deg"] * 3]
    written = [
        Written(),
        Written(separator=";", decimal=",", encoding="cp1252", preamble=3, units=True),
        Written(separator="\t", encoding="utf-16", comments="#", blank_lines=True),
        Written(separator=" ", quote="names", comments="%"),
        Written(separator=";", decimal=",", quote="all", trailing=True, line_end="\r\n", sep_line=True),
        Written(separator="|", preamble=12, header=False),
    ]
    samples = (known.MOT.format(degrees="yes"), known.STO, known.TRC, known.V3D, known.VICON, known.DLC, known.XSENS,
               known.ACTIGRAPH, known.DOT, known.OPENSIGNALS, known.ACQ, known.LABCHART, known.QTM,
               "1593335798.0\n4.0\n" + "0.5\n" * 40)  # fmt: skip
    texts = [("t.csv", one.raw(frame, units)) for one in written] + [("EDA.csv", text.encode()) for text in samples]
    marked = texts[0][1].replace(b",0.", b",\xe2\x88\x920.").replace(b",1.", b",-,1.")
    return [*texts, ("marks.csv", marked), ("t.csv.gz", gzip.compress(texts[1][1])), ("t.zip", _zipped(texts[2][1]))]


def _cut(raw: bytes, draw: _Draw) -> bytes:
    return raw[: draw.integers(0, len(raw) + 1)]


def _flipped(raw: bytes, draw: _Draw) -> bytes:
    changed = bytearray(raw)
    for at in draw.integers(0, max(len(raw), 1), draw.integers(1, 20)):
        if changed:
            changed[at] = draw.integers(0, 256)
    return bytes(changed)


def _lines(raw: bytes, draw: _Draw) -> bytes:
    lines = raw.split(b"\n")
    a, b = sorted(draw.integers(0, len(lines) + 1, 2))
    return b"\n".join([lines[:a] + lines[b:], lines[:b] + lines[a:], lines[b:] + lines[:a]][draw.integers(3)])


_WORDS = (b",", b";", b"\t", b'"', b"\n", b"\0", b"\r", b"#", b"-1e999", b"nan", b"1,234", b"\xff\xfe", b" " * 5000,
          b"9" * 400, b"[" * 3000, "ä".encode(), b"sep=x\n", b"endheader\n", b"PacketCounter", b"nRows=999999999999\n",
          b"Devices\n", b",-,", b";.;", b"\xe2\x88\x921")  # fmt: skip


def _spiked(raw: bytes, draw: _Draw) -> bytes:
    for _ in range(draw.integers(1, 6)):
        at = draw.integers(0, len(raw) + 1)
        raw = raw[:at] + _WORDS[draw.integers(len(_WORDS))] + raw[at:]
    return raw


def _replaced(raw: bytes, draw: _Draw) -> bytes:
    one, other = (_WORDS[i] for i in draw.integers(0, len(_WORDS), 2))
    return raw.replace(one, other, int(draw.integers(1, 30)))


DAMAGES: tuple[Callable[[bytes, _Draw], bytes], ...] = (_cut, _flipped, _lines, _spiked, _replaced)


def _try(count: int) -> None:
    draw = np.random.default_rng(SEED)
    files = _files()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = {"read": 0, "refused": 0}
    for number in range(count):
        name, raw = files[number % len(files)]
        for _ in range(draw.integers(1, 3)):
            raw = DAMAGES[draw.integers(len(DAMAGES))](raw, draw)
        columns = "a,b,c" if draw.integers(4) == 0 else "none"
        try:
            with at_most(SECONDS):
                is_plain_csv(raw, name, Choice.of(columns=columns))
                parsed = Texts(Told(), Choice.of(columns=columns)).parse(raw, name)
            assert parsed.table.num_rows > 0
            outcomes["read"] += 1
        except UserError:
            outcomes["refused"] += 1
        except BaseException as error:
            error.add_note(f"file {number} of seed {SEED}: {name} {raw[:300]!r}")
            raise
    assert min(outcomes.values()) > count / 20, outcomes
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < BYTES


def test_a_few_damaged_texts() -> None:
    _try(FEW)


@pytest.mark.slow
def test_two_thousand_damaged_texts() -> None:
    _try(MANY)
