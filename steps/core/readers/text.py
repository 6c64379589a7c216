"""Untrusted text in messages: escaped, on one line, not endless."""

from __future__ import annotations

from collections.abc import Sequence

from steps.errors import shown as shown
from steps.errors import shown_path as shown_path

_SHOWN_NAMES = 12


def listed(names: Sequence[object]) -> str:
    """Untrusted names as a message may print them; of many, how many more there are."""
    text = ", ".join(shown(name) for name in names[:_SHOWN_NAMES])
    return text if len(names) <= _SHOWN_NAMES else f"{text} and {len(names) - _SHOWN_NAMES} more"
