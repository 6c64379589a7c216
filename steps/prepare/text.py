"""Untrusted text in messages: escaped, on one line, not endless."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN_LENGTH = 80
_SHOWN_NAMES = 12


def shown(value: object) -> str:
    """An untrusted value as a message may print it: text quoted and escaped, one line, not endless."""
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"


def shown_path(path: str) -> str:
    """An untrusted path as a message may print it: as it is where that is safe, else escaped."""
    return path if path.isprintable() else ascii(path)


def listed(names: Sequence[object]) -> str:
    """Untrusted names as a message may print them; of many, how many more there are."""
    text = ", ".join(shown(name) for name in names[:_SHOWN_NAMES])
    return text if len(names) <= _SHOWN_NAMES else f"{text} and {len(names) - _SHOWN_NAMES} more"
