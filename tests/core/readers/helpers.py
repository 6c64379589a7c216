"""Small studies to spoil: a long frame, and the same study as a folder of trial files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = ["knee", "hip"]


def long_frame(
    subjects: dict[str, str] | None = None, trials: int = 2, timesteps: int = 5, seed: int = 0
) -> pd.DataFrame:
    """A long table of ``trials`` per subject; ``subjects`` maps a name to its label ("" = the control group)."""
    subjects = subjects or {"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm"}
    rng = np.random.default_rng(seed)
    rows = [
        {
            "subject": subject,
            "label": label,
            "trial": f"t{trial}",
            "group": "" if label else "control",
            "time": 0.5 * step,
        }
        for subject, label in subjects.items()
        for trial in range(trials)
        for step in range(timesteps)
    ]
    frame = pd.DataFrame(rows)
    frame[FEATURES] = np.round(rng.normal(size=(len(frame), len(FEATURES))), 3)
    return frame


def write_table(frame: pd.DataFrame, path: Path) -> str:
    """Write a frame where ``path`` says, by its suffix."""
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return str(path)


def write_folder(frame: pd.DataFrame, folder: Path, with_time: bool = True) -> str:
    """Write a frame as ``participants/`` and ``control_data/``."""
    for key, rows in frame.groupby(["subject", "label", "trial", "group"], sort=False):
        subject, label, trial, group = map(str, key)
        parts = ["control_data", subject] if group == "control" else ["participants", subject, label]
        path = folder.joinpath(*parts, f"{trial}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        rows[["time", *FEATURES] if with_time else FEATURES].to_csv(path, index=False)
    return str(folder)


def trial_file(folder: str, subject: str = "S1", label: str = "fear", trial: str = "t0") -> Path:
    """A trial file of a study that ``write_folder`` wrote."""
    return Path(folder, "participants", subject, label, f"{trial}.csv")
