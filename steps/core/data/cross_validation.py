"""Who is tested together, as the user writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from steps.errors import UserError, shown

_LOSO, _GROUPS = "loso", "group-kfold"


@dataclass(frozen=True)
class CrossValidation:
    """One subject at a time, or subjects in groups.

    Attributes:
        groups: how many groups; None tests every subject alone (leave-one-subject-out).
    """

    groups: int | None = None

    @classmethod
    def of(cls, text: str) -> CrossValidation:
        """What ``loso`` or ``group-kfold:K`` means.

        Raises:
            UserError: it is neither.
        """
        if text == _LOSO:
            return cls()
        scheme, _, count = text.partition(":")
        if scheme != _GROUPS or not count.isdecimal() or int(count) < 2:
            raise UserError(f"cv={shown(text)}, expected 'loso' or 'group-kfold:K' with K of at least 2")
        return cls(int(count))

    def __str__(self) -> str:
        """As `of` reads it."""
        return _LOSO if self.groups is None else f"{_GROUPS}:{self.groups}"


LOSO: Final = CrossValidation()
