"""Which encoding a text is in: told by its mark, by zeros between its letters, or by what can be decoded."""

from __future__ import annotations

import re
from typing import Final

from steps.errors import UserError

_LOOK: Final = 1 << 16
_MARKS: Final = (  # UTF-32 begins with the mark of UTF-16
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_TITLES: Final = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32-le": "UTF-32", "utf-32-be": "UTF-32",
                  "cp1252": "cp1252", "latin-1": "Latin-1"}  # fmt: skip
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def decoded(raw: bytes, name: str) -> tuple[bytes, str | None]:
    """A text in UTF-8, without mark and with ``\\n`` at the ends of its lines, and what it was in before.

    Returns:
        The text, and None for ASCII, "" for UTF-8, else ``UTF-16``, ``UTF-32``, ``cp1252`` or ``Latin-1``.

    Raises:
        UserError: it is no text.
    """
    encoding = encoding_of(raw, name)
    mark = next((mark for mark, of in _MARKS if of == encoding and raw.startswith(mark)), b"")
    if mark:
        raw = raw[len(mark) :]
    if encoding != "utf-8":
        try:
            raw = raw.decode(encoding).encode()
        except UnicodeError as error:
            raise UserError(f"{name} is no text in {_TITLES[encoding]}, though it begins so: {error}") from error
    if _CONTROL.search(raw, 0, _LOOK):
        raise UserError(f"{name} is no text: it holds control characters")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw, _TITLES.get(encoding, None if raw.isascii() and not mark else "")


def is_text(raw: bytes) -> bool:
    """Whether a file holds text, in whatever encoding."""
    try:
        decoded(raw, "")
    except UserError:
        return False
    return True


def encoding_of(raw: bytes, name: str) -> str:
    """The encoding, as Python calls it.

    Raises:
        UserError: text in UTF-8 but for some bytes, which is damaged.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    if b"\0" in raw[:_LOOK]:
        look = raw[: _LOOK & ~1]
        for encoding, zeros in (("utf-16-le", look[1::2]), ("utf-16-be", look[::2])):
            if zeros.count(0) > 0.4 * len(look) / 2 and look.count(0) == zeros.count(0):
                return encoding
    if raw.isascii():
        return "utf-8"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        around = raw[max(error.start - _LOOK, 0) : error.start + _LOOK].decode("utf-8", "ignore")
        if not around.isascii():
            raise UserError(
                f"{name} is not UTF-8 text: byte 0x{raw[error.start]:02x} at offset {error.start}, though others are; "
                "it is damaged, or put together of two"
            ) from error
    else:
        return "utf-8"
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
