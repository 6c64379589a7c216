"""Models for new people, logged at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.entities import Run

from steps.tracking.models.final_model import FinalModel


def log_final_model(run: Run, network: bytes, training: Mapping[str, Any]) -> str:
    """Log a model whose network is trained already; returns its URI. `FinalModel` describes the arguments."""
    with FinalModel(training) as model:
        return model.log(run, network)
