"""Reading a finished study back: what a report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.commands import manager_to_repeat_with
from steps.core.attribution.results import INTERVAL_COLUMNS, REPORTED_TABLES
from steps.parameters import Value
from steps.report.data import ReportData, StepTime
from steps.report.evaluations import PREDICTION_COLUMNS
from steps.tracking import documents, lookup
from steps.tracking.store.tracking_uri import without_credentials_in

_REPOSITORY_TAGS = ("mlflow.source.git.repoURL", "mlflow.gitRepoURL")
_COMMIT_TAGS = ("mlflow.source.git.commit", "git_commit")
_VERSION = "version."
# Only a spread, an interval or what was not chosen may be missing.
_MISSING = {name: [""] for name in ("sd", "youden_j", *INTERVAL_COLUMNS)}
# The tables of each step that a report shows, with columns they must have.
_TABLES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "evaluate": {
        "results.csv": PREDICTION_COLUMNS,
        "subjects.csv": ("subject", "label", "trials", "probability"),
        "in_fold_thresholds.csv": ("subject", "test_number", "fold", "threshold"),
    },
    "attribute": {
        "feature_importance.csv": ("feature", "importance", "sd", "rank"),
        "attribution_map.csv": ("feature",),
        **{f"{name}.csv": () for name in REPORTED_TABLES},
    },
}


def report_data(study: Run, parameters: Mapping[str, Value], steps: Mapping[str, tuple[Run, bool]]) -> ReportData:
    """Everything a report needs.

    Args:
        study: the driver's run.
        parameters: the driver's, typed.
        steps: the finished run of each step, by entry point in the order they ran, and whether it was reused.

    Raises:
        UserError: something is gone or damaged.
    """
    prepare, train, evaluate, attribute = (steps[name][0] for name in ("prepare", "train", "evaluate", "attribute"))
    folds = lookup.fold_runs(train.info.run_id)
    tags = MlflowClient().get_run(study.info.run_id).data.tags
    return ReportData(
        run_name=study.info.run_name,
        run_id=study.info.run_id,
        started=datetime.fromtimestamp(study.info.start_time / 1000, UTC),
        parameters=parameters,
        manifest=lookup.manifest_of(prepare),
        summary=documents.json_of(evaluate, "summary.json", documents.Summary),
        results=_table(evaluate, "results.csv"),
        subjects=_table(evaluate, "subjects.csv"),
        histories=[lookup.load_history(fold) for fold in folds],
        importance=_table(attribute, "feature_importance.csv"),
        attribution_map=_table(attribute, "attribution_map.csv"),
        attribution_metrics=attribute.data.metrics,
        attribution_tables={name: _table(attribute, f"{name}.csv") for name in REPORTED_TABLES},
        runtime=documents.json_of(train, "runtime.json", documents.Runtime),
        steps=[StepTime(name, run.info.run_id, _wall_time(run), reused) for name, (run, reused) in steps.items()],
        in_fold=_table(evaluate, "in_fold_thresholds.csv"),
        inference_ms_per_trial=evaluate.data.metrics.get("inference_ms_per_trial"),
        commit=next((tags[name] for name in _COMMIT_TAGS if name in tags), ""),
        repository=_repository(tags),
        env_manager=manager_to_repeat_with(),
        code_digest=tags.get("code_sha256", ""),
        has_local_changes=tags.get("git_dirty") == "true",
        software=_software(train),
    )


def check(run: Run, entry_point: str) -> None:
    """Read what a report needs of a step's run.

    Raises:
        UserError: some of it is gone or damaged.
    """
    if entry_point == "prepare":
        lookup.manifest_of(run)
    elif entry_point == "train":
        documents.json_of(run, "runtime.json", documents.Runtime)
        for fold in lookup.fold_runs(run.info.run_id):
            lookup.load_history(fold)
    elif entry_point == "evaluate":
        documents.json_of(run, "summary.json", documents.Summary)
    for path in _TABLES.get(entry_point, {}):
        _table(run, path)


def _table(run: Run, path: str) -> pd.DataFrame:
    required = next(tables[path] for tables in _TABLES.values() if path in tables)
    return documents.table_of(run, path, required, _MISSING)


def _wall_time(run: Run) -> float:
    return (run.info.end_time - run.info.start_time) / 1000 if run.info.end_time else 0.0


def _repository(tags: Mapping[str, str]) -> str:
    """Where the code was fetched from; empty for a folder, whose path means nothing to others."""
    found = next((tags[name] for name in _REPOSITORY_TAGS if tags.get(name)), "")
    return "" if found.startswith(("file:", "/", ".")) else without_credentials_in(found)


def _software(train: Run) -> dict[str, str]:
    """What the models were trained with; empty for a run that did not record it."""
    tags = train.data.tags
    versions = {name.removeprefix(_VERSION): value for name, value in tags.items() if name.startswith(_VERSION)}
    return {name: tags[name] for name in ("python", "os", "cpu") if name in tags} | dict(sorted(versions.items()))
