"""What a spool notes about its copies on the server: tags ``sync.*`` of its experiments, runs, models and versions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.file_utils import local_file_uri_to_path

# On a copy: what it is a copy of. On an original in the spool (`sync.*`): where its copy is.
COPY_OF = "synced_from"
SYNC = "sync."
# On an experiment: the server's ID of it, and when the server made it. IDs are small numbers that are given again.
EXPERIMENT_ID, EXPERIMENT_MADE = f"{SYNC}experiment_id", f"{SYNC}experiment_made"
# On a run: the server's ID; that the server's run was not made by copying; digest of the artifacts sent.
RUN_ID, ADOPTED, FILES = f"{SYNC}run_id", f"{SYNC}adopted", f"{SYNC}artifacts"
# On a model, on a registered version: what the server calls it.
MODEL_ID, VERSION = f"{SYNC}model_id", f"{SYNC}version"
# On a run, on a version: what it was like when it was copied.
STATE = f"{SYNC}state"
# On a run, on a model: that somebody has deleted its copy.
DELETED = f"{SYNC}deleted"


def state_of(run: Run) -> str:
    """Digest of all a run of the spool holds, so that a change is seen."""
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith(SYNC)}
    latest = sorted((name, str(value)) for name, value in run.data.metrics.items())
    inputs = [item.dataset.digest for item in run.inputs.dataset_inputs] if run.inputs else []
    outputs = [model.model_id for model in run.outputs.model_outputs] if run.outputs else []
    folder = local_file_uri_to_path(run.info.artifact_uri)
    return digest_of(
        [run.info.status, run.info.end_time, tags, run.data.params, latest, inputs, outputs, _stats(Path(folder))]
    )


def note_copied(local: MlflowClient, run_id: str) -> None:
    """Note that the server has a run of the spool, all of it, as it is now."""
    local.set_tag(run_id, STATE, state_of(local.get_run(run_id)))


def origin(tags: Mapping[str, str], identifier: str) -> str:
    """What a run or model, or a copy of it, is known by in every store: the identifier it was made with.

    Args:
        tags: its own.
        identifier: its own.
    """
    return tags.get(COPY_OF, identifier)


def origin_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tag by which a run of a spool is known elsewhere, where a server had it first; else none."""
    return {COPY_OF: tags[RUN_ID]} if ADOPTED in tags and RUN_ID in tags and COPY_OF not in tags else {}


def is_deleted(run: Run) -> bool:
    """Whether the copy of a run of the spool was deleted on the server, as far as that was noted."""
    return DELETED in run.data.tags


def server_id(run: Run) -> str | None:
    """The server's ID of a run of the spool; None where it was never copied, and for any other run."""
    known: str | None = run.data.tags.get(RUN_ID)
    return known


def stands_for(server_run_id: str) -> dict[str, str]:
    """Tags of a run of the spool that stands for one which the server had first."""
    return {RUN_ID: server_run_id, ADOPTED: "true"}


def model_of(version: Any) -> str:
    """ID of the logged model behind a registered version; MLflow's searches leave it out."""
    match = re.search(r"m-[0-9a-f]{32}", version.source or "")
    return str(version.model_id or (match[0] if match else ""))


def digest_of(content: Iterable[Any]) -> str:
    """SHA-256 of how the values print."""
    return hashlib.sha256(repr(list(content)).encode()).hexdigest()


def _stats(root: Path) -> list[tuple[str, int, int]]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return [(path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
