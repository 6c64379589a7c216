"""Hostile values and damaged files, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from steps.parameters import PARAMETERS, STEPS

# What people mistype, what programs break on, what attackers try.
TEXTS: Final = (
    "", " ", "\t", "\n", "a\nb", "\r\n", "\0", "a\0b", "\x1b[31mred", "\x07", "\u202eabc", "\ufeff", "é", "日本", "🙂",
    "\ud800", "\udcff\udcfe", "nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e8", "1e-400", "-1", "-0",
    "0", "0.0", "1", "2", "3.0", "3.5", "1_0", "0x10", "0b1", "٣", "１２", "½", "1,2", "1;2", "1 2", "+5", "--5",
    "9" * 400, "0." + "9" * 400, "9" * 5000, "-" + "9" * 400, str(2**31), str(2**63), str(2**64), "1e308", "1e300",
    "true", "FALSE", "yes", "None", "null", "auto", "latest", "none", "all", "simulated", "previous", "latest,latest",
    "latest,logistic", "--help", "--seed", "-P", "-", "--", "=", "==", "a=b", ",", ",,", "a,", ",a", ";", ":", "::",
    "group-kfold:", "group-kfold:1", "group-kfold:99999999999", "group-kfold:-2", "group-kfold:2.5", "loso:3",
    "0.5,0.5", "0.5,nan", "0.5,1.5", "1,0,1", "balanced,1", "0,0", "1e400,1", "0.5,,0.3", "." * 300, "x" * 200,
    "x" * 255, "x" * 256, "x" * 300, "x" * 5000, "/" * 5000, "a/" * 2000, "x," * 20_000, "é" * 1000, "/dev/null",
    "/dev/zero", "/dev/stdin", "/proc/self/mem", "/etc/passwd", "/", "..", "../..", ".", "~", "~root",
    "~nobody/x.csv", "\\\\server\\share", "C:\\x.csv", "con", "nowhere.csv", "nowhere.parquet", "nowhere/", "x.xlsx",
    "http://127.0.0.1:9/x", "https://example.invalid/x.csv", "file:///etc/passwd", "file://host/x", "ftp://x",
    "s3://x/y", "runs:/", "runs:/x", "runs:/../../etc/dataset", "runs:/" + "f" * 32 + "/dataset", "runs://x@y/z",
    "models:/", "models:/x", "models:/x@y", "models:/x/1", "models:/x/99999999999999999999", "models:/m-x",
    "models:/fear-classifier@challenger", "models:/fear'classifier@a", "mlflow-artifacts:/x",
    "mlflow-artifacts://host/x", "dbfs:/x", "htp://x", "://", "a://b", "tcp://", "tcp://x", "tcp://x:0",
    "tcp://127.0.0.1:9", "tcp://127.0.0.1:99999", "tls://" + "a" * 70 + ":80", "tcp://[::1]:9", "tcp://a..b:80",
    "tcp://user:secret@127.0.0.1:9", "f" * 32, "F" * 32, "0" * 31, "' or '1'='1", "'", '"', "`", "$(id)", "${HOME}",
    "%s%n", "{0}", "{{7*7}}", "; rm -rf x", "| id", "a|b", "<script>alert(1)</script>", "[1](javascript:x)", "=1+1",
    "@SUM(A1)", "*", "?", "[", "]", "(", "\\", "[a", "(?P<", "a" * 50 + "!", "{", '{"a": 1}', "[1, 2]",
    "majority,majority", "minirocket,svm", "S01,S02,S99", "cnn ", "CNN",
)  # fmt: skip


def parameter_values(seed: int, number: int) -> Iterator[tuple[str, str, str]]:
    """Entry point, parameter and value: every parameter of every entry point about as often as any other."""
    draw = random.Random(seed)  # noqa: S311
    pairs = [(entry_point, name) for entry_point, step in STEPS.items() for name in step.parameters]
    for turn in range(number):
        if turn % len(pairs) == 0:
            draw.shuffle(pairs)
        entry_point, name = pairs[turn % len(pairs)]
        yield entry_point, name, _value(draw, name)


def _value(draw: random.Random, name: str) -> str:
    kind = draw.random()
    if kind < 0.85:
        return draw.choice(TEXTS)
    default = str(PARAMETERS[name].default)
    if kind < 0.95 and default:  # nearly right
        place = draw.randrange(len(default) + 1)
        return default[:place] + draw.choice(TEXTS)[:40] + default[place:]
    return "".join(
        chr(draw.choice((draw.randrange(1, 128), draw.randrange(1, 0x3000)))) for _ in range(draw.randrange(1, 60))
    )


def damaged(seed: int, content: bytes, other: bytes = b"") -> bytes:
    """A file that a bad disk, a broken transfer, another program or an attacker has had in his hands.

    Args:
        seed: of what is done.
        content: of the file.
        other: another file, pieces of which may end up in it.
    """
    draw = random.Random(seed)  # noqa: S311
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        content = draw.choice(_DAMAGES)(draw, content, other)
    return content


def _place(draw: random.Random, content: bytes) -> int:
    # Beginnings and ends hold what says how to read the rest.
    return draw.choice((draw.randrange(len(content) + 1), min(len(content), draw.randrange(64)),
                        max(0, len(content) - draw.randrange(64))))  # fmt: skip


def _truncated(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    return content[: _place(draw, content)]


def _headless(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    return content[_place(draw, content) :]


def _flipped(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 8, 100))):
        if changed:
            changed[min(len(changed) - 1, _place(draw, content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _spliced(draw: random.Random, content: bytes, other: bytes) -> bytes:
    place, begin = _place(draw, content), _place(draw, other)
    return content[:place] + other[begin : begin + draw.choice((1, 10, 1000))] + content[place:]


def _twice(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    begin, end = sorted((_place(draw, content), _place(draw, content)))
    return content[:end] + content[begin:]


def _inserted(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    place = _place(draw, content)
    odd = (b"\0" * 10, b"\xff\xfe", b"\xed\xa0\x80", b"\n\n", b'"', b",,,", b"\r", b"{", b"[" * 2000, b"\x1b[2J")
    return content[:place] + draw.choice(odd) + content[place:]


def _huge_number(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    digits = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    if not digits:
        return content
    place = draw.choice(digits)
    number = draw.choice(
        (
            b"9" * 400,
            b"1e400",
            b"-1",
            b"nan",
            b"NaN",
            b"inf",
            b"null",
            b'"1"',
            b"[]",
            b"{}",
            b"true",
            b"1e308",
            b"0.5",
            str(2**64).encode(),
        )
    )
    return content[:place] + number + content[place + 1 :]


def _encoded(draw: random.Random, content: bytes, _other: bytes) -> bytes:
    text = content.decode("utf-8", errors="replace")
    return text.encode(draw.choice(("utf-16", "utf-32", "utf-8-sig", "cp037")), errors="replace")


def _empty(draw: random.Random, _content: bytes, _other: bytes) -> bytes:
    return draw.choice(
        (b"", b"\n", b" ", b"null", b"[]", b"{}", b"0", b'""', b"PAR1", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18)
    )


_DAMAGES = (
    _truncated,
    _headless,
    _flipped,
    _flipped,
    _spliced,
    _twice,
    _inserted,
    _huge_number,
    _huge_number,
    _encoded,
    _empty,
)
