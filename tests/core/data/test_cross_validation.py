"""Who is tested together, as the user writes it."""

from __future__ import annotations

import pytest

from steps.core.data.cross_validation import LOSO, CrossValidation
from steps.errors import UserError


@pytest.mark.parametrize("value", [LOSO, CrossValidation.of("loso-plain"), CrossValidation(2), CrossValidation(37)])
def test_what_is_written_is_read_back(value: CrossValidation) -> None:
    assert CrossValidation.of(str(value)) == value


@pytest.mark.parametrize("text", ["kfold", "group-kfold:1", "group-kfold:x", "group-kfold", "loso:2", ""])
def test_anything_else_is_quoted(text: str) -> None:
    expected = "'loso', 'loso-plain' or 'group-kfold:K' with K of at least 2"
    with pytest.raises(UserError, match=f"cv='{text}', expected {expected}"):
        CrossValidation.of(text)
