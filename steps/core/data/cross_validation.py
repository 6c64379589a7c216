"""Who is tested together, as the user writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from steps.errors import UserError, shown

_LOSO, _PLAIN, _GROUPS = "loso", "loso-plain", "group-kfold"


@dataclass(frozen=True)
class CrossValidation:
    """One subject at a time, or subjects in groups.

    Attributes:
        groups: how many groups; None tests every subject alone (leave-one-subject-out).
        balanced: whether a fold that tests one subject sets another one of the other class aside, so that all folds
            train on as many subjects of each class.
    """

    groups: int | None = None
    balanced: bool = False

    @classmethod
    def of(cls, text: str) -> CrossValidation:
        """What ``loso``, ``loso-plain`` or ``group-kfold:K`` means.

        Raises:
            UserError: it is neither.
        """
        if text in (_LOSO, _PLAIN):
            return cls(balanced=text == _LOSO)
        scheme, _, count = text.partition(":")
        if scheme != _GROUPS or not count.isdecimal() or int(count) < 2:
            raise UserError(f"cv={shown(text)}, expected 'loso', 'loso-plain' or 'group-kfold:K' with K of at least 2")
        return cls(int(count))

    def __str__(self) -> str:
        """As `of` reads it."""
        if self.groups is None:
            return _LOSO if self.balanced else _PLAIN
        return f"{_GROUPS}:{self.groups}"


LOSO: Final = CrossValidation(balanced=True)
