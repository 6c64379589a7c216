"""What a report is made from. `steps.report.collect` reads it from MLflow; tests make it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from steps.core.data.manifest import Manifest
from steps.core.data.normalise import SUBJECT
from steps.parameter_values import AUTO
from steps.parameters import Value


@dataclass(frozen=True)
class StepTime:
    """One step of the study.

    Attributes:
        name: its entry point.
        run_id: the run that holds its result.
        seconds: wall time of that run.
        reused: whether an earlier study had run it.
    """

    name: str
    run_id: str
    seconds: float
    reused: bool


@dataclass(frozen=True, eq=False)
class ReportData:
    """A finished study.

    Attributes:
        run_name: name of the driver's run.
        run_id: ID of the driver's run.
        started: when the driver started, with its time zone.
        parameters: of the driver, typed.
        manifest: of the dataset.
        summary: from `steps.core.metrics.summary.summary`.
        results: from `steps.core.metrics.predictions.results_table`.
        subjects: from `steps.core.metrics.predictions.subjects_table`.
        histories: a row per epoch, one table per fold.
        importance: from `steps.core.attribution.importance.feature_importance`.
        attribution_map: from `steps.core.attribution.importance.attribution_map`, unsigned.
        attribution_metrics: ``completeness_error_max`` and so on, and ``planted_truth_auc`` where defined.
        attribution_tables: what else the attribution step left for its figures, by the name of the file, as in
            `steps.core.figures.attribution.all_figures`.
        runtime: ``runtime.json`` of the training.
        steps: the steps in the order they ran.
        audit: from `steps.core.audit.audit.document`, where the evaluation has it.
        in_fold: from `steps.core.metrics.in_fold_threshold.in_fold_table`, where the evaluation has it.
        quality: ``quality.json`` of the data, where they were looked at.
        inference_ms_per_trial: median over the folds, where measured.
        commit: the version of the code, empty where unknown.
        repository: where others find it, empty when the code was run from a folder.
        env_manager: what builds the environment for whoever repeats the study.
        has_local_changes: whether the code differed from that commit.
        code_digest: SHA-256 of the code, local changes included; empty where unknown.
        software: what the models were trained with: ``python``, ``os``, ``cpu``, packages; name -> version.
        label_results: from `steps.core.metrics.labels.predictions.label_results_table`, where labels are more than yes
            or no.
    """

    run_name: str
    run_id: str
    started: datetime
    parameters: Mapping[str, Value]
    manifest: Manifest
    summary: Mapping[str, Any]
    results: pd.DataFrame
    subjects: pd.DataFrame
    histories: Sequence[pd.DataFrame]
    importance: pd.DataFrame
    attribution_map: pd.DataFrame
    attribution_metrics: Mapping[str, float]
    runtime: Mapping[str, float]
    steps: Sequence[StepTime]
    audit: Mapping[str, Any] | None = None
    in_fold: pd.DataFrame | None = None
    attribution_tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    quality: Mapping[str, Any] | None = None
    inference_ms_per_trial: float | None = None
    commit: str = ""
    repository: str = ""
    env_manager: str = "uv"
    has_local_changes: bool = False
    code_digest: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    label_results: pd.DataFrame | None = None

    @property
    def explained_names(self) -> tuple[str, str]:
        """The same of the question whose probability is attributed."""
        name, labelling = str(self.parameters.get("explained_class", AUTO)), self.manifest.labelling
        return self.label_names if name == AUTO or labelling is None else labelling.asking(name).question

    @property
    def label_names(self) -> tuple[str, str]:
        """Names of the negative and the positive class."""
        return self.manifest.labels["0"], self.manifest.labels["1"]

    @property
    def is_within_subjects(self) -> bool:
        """Whether each subject's trials were standardised by themselves."""
        return self.parameters.get("normalise") == SUBJECT

    @property
    def is_simulated(self) -> bool:
        """Whether the study was made up, and what it changed is known."""
        return self.manifest.planted_truth is not None
