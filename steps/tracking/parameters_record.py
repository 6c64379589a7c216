"""The parameters of a run, whole: what running it again needs.

They are an artifact, `parameters.json`. MLflow cuts off parameters after 6,000 characters and tags after 8,000, and a
list of 1,500 subjects is longer; so the tag ``parameters``, for filtering, is there only where it holds all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

from steps.parameters import renamed
from steps.tracking import documents
from steps.tracking.spool import note_files
from steps.tracking.store.artifact_places import log_text
from steps.tracking.store.tracking_uri import without_credentials_in

FILE = "parameters.json"
TAG = "parameters"
LONGEST_PARAM, LONGEST_TAG = MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH


def shortened(text: str, limit: int) -> str:
    """A text that fits; one that was too long says so at its end, which MLflow by itself would not."""
    if len(text) <= limit:
        return text
    note = f"… (cut: {len(text)} characters)"
    return text[: limit - len(note)] + note


def save(client: MlflowClient, run_id: str, parameters: Mapping[str, object]) -> None:
    """Record the parameters of a run, typed and whole, without credentials."""
    # Only addresses are searched for passwords: the same characters in a path or a seed are none.
    kept = {k: without_credentials_in(v) if isinstance(v, str) else v for k, v in parameters.items()}
    text = json.dumps(kept)
    log_text(client.get_run(run_id), FILE, f"{text}\n", client.tracking_uri)
    note_files(run_id, [FILE])
    if len(text) <= LONGEST_TAG:
        client.set_tag(run_id, TAG, text)


def load(run: Run) -> dict[str, Any]:
    """The parameters of a run as `save` recorded them.

    Raises:
        DamagedError: they are not whole any more, or not there.
    """
    return renamed(documents.json_of(run, FILE, documents.Parameters))
