"""What these tests share with those of the room below."""

from __future__ import annotations

from tests.core.metrics.conftest import make_method, study

__all__ = ["make_method", "study"]
