"""A classifier judged by subjects: every metric with a 95% interval over people, for any model and table.

Trials of one person are alike, so an interval that counts trials is too narrow. Here people are left out, each with all
their trials (docs/evaluate.md of fear-classification has the method and how often the intervals hold the truth)::

    mlflow.models.evaluate(
        model, table, targets="label", model_type="classifier",
        evaluators="subjectwise", evaluator_config={"subject": "subject"},
    )
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.models import EvaluationResult
from mlflow.models.evaluation.artifacts import CsvEvaluationArtifact
from mlflow.models.evaluation.base import ModelEvaluator

from mlflow_subjectwise.statistics.estimates import estimates
from mlflow_subjectwise.statistics.names import at_level
from mlflow_subjectwise.statistics.predictions import levels_of, subjects_table

OPTIONS = ("subject", "subjects", "positive", "probability", "thresholds")
_TYPES = ("classifier", None)
_AT_ONCE = 500  # metrics; MLflow takes 1000


class SubjectwiseEvaluator(ModelEvaluator):
    """MLflow makes one for ``evaluators="subjectwise"``.

    ``evaluator_config``:

    - ``subject``: name of the column that says whose row it is; the model sees it only if its signature names it;
    - ``subjects``: instead, a list of whose row each is, where the data are arrays;
    - ``positive``: the label that is class 1; the larger one where left out;
    - ``probability``: column of the model's output with the probability of class 1;
    - ``thresholds``: for decisions, ``[0.5]`` where left out.

    Metrics are ``pooled/auc`` (over rows), ``subject/auc`` (mean probability of each subject) and so on, with ``_low``
    and ``_high``; artifacts are ``subjectwise.csv`` and ``subjectwise_subjects.csv``.
    """

    name = "subjectwise"

    @classmethod
    def can_evaluate(cls, *, model_type: str | None, evaluator_config: Mapping[str, Any], **_: Any) -> bool:
        """Whether it is a classifier."""
        return model_type in _TYPES

    def evaluate(
        self,
        *,
        model_type: str | None,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any],
        model: Any = None,
        predictions: str | None = None,
        **_: Any,
    ) -> EvaluationResult:
        """Judge, and record in the run.

        Raises:
            MlflowException: the table, the options or the model's output cannot be used; one line says what was
                expected.
        """
        config = dict(evaluator_config or {})
        if unknown := sorted(config.keys() - set(OPTIONS)):
            raise _refusal(f"{unknown[0]!r} is no option of the evaluator; expected some of {', '.join(OPTIONS)}")
        features, subjects = _subjects(dataset.features_data, config, model)
        labels, positive = _labels(dataset.labels_data, config.get("positive"))
        column = config.get("probability") or predictions
        output = dataset.predictions_data if model is None else model.predict(features)
        probabilities = _probabilities(output, column, model, features, positive, len(labels))
        trial = [str(number) for number in range(len(labels))]
        results = pd.DataFrame(
            {"subject": subjects, "trial": trial, "label": labels, "test_number": 1, "probability": probabilities}
        )
        thresholds = _thresholds(config.get("thresholds", (0.5,)))
        found = {level: estimates(scores, thresholds) for level, scores in levels_of(results).items()}
        rows = [
            {"level": level, "metric": name, **{part: estimate.get(part) for part in ("value", "low", "high")}}
            for level, of_level in found.items()
            for name, estimate in of_level.items()
        ]
        metrics = {
            at_level(row["level"], row["metric"]) + ("" if part == "value" else f"_{part}"): float(row[part])
            for row in rows
            for part in ("value", "low", "high")
            if row[part] is not None
        }
        tables = {"subjectwise": pd.DataFrame(rows), "subjectwise_subjects": subjects_table(results, thresholds)}
        return EvaluationResult(metrics, _record(run_id, metrics, tables), run_id)


def _subjects(features: Any, config: Mapping[str, Any], model: Any) -> tuple[Any, np.ndarray]:
    """The features as the model takes them, and whose row each is."""
    if ("subject" in config) == ("subjects" in config):
        raise _refusal("expected evaluator_config={'subject': '<column>'}, or 'subjects': a list, one per row")
    if "subjects" in config:
        subjects = np.asarray(config["subjects"])
        if subjects.shape != (len(features),):
            raise _refusal(f"subjects has {len(subjects)} entries, expected one for each of {len(features)} rows")
        return features, _names(subjects)
    column = config["subject"]
    if not isinstance(features, pd.DataFrame) or column not in features.columns:
        known = ", ".join(map(str, getattr(features, "columns", ()))) or "none (the data are arrays: use 'subjects')"
        raise _refusal(f"the data have no column {column!r} of subjects; columns are {known[:300]}")
    signature = model.metadata.get_input_schema() if model is not None and model.metadata else None
    is_input = signature is not None and signature.has_input_names() and column in signature.input_names()
    return (features if is_input else features.drop(columns=column)), _names(features[column].to_numpy())


def _names(subjects: np.ndarray) -> np.ndarray:
    if pd.isna(subjects).any():
        raise _refusal(f"row {int(np.flatnonzero(pd.isna(subjects))[0])} has no subject")
    return np.array([str(subject) for subject in subjects], dtype=object)


def _labels(given: Any, positive: Any) -> tuple[np.ndarray, Any]:
    if given is None:
        raise _refusal("expected labels: targets='<column>'")
    labels = np.asarray(given).ravel()
    classes = sorted(set(labels.tolist()))
    if len(classes) != 2:
        raise _refusal(f"the labels are {str(classes)[:200]}, expected two")
    if positive is None:
        positive = classes[1]
    elif positive not in classes:
        raise _refusal(f"positive is {positive!r}, expected one of {classes}")
    return (labels == positive).astype(np.int8), positive


def _thresholds(given: Any) -> tuple[float, ...]:
    thresholds = tuple(float(one) for one in (given if isinstance(given, Sequence) else [given]))
    if not thresholds or not all(0 < one < 1 for one in thresholds):
        raise _refusal(f"thresholds are {given!r}, expected numbers between 0 and 1")
    return thresholds


def _probabilities(output: Any, column: str | None, model: Any, features: Any, positive: Any, rows: int) -> np.ndarray:
    """Of class 1, shape ``(rows,)``."""
    if isinstance(output, pd.DataFrame):
        name = column or ("probability" if "probability" in output else None)
        if name is not None and name not in output:
            raise _refusal(f"the model's output has no column {name!r}; it has {', '.join(map(str, output.columns))}")
        output = output[name] if name is not None else output
    values = np.asarray(output)
    if values.ndim == 2 and values.shape[1] in (1, 2):
        values = values[:, -1]
    raw: Any = model.get_raw_model() if hasattr(model, "get_raw_model") else None
    if column is None and hasattr(raw, "predict_proba"):  # what is predicted are labels
        of_classes = np.asarray(raw.predict_proba(features))
        values = of_classes[:, list(raw.classes_).index(positive)]
    elif values.ndim == 1 and values.dtype == bool:
        values = values.astype(np.float64)
    if values.shape != (rows,) or not np.issubdtype(values.dtype, np.number):
        raise _refusal(
            f"the model's output has shape {values.shape} and type {values.dtype}, expected a probability for each of "
            f"{rows} rows; name its column: evaluator_config={{'probability': '<column>'}}"
        )
    values = values.astype(np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise _refusal(f"the model's output goes from {values.min():g} to {values.max():g}, expected probabilities")
    return values


def _record(run_id: str, metrics: Mapping[str, float], tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    client = MlflowClient()
    now = int(time.time() * 1000)
    values = [Metric(name, value, now, 0) for name, value in sorted(metrics.items())]
    for start in range(0, len(values), _AT_ONCE):
        client.log_batch(run_id, values[start : start + _AT_ONCE])
    with tempfile.TemporaryDirectory() as scratch:
        artifacts = {}
        for name, table in tables.items():
            path = Path(scratch) / f"{name}.csv"
            table.to_csv(path, index=False)
            client.log_artifact(run_id, str(path))
            artifacts[name] = CsvEvaluationArtifact(uri=f"runs:/{run_id}/{name}.csv", content=table)
    return artifacts


def _refusal(text: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(text)
