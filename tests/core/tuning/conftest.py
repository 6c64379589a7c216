from __future__ import annotations

import pytest

from steps.core.models.table import Choice, Range
from steps.core.tuning.space import Space


@pytest.fixture
def space() -> Space:
    """Two networks of different parameters, one of them of the same name."""
    networks: dict[str, dict[str, Range | Choice]] = {
        "cnn": {"learning_rate": Range(1e-4, 1e-2, logarithmic=True), "epochs": Range(20, 120)},
        "soft_minirocket": {"epochs": Range(20, 120), "class_weight": Choice(("balanced", "none"))},
    }
    return Space(networks, {"model": "cnn", "learning_rate": 1e-3, "epochs": 60})
