"""Marks that stand where a number is missing (``-``, ``#NV``), and minus signs that are no hyphens.

Looked for only in texts that could not be read as they are, and only in lines that hold a number.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

MINUS: Final = "\u2212"
# Of one or two points and hyphens, of words, and of what spreadsheets write where they could not compute.
_MARKS: Final = (
    rb"-|--|---|\.|\.\.|\.\.\.|\?|\*|none|nil|missing|n\.a\.|n\.d\.|k\.a\.|#nv|#wert!|#bezug!|#value!|#ref!|#num!|#zahl!|#div/0!|"
    rb"-?nan\(ind\)|-?nan\(snan\)|\xe2\x80\x93|\xe2\x80\x94|\xe2\x88\x92"
)
_SEPARATORS: Final = (b"\t", b";", b"|", b",")
_LINES: Final = 20  # whose separators are counted
_SIGN: Final = MINUS.encode()
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def without_marks(raw: bytes) -> tuple[bytes, Counter[str]]:
    """A text with missing values in place of marks, and minus signs as hyphens; how often each was there.

    Args:
        raw: in UTF-8, another encoding that has ASCII in it, or UTF-16 with its mark.
    """
    if raw.startswith(_UTF16):
        try:
            mended, found = without_marks(raw.decode("utf-16").encode())
        except UnicodeError:
            return raw, Counter()
        return mended.decode().encode("utf-16"), found
    lines = raw.split(b"\n")
    below = lines[-_LINES - 1 :]
    separator = max(_SEPARATORS, key=lambda one: sum(line.count(one) for line in below))
    if not any(separator in line for line in below):
        separator = b" "
    found = Counter[str]()
    ends, missing = (rb"[ \t]", b"NaN") if separator == b" " else (re.escape(separator), b"")
    number = re.compile(rb"(?:^|" + ends + rb")[ \t]*\"?(?:[+-]|" + _SIGN + rb")?[.,]?\d")
    sign = re.compile(rb"(^|" + ends + rb")([ \t]*\"?)" + _SIGN + rb"(?=[.,]?\d)")
    blanks = b"" if separator == b" " else b"[ \\t]*"
    mark = re.compile(
        rb"(^|" + ends + rb")" + blanks + rb"(\"?)(" + _MARKS + rb")\2" + blanks + rb"(?=" + ends + rb"|\r?$)",
        re.IGNORECASE,
    )

    def hyphen(match: re.Match[bytes]) -> bytes:
        found[MINUS] += 1
        return match[1] + match[2] + b"-"

    def nothing(match: re.Match[bytes]) -> bytes:
        found[match[3].decode().replace(MINUS, "-")] += 1
        return match[1] + missing

    for i, line in enumerate(lines):
        if number.search(line):
            lines[i] = mark.sub(nothing, sign.sub(hyphen, line) if _SIGN in line else line)
    return (b"\n".join(lines), found) if found else (raw, found)


def described(found: Counter[str]) -> list[str]:
    """What was taken for what, one sentence each."""
    notes = []
    marks = [f"{mark!r} ({_counted(count, 'cell')})" for mark, count in found.most_common() if mark != MINUS]
    if marks:
        notes.append(f"Took {', '.join(marks)} for missing values.")
    if found[MINUS]:
        notes.append(f"Took the sign {MINUS!r} (U+2212) of {_counted(found[MINUS], 'number')} for a minus.")
    return notes


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
