"""Environment variables that have a value for a while."""

from __future__ import annotations

import os

import pytest

from steps.system.environment_variables import environment_variables


def test_they_have_values_inside_and_afterwards_what_they_had_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEAR_GIVEN", "before")
    monkeypatch.setenv("FEAR_EMPTY", "")
    monkeypatch.delenv("FEAR_NONE", raising=False)
    names = ("FEAR_GIVEN", "FEAR_EMPTY", "FEAR_NONE")
    before = dict(os.environ)

    def look_and_fail() -> None:
        with environment_variables(dict.fromkeys(names, "inside")):
            raise RuntimeError([os.environ[name] for name in names])

    with pytest.raises(RuntimeError, match="'inside', 'inside', 'inside'"):
        look_and_fail()
    assert dict(os.environ) == before
    with environment_variables({"FEAR_NONE": "inside"}):
        del os.environ["FEAR_NONE"]  # somebody has tidied up already
    assert dict(os.environ) == before
