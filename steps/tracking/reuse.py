"""Is there a finished run that did exactly this already?

A step's identity is its entry point, its resolved parameters, a hash of the code and a digest of its inputs. It is
kept as a JSON tag of our own: MLflow quotes the parameters it logs for the shell, so those never match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from steps.errors import UserError, shown
from steps.parameters import PARAMETERS, Value, renamed
from steps.tracking import documents, products
from steps.tracking.environment import code_hash, environment_hash
from steps.tracking.parameters_record import LONGEST_TAG
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import deleted_on_server, fetch

IDENTITY_TAG = "reuse_identity"
KEY_TAG = "reuse_key"
# Parameters longer than this are not printed whole, nor kept in a tag that is too long.
_LONG_VALUE = 200
# These say where things are, not what is computed. What they point to counts as an input.
_LOCATIONS = {"cwd", "output_dir", "source", "dataset_uri", "train_run_id"}
# What changes how fast a result comes, not the result.
_INDIFFERENT = {"scheduler", "workers", "resume", "log_level"}


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
        """The tags a run carries so that it can be found again; a parameter too long for a tag is shortened in it."""
        if len(whole := self.as_json()) <= LONGEST_TAG:
            return {KEY_TAG: self.key, IDENTITY_TAG: whole}
        short = {name: _short(value) for name, value in self.parameters.items()}
        names = [name for name, value in self.parameters.items() if short[name] != value]
        recorded = {**vars(self), "parameters": short, "shortened": names}
        return {KEY_TAG: self.key, IDENTITY_TAG: json.dumps(recorded, sort_keys=True)}


# What the inputs of the later steps are, for the reason why they are run anew.
_INPUTS = {"train": "the dataset", "evaluate": "the training", "attribute": "the training"}


def find(identity: Identity, experiment_id: str, source: str = "") -> tuple[Run | None, str]:
    """A finished run to use instead of running the step, and the reason why it is or is not there.

    Args:
        identity: of the step.
        experiment_id: where to look.
        source: the recordings as the user called them, for the reason.
    """
    client = MlflowClient()
    finished = f"tags.{ENTRY_POINT_TAG} = '{identity.entry_point}' and attributes.status = 'FINISHED'"
    newest_first = ["attributes.start_time DESC"]
    alike = f"{finished} and tags.{KEY_TAG} = '{identity.key}'"
    same = client.search_runs([experiment_id], alike, order_by=newest_first)
    if not same:
        fetch(experiment_id, alike)
        same = client.search_runs([experiment_id], alike, order_by=newest_first)
    gone = []
    for run in same:
        if deleted := deleted_on_server(run):
            gone.append(f"run {run.info.run_id} matches, but {deleted} was deleted on the server")
        elif trouble := _trouble(run, identity.entry_point):
            gone.append(f"run {run.info.run_id} matches, but {trouble}")
        else:
            return run, "same parameters, code and inputs"
    if gone:
        return None, gone[0]
    last = client.search_runs([experiment_id], finished, order_by=newest_first, max_results=1)
    if not last:
        return None, "never run before"
    return None, _difference(identity, last[0], source)


def recorded_identity(run: Run) -> dict[str, Any] | None:
    """What a run recorded of its identity, as `documents.RecordedIdentity`; None where it recorded none.

    Raises:
        DamagedError: the tag is not whole any more.
    """
    recorded = documents.tag_of(run, IDENTITY_TAG, documents.RecordedIdentity)
    return recorded and {**recorded, "parameters": renamed(recorded["parameters"])}


def _difference(identity: Identity, last: Run, source: str) -> str:
    try:
        before = recorded_identity(last)
    except documents.DamagedError:
        return f"tag {IDENTITY_TAG} of the last run, {last.info.run_id}, is damaged"
    if before is None:
        return "the last run did not record what it was made from"
    now = vars(identity)
    if before["code"] != now["code"]:
        return "the code or the environment has changed"
    changed = [
        f"{name} was {_short(before['parameters'].get(name))!r}, is {_short(value)!r}"
        for name, value in identity.parameters.items()
        if before["parameters"].get(name) not in (value, _short(value))
    ]
    if changed:
        return "; ".join(changed)
    if before["inputs"] == now["inputs"]:
        return "an older run matches no longer"
    if identity.entry_point == "prepare":
        return f"the recordings in {shown(source)} have changed"
    return f"{_INPUTS[identity.entry_point]} is another one"


def _short(value: object) -> object:
    """A parameter as a tag or a line can hold it; two that differ still do."""
    if not isinstance(value, str) or len(value) <= _LONG_VALUE:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:12]
    return f"{value[: _LONG_VALUE // 2]}… ({len(value)} characters, SHA-256 {digest}…)"


def _trouble(run: Run, entry_point: str) -> str | None:
    """Why a run cannot be used instead of running the step."""
    try:
        products.check(run, entry_point)
    except UserError as error:
        return str(error).partition(";")[0]  # without its advice: the step is about to be run again
    return None
