"""Reading trials: one CSV file per trial, with pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

POSITIVE = "fear"


def read_trials(folder: Path, subjects: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Trials ``(trials, timesteps, features)`` and labels ``(trials,)`` of ``<subject>/<label>/<trial>.csv``."""
    values, labels = [], []
    for subject in subjects:
        for path in sorted((folder / subject).glob("*/*.csv")):
            values.append(pd.read_csv(path).to_numpy(np.float32))
            labels.append(int(path.parent.name == POSITIVE))
    return np.stack(values), np.array(labels)
