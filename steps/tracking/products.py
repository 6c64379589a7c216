"""What each step leaves for later ones and for the report, and whether a run still has all of it."""

from __future__ import annotations

import re

import pandas as pd
from mlflow.entities import Run

from steps.errors import UserError
from steps.parameters import STEPS
from steps.tracking import datasets, documents, lookup
from steps.tracking.models import reading
from steps.tracking.store.artifact_places import holds

# Columns that may be empty: spreads, limits of intervals, thresholds that were not chosen.
_MAY_BE_EMPTY = re.compile(r"sd|youden_j|(\w+_)?(low|high)")


def may_be_empty(column: str) -> bool:
    """Whether a cell in a column of such a table may be empty."""
    return _MAY_BE_EMPTY.fullmatch(column) is not None


def table(run: Run, path: str) -> pd.DataFrame:
    """One of the tables that steps leave (`STEPS`).

    Raises:
        UserError: it is gone or damaged.
    """
    required = next(step.tables[path] for step in STEPS.values() if path in step.tables)
    return documents.table_of(run, path, required, may_be_empty)


def check(run: Run, entry_point: str) -> None:
    """Read all that a finished run of a step has left.

    Raises:
        UserError: some of it is gone, damaged, or another one than was recorded.
    """
    for name in STEPS[entry_point].tags:
        documents.required_tag(run, name)
    if entry_point == "prepare":
        datasets.manifest_of(run)
        documents.json_of(run, "quality.json", documents.Quality)
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
        documents.json_of(run, "audit.json", documents.Audit)
    for path in STEPS[entry_point].tables:
        if not holds(run, path):
            raise UserError(f"its {path} is gone")
        table(run, path)
