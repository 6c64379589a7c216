"""Folds that cost no training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from steps.core.data.fold import Fold
from steps.core.data.fold_record import FoldRecord


def record_of(subject: str, ended_ms: int = 2, *, test_number: int = 1) -> FoldRecord:
    values = np.random.default_rng(0).normal(size=(3, 2))
    history = pd.DataFrame(values, columns=["loss", "val_loss"], index=pd.RangeIndex(1, 4, name="epoch"))
    return FoldRecord(
        fold=Fold(subject, test_number, (subject,), ("V",), ("A", "B"), "fear", 2**62 + 1),
        parameters={"seed": 2**62 + 1, "learning_rate": 0.1 + 0.2, "early": True, "precision": "float32"},
        metrics={"best_val_loss": 1 / 3},
        history=history,
        timestamps_ms=[1, 2, 3],
        network=bytes(range(256)) * 40,
        shape=(21, 6),
        model_summary="a summary ü\n",
        started_ms=1,
        ended_ms=ended_ms,
        machine={"os": "Linux"},
    )
