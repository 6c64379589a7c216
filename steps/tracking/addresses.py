"""What other machines call things: they know neither this folder nor the spool."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import filelock
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

from steps.core.data.dataset import Dataset
from steps.core.data.shared_memory import SHARED_FILE, SharedDataset, share
from steps.tracking.places import DatasetArtifact
from steps.tracking.spool import pull, push
from steps.tracking.spool.spool import Spool, current
from steps.tracking.store.trouble import FAILURES, reachable

# How long the replicator may be at a pass over a large study.
_WAIT_S = 60.0


def dataset_place(dataset: Dataset, uri: str, folder: Path, *, shared: bool) -> SharedDataset | DatasetArtifact:
    """Where the processes of a pool find a dataset.

    Args:
        dataset: the dataset.
        uri: where it came from (`steps.tracking.datasets.resolve_dataset_uri`).
        folder: for the copy that local processes share; it must outlive them.
        shared: whether all processes are on this machine.
    """
    if shared:
        share(dataset, folder / SHARED_FILE)
        return SharedDataset(folder / SHARED_FILE)
    return dataset_address(uri, dataset.digest())


def dataset_address(uri: str, digest: str) -> DatasetArtifact:
    """The dataset artifact at ``uri`` (`steps.tracking.datasets.resolve_dataset_uri`) for processes of other machines.

    With a tracking server its copy there is meant, which is made if need be.
    """
    spool = current()
    tracking_uri = spool.target if spool else None
    if not RunsArtifactRepository.is_runs_uri(uri):
        return _at(uri, digest, tracking_uri)
    run_id, path = RunsArtifactRepository.parse_runs_uri(uri)
    run_id = pull.local_run_id(run_id)
    here = _at(RunsArtifactRepository.get_underlying_uri(f"runs:/{run_id}/{path}"), digest, None)
    there = id_on_server(spool, run_id) if spool else None
    return DatasetArtifact(digest, here.folder, f"runs:/{there}/{path}", tracking_uri) if there else here


def id_on_server(spool: Spool, run_id: str) -> str | None:
    """What the server calls a run of the spool, once it has all of it; None when the server fails.

    The replicator copies at its leisure, so what is missing is copied now.
    """
    if not reachable(spool.target):
        return None
    try:
        with spool.lock.acquire(timeout=_WAIT_S):
            there_id = _copied(spool, run_id)
            if there_id is None:
                push.Push(spool).once()
                there_id = _copied(spool, run_id)
            return there_id
    except (filelock.Timeout, *FAILURES):
        return None


def _copied(spool: Spool, run_id: str) -> str | None:
    """What the server calls a run of the spool, if it has all of it: the server is asked, it may be a new one."""
    run = spool.client().get_run(run_id)
    if run.data.tags.get(push.STATE) != push.state_of(run):
        return None
    there_id = str(run.data.tags[push.RUN_ID])
    try:
        copy = spool.target_client().get_run(there_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return there_id if copy.info.lifecycle_stage == LifecycleStage.ACTIVE else None


def _at(uri: str, digest: str, tracking_uri: str | None) -> DatasetArtifact:
    if urlsplit(uri).scheme in ("", "file"):
        return DatasetArtifact(digest, Path(local_file_uri_to_path(uri)).resolve(), None, None)
    return DatasetArtifact(digest, None, uri, tracking_uri)
