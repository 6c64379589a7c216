"""Is there a finished run that did exactly this already?

A step's identity is its entry point, its resolved parameters, a hash of the code and a digest of its inputs. It is
kept as a JSON tag of our own: MLflow quotes the parameters it logs for the shell, so those never match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from steps.errors import UserError
from steps.parameters import PARAMETERS, Value
from steps.tracking import lineage, pull
from steps.tracking.environment import code_hash, environment_hash
from steps.tracking.keras_model import MODEL
from steps.tracking.session import ENTRY_POINT_TAG

IDENTITY_TAG = "reuse_identity"
KEY_TAG = "reuse_key"
# Where things lie, not what is computed; what they point to counts as an input.
_LOCATIONS = {"cwd", "output_dir", "source", "dataset_uri", "train_run_id"}
# What changes how fast a result comes, not the result.
_INDIFFERENT = {"scheduler", "workers", "resume", "log_level"}
_ARTIFACTS = {
    "prepare": ("dataset/trials.parquet", "dataset/dataset.json"),
    "train": ("runtime.json",),
    "evaluate": ("results.csv", "subjects.csv", "summary.json", "in_fold_thresholds.csv"),
    "attribute": ("feature_importance.csv", "attribution_map.csv", "time_importance.csv", "deletion_insertion.csv"),
}


@dataclass(frozen=True)
class Identity:
    """What makes two runs of a step interchangeable."""

    entry_point: str
    parameters: dict[str, Value]
    code: str
    inputs: str

    @classmethod
    def of(cls, entry_point: str, parameters: Mapping[str, object], inputs: str) -> Identity:
        """Identity of running ``entry_point`` now; numbers and booleans count by value, not by spelling."""
        resolved = {
            name: PARAMETERS[name].parse(value)
            for name, value in sorted(parameters.items())
            if name not in _LOCATIONS | _INDIFFERENT
        }
        if parameters.get("source", "simulated") != "simulated":
            resolved = {k: v for k, v in resolved.items() if not k.startswith("simulated_") and k != "seed"}
        return cls(entry_point, resolved, f"{code_hash()} {environment_hash()}", inputs)

    def as_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(vars(self), sort_keys=True)

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()

    def tags(self) -> dict[str, str]:
        """The tags a run carries so that it can be found again."""
        return {KEY_TAG: self.key, IDENTITY_TAG: self.as_json()}


def find(identity: Identity, experiment_id: str) -> tuple[Run | None, str]:
    """A finished run to use instead of running the step, and the reason why it is or is not there."""
    client = MlflowClient()
    finished = f"tags.{ENTRY_POINT_TAG} = '{identity.entry_point}' and attributes.status = 'FINISHED'"
    newest_first = ["attributes.start_time DESC"]
    alike = f"{finished} and tags.{KEY_TAG} = '{identity.key}'"
    same = client.search_runs([experiment_id], alike, order_by=newest_first)
    if not same:
        pull.fetch(experiment_id, alike)
        same = client.search_runs([experiment_id], alike, order_by=newest_first)
    gone = []
    for run in same:
        if deleted := pull.deleted_on_server(run):
            gone.append(f"run {run.info.run_id} matches, but {deleted} was deleted on the server")
        elif missing := _missing_artifact(run, identity.entry_point):
            gone.append(f"run {run.info.run_id} matches, but its {missing} is gone")
        else:
            return run, "same parameters, code and inputs"
    if gone:
        return None, gone[0]
    last = client.search_runs([experiment_id], finished, order_by=newest_first, max_results=1)
    if not last:
        return None, "never run before"
    return None, _difference(identity, last[0].data.tags.get(IDENTITY_TAG))


def _difference(identity: Identity, recorded: str | None) -> str:
    if recorded is None:
        return "the last run did not record what it was made from"
    before, now = json.loads(recorded), vars(identity)
    if before["code"] != now["code"]:
        return "the code or the environment has changed"
    changed = [
        f"{name} was {before['parameters'].get(name)!r}, is {value!r}"
        for name, value in identity.parameters.items()
        if before["parameters"].get(name) != value
    ]
    if changed:
        return "; ".join(changed)
    return "the inputs have changed" if before["inputs"] != now["inputs"] else "an older run matches no longer"


def _missing_artifact(run: Run, entry_point: str) -> str | None:
    for path in _ARTIFACTS[entry_point]:
        if not artifact_exists(run.info.run_id, path):
            return path
    if entry_point == "train":
        try:
            folds = lineage.fold_runs(run.info.run_id)
        except UserError:
            return "complete set of folds"
        for fold in folds:
            if not artifact_exists(fold.run_id, f"{MODEL}/MLmodel"):
                return f"model of {fold.run.info.run_name}"
    return None


def artifact_exists(run_id: str, path: str) -> bool:
    """Whether a run still holds the artifact, or the file of its model, at ``path``."""
    folder = path.rpartition("/")[0]
    try:
        listed = mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path=folder or None)
    except (MlflowException, OSError):
        return False
    return any(item.path == path for item in listed)
