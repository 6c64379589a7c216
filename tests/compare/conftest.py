"""What these tests share with those of the metrics."""

from __future__ import annotations

from tests.core.metrics.conftest import make_method

__all__ = ["make_method"]
