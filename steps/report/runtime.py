"""Where the time of a study went, as one table."""

from __future__ import annotations

import pandas as pd

from steps.report.data import ReportData


def runtime_summary(data: ReportData) -> pd.DataFrame:
    """A row per phase: seconds in total and per fold; inference in milliseconds per trial.

    ``training`` is what the folds' fits took together, in processes side by side; ``train`` is the step's wall time.
    """
    folds = int(data.runtime["folds"])
    rows = [{"phase": step.name, "total_s": step.seconds, "reused": step.reused} for step in data.steps]
    rows += [
        {
            "phase": "training",
            "total_s": data.runtime["training_s"],
            "mean_per_fold_s": data.runtime["training_s_mean_per_fold"],
            "folds": folds,
        },
        {"phase": "inference", "ms_per_trial": data.inference_ms_per_trial, "folds": folds},
        {"phase": "total", "total_s": sum(step.seconds for step in data.steps)},
    ]
    columns = ["phase", "total_s", "mean_per_fold_s", "ms_per_trial", "folds", "reused"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"folds": "Int64", "reused": "boolean", "total_s": float, "ms_per_trial": float})
