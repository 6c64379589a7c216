"""Small described studies in layouts that laboratories have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tests.core.readers.helpers import long_frame

SUBJECTS = {"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm"}
E4_START = 1_600_000_000.0
E4_RATES = {"EDA": 4, "BVP": 64, "TEMP": 4, "HR": 1, "ACC": 32}


def described(folder: Path, text: str) -> str:
    """Write ``study.yaml`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(text)
    return str(folder)


def frame() -> pd.DataFrame:
    """A study of four people, 3 trials each, and one of the control group."""
    return long_frame({**SUBJECTS, "C1": ""}, trials=3, timesteps=12)


def write_trials(study: pd.DataFrame, folder: Path, path: str, columns: dict[str, str] | None = None) -> None:
    """A file per trial, its path made of ``{subject}``, ``{label}`` and ``{trial}``."""
    for key, rows in study.groupby(["subject", "label", "trial"], sort=False):
        subject, label, trial = map(str, key)
        file = folder / path.format(subject=subject, label=label or "none", trial=trial)
        file.parent.mkdir(parents=True, exist_ok=True)
        rows[["time", "knee", "hip"]].rename(columns=columns or {}).to_csv(file, index=False)


def write_e4(folder: Path, seconds: int = 100, seed: int = 0) -> None:
    """An Empatica E4 folder of random walks; the heart rate begins 10 seconds later, as the device has it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name, rate in E4_RATES.items():
        start = E4_START + 10 * (name == "HR")
        shape = (int((E4_START + seconds - start) * rate), 3 if name == "ACC" else 1)
        rows = [[start] * shape[1], [float(rate)] * shape[1], *rng.normal(size=shape).cumsum(axis=0).tolist()]
        (folder / f"{name}.csv").write_text("".join(",".join(f"{cell:.6f}" for cell in row) + "\n" for row in rows))
    (folder / "tags.csv").write_text("".join(f"{E4_START + second}\n" for second in (10, 50, 90)))


E4 = "\n".join(["sources:", *(f"  {name}: '{{subject}}/{name}.csv'" for name in E4_RATES), "rate: 4", ""])
