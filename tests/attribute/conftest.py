"""What these tests share with those of the room below."""

from __future__ import annotations

from tests.core.attribution.conftest import network, values

__all__ = ["network", "values"]
