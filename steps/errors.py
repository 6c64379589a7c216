"""The one exception a user is meant to read, and how untrusted values are put into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_SHOWN_LENGTH = 80
_LISTED = 12
# The end of a path says most.
SHOWN_PATH_LENGTH: Final = 200
# Longer than any useful message. Endless texts of libraries and endless lists of names are cut.
LONGEST_MESSAGE: Final = 1500


class UserError(Exception):
    """Something the user can mend: the message is one line naming what was found and what was expected.

    The command line prints it after ``error:`` and exits with status 2; any other exception is a bug
    and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, LONGEST_MESSAGE))


def one_line(text: str, length: int) -> str:
    """A text as one printable line: no control characters, no half characters, not endless."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def shown(value: object, length: int = _SHOWN_LENGTH) -> str:
    """An untrusted value as a message may print it: text quoted and escaped, one line, not endless."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def shown_path(path: str) -> str:
    """An untrusted path as a message may print it: as it is where that is safe, else escaped."""
    return path if path.isprintable() else ascii(path)


def listed(names: Sequence[object], most: int = _LISTED) -> str:
    """Untrusted names as a message may print them; of many, how many more there are."""
    text = ", ".join(shown(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
