"""What each step leaves for later ones and for the report, and whether a run still has all of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
from mlflow.entities import Run

from steps.errors import UserError
from steps.tracking import datasets, documents, lookup
from steps.tracking.models import reading
from steps.tracking.store.artifact_places import holds

PREDICTION_COLUMNS: Final = ("subject", "trial", "label", "test_number", "probability")
# Tables that are read back, with columns that they must have; which attributions are shown `steps.report` decides.
TABLES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "evaluate": {
        "results.csv": PREDICTION_COLUMNS,
        "subjects.csv": ("subject", "label", "trials", "probability"),
        "in_fold_thresholds.csv": ("subject", "test_number", "fold", "threshold"),
    },
    "attribute": {
        "feature_importance.csv": ("feature", "importance", "sd", "rank"),
        "attribution_map.csv": ("feature",),
        "class_trajectories.csv": (),
        "time_importance.csv": (),
        "importance_by_outcome.csv": (),
        "deletion_insertion.csv": (),
    },
}
# Columns of spreads, of limits of intervals, and of what was not chosen.
_MAY_BE_EMPTY = re.compile(r"sd|youden_j|(\w+_)?(low|high)")
# What the driver hands on.
_TAGS: Mapping[str, Sequence[str]] = {
    "prepare": ("dataset_uri", "dataset_digest"),
    "train": ("dataset_uri", "dataset_digest", "final_model_run_id", "final_model_uri"),
}


def may_be_empty(column: str) -> bool:
    """Whether a cell in a column of `TABLES` may be empty."""
    return _MAY_BE_EMPTY.fullmatch(column) is not None


def table(run: Run, path: str) -> pd.DataFrame:
    """One of `TABLES`.

    Raises:
        UserError: it is gone or damaged.
    """
    required = next(tables[path] for tables in TABLES.values() if path in tables)
    return documents.table_of(run, path, required, may_be_empty)


def check(run: Run, entry_point: str) -> None:
    """Read all that a finished run of a step has left.

    Raises:
        UserError: some of it is gone, damaged, or another one than was recorded.
    """
    for name in _TAGS.get(entry_point, ()):
        documents.required_tag(run, name)
    if entry_point == "prepare":
        datasets.manifest_of(run)
        uri = f"{run.info.artifact_uri}/{datasets.DATASET_FOLDER}"
        datasets.load_dataset(uri, documents.required_tag(run, "dataset_digest"))
    elif entry_point == "train":
        documents.json_of(run, "runtime.json", documents.Runtime)
        for fold in lookup.fold_runs(run.info.run_id):
            lookup.load_history(fold)
            if not reading.has_network(fold.run):
                raise UserError(f"the model of its {fold.run.info.run_name} is gone")
    elif entry_point == "evaluate":
        documents.json_of(run, "summary.json", documents.Summary)
    for path in TABLES.get(entry_point, {}):
        if not holds(run, path):
            raise UserError(f"its {path} is gone")
        table(run, path)
