"""Studies that were written by hand: a training with folds, an evaluation, an attribution, a registered version."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.models import Model

from steps.core.metrics.estimates import point_values
from steps.core.metrics.predictions import subject_scores, trial_scores
from steps.core.models.keras_file import as_bytes
from steps.tracking import record
from steps.tracking.experiments import experiment
from steps.tracking.models import final_model, registry
from steps.tracking.models.fold_model import log_saved
from steps.tracking.store.digests import SPLIT, digest_tags
from steps.tracking.store.opening import pin_tracking_uri
from tests.core.metrics.conftest import MethodMaker, make_method

__all__ = ["make_method"]

Registered = Callable[..., str]


@pytest.fixture
def registered(store: Path, final_network: Any, training_json: dict[str, Any], make_method: MethodMaker) -> Registered:
    """Records a study in the local store and registers its model as the challenger; returns its version."""
    pin_tracking_uri()
    return partial(record_study, as_bytes(final_network), training_json, make_method)


def record_study(
    network: bytes,
    training_json: Mapping[str, Any],
    make_method: MethodMaker,
    effect: float = 3.0,
    noise: int = 0,
    *,
    digest: str = "d" * 64,
    evaluation: Mapping[str, float] | None = None,
    completeness: float | None = 0.001,
    training: Mapping[str, Any] | None = None,
) -> str:
    """Record a study in the store in use and register its model as the challenger; returns its version."""
    results = make_method(effect, noise, subjects=40).results
    tested = sorted(set(results["subject"]))
    split = json.dumps({"training": [], "validation": [], "test": tested})
    auc = point_values(subject_scores(results), ())["auc"]
    known = {"subject/auc": auc, "subject/auc_low": auc - 0.1, "subject/auc_high": 1.0, "audit_findings": 0}
    known |= {"pooled/ece": point_values(trial_scores(results), ())["ece"], **(evaluation or {})}
    train = recorded("train", {"dataset_digest": digest}, {"folds": 1})
    of_training = {"train_run_id": train.info.run_id, "dataset_digest": digest}
    fold = {"mlflow.parentRunId": train.info.run_id, "subject": "all", "test_number": "1"}
    recorded("fold", fold | digest_tags({SPLIT: split}), {}, {SPLIT: split.encode()})
    recorded("evaluate", of_training, known, {"results.csv": results})
    if completeness is not None:
        recorded("attribute", of_training, {"completeness_error_max": completeness})
    model = log_final_model(train, network, {**training_json, **(training or {})})
    version = registry.register(train.info.run_id, model, {**of_training, "main_run_id": "f" * 32}, "evidence")
    return str(version.version)


def recorded(
    entry_point: str, tags: Mapping[str, str], metrics: Mapping[str, float], files: Mapping[str, Any] | None = None
) -> Run:
    """A finished run of a step."""
    client = MlflowClient()
    run = client.create_run(experiment(), tags={"entry_point": entry_point, **tags})
    record.log(run, metrics=metrics)
    if files:
        record.log_files(run.info.run_id, files)
    client.set_terminated(run.info.run_id)
    return client.get_run(run.info.run_id)


def log_final_model(run: Run, network: bytes, training: Mapping[str, Any]) -> str:
    """What is read of a final model; MLflow's own way of writing one takes a second."""
    contents = {"artifacts/network.keras": network, "artifacts/training.json": json.dumps(training).encode()}
    shape = (len(training["time"]), len(training["features"]))

    def save(folder: Path, description: Model) -> None:
        (folder / "artifacts").mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        description.signature = final_model._signature(shape)
        description.save(str(folder / "MLmodel"))

    return f"models:/{log_saved(run, {}, save, digest_tags(contents))}"
