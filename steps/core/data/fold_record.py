"""All there is to record of a fold that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.core.data.fold import Fold

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FoldRecord:
    """All there is to record of a fold; it travels from a training process to the one that records.

    Attributes:
        fold: who trained, validated and is tested.
        parameters: hyperparameters, seeds, shapes, class counts.
        metrics: training metrics, times of the phases in seconds, peak memory of the process in MiB.
        history: a row per epoch (from 1), a column per metric.
        timestamps_ms: end of each epoch, Unix milliseconds.
        network: content of the model's ``.keras`` file.
        shape: of a trial, ``(timesteps, features)``.
        model_summary: the architecture as text.
        started_ms: start of the fold, Unix milliseconds.
        ended_ms: its end.
        machine: tags that tell which machine it was trained on.
        left_out: what is said of each training trial by the model fitted without its subject, where that is known.
    """

    fold: Fold
    parameters: dict[str, Any]
    metrics: dict[str, float]
    history: pd.DataFrame
    timestamps_ms: list[int]
    network: bytes
    shape: tuple[int, int]
    model_summary: str
    started_ms: int
    ended_ms: int
    machine: dict[str, str]
    left_out: pd.DataFrame | None = None
