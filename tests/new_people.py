"""New people's recordings as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from steps.core.data.dataset import Dataset


def long_table(dataset: Dataset, *, labels: bool = True) -> pd.DataFrame:
    points = dataset.timesteps
    table = pd.DataFrame(dataset.values.reshape(-1, len(dataset.features)), columns=list(dataset.features))
    table.insert(0, "time", np.tile(dataset.time, len(dataset.labels)))
    table.insert(0, "trial", np.repeat(dataset.trials, points))
    if labels:
        table.insert(0, "label", np.repeat(np.array(dataset.label_names)[dataset.labels], points))
    table.insert(0, "group", np.repeat(np.where(dataset.is_control, "control", "patient"), points))
    table.insert(0, "subject", np.repeat(dataset.subjects, points))
    return table


def write_folder(dataset: Dataset, folder: Path, *, labels: bool) -> None:
    for i, subject in enumerate(dataset.subjects):
        if dataset.is_control[i]:
            parent = folder / "control_data" / subject
        else:
            parent = folder / "participants" / subject
            if labels:
                parent = parent / dataset.label_names[dataset.labels[i]]
        parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(dataset.values[i], columns=list(dataset.features))
        frame.insert(0, "time", dataset.time)
        frame.to_csv(parent / f"{dataset.trials[i]}.csv", index=False)
