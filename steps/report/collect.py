"""Reading a finished study back: what a report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Run

from steps.commands import manager_to_repeat_with
from steps.core.attribution.results import REPORTED_TABLES
from steps.core.data.labelling import VALUE, output_columns
from steps.parameters import Value
from steps.report.data import ReportData, StepTime
from steps.tracking import datasets, documents, environment, lookup, products
from steps.tracking.store.artifact_places import holds

_COMMIT_TAGS = ("mlflow.source.git.commit", "git_commit")
_VERSION = "version."


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
    manifest = datasets.manifest_of(prepare)
    tags = MlflowClient().get_run(study.info.run_id).data.tags
    return ReportData(
        run_name=study.info.run_name,
        run_id=study.info.run_id,
        started=datetime.fromtimestamp(study.info.start_time / 1000, UTC),
        parameters=parameters,
        manifest=manifest,
        summary=documents.json_of(evaluate, "summary.json", documents.Summary),
        audit=documents.json_of(evaluate, "audit.json", documents.Audit),
        results=products.table(evaluate, "results.csv"),
        subjects=products.table(evaluate, "subjects.csv"),
        histories=[lookup.load_history(fold) for fold in folds],
        importance=products.table(attribute, "feature_importance.csv"),
        attribution_map=products.table(attribute, "attribution_map.csv"),
        attribution_metrics=attribute.data.metrics,
        attribution_tables={name: products.table(attribute, f"{name}.csv") for name in REPORTED_TABLES},
        runtime=documents.json_of(train, "runtime.json", documents.Runtime),
        steps=[StepTime(name, run.info.run_id, _wall_time(run), reused) for name, (run, reused) in steps.items()],
        in_fold=products.table(evaluate, "in_fold_thresholds.csv"),
        quality=documents.json_of(prepare, "quality.json", documents.Quality)
        if holds(prepare, "quality.json")
        else None,
        inference_ms_per_trial=evaluate.data.metrics.get("inference_ms_per_trial"),
        commit=next((tags[name] for name in _COMMIT_TAGS if name in tags), ""),
        repository=environment.repository(tags),
        env_manager=manager_to_repeat_with(),
        code_digest=tags.get("code_sha256", ""),
        has_local_changes=tags.get("git_dirty") == "true",
        software=_software(train),
        label_results=documents.table_of(
            evaluate,
            "label_results.csv",
            ("subject", "trial", VALUE, "test_number", *output_columns(manifest.labelling)),
            products.may_be_empty,
        )
        if manifest.labelling
        else None,
    )


def _wall_time(run: Run) -> float:
    return (run.info.end_time - run.info.start_time) / 1000 if run.info.end_time else 0.0


def _software(train: Run) -> dict[str, str]:
    """What the models were trained with; empty for a run that did not record it."""
    tags = train.data.tags
    versions = {name.removeprefix(_VERSION): value for name, value in tags.items() if name.startswith(_VERSION)}
    return {name: tags[name] for name in ("python", "os", "cpu") if name in tags} | dict(sorted(versions.items()))
