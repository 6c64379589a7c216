"""What other machines call things: they know neither this folder nor the spool."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Run
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

from steps.compute import is_local
from steps.dataset import Dataset
from steps.shared import SHARED_FILE, share
from steps.tracking import pull, push
from steps.tracking.places import DatasetArtifact, SharedDataset
from steps.tracking.spool import Spool, current, reachable

# The replicator begins a pass every few seconds; one over a large study takes a while.
_WAIT_S = 60.0


def dataset_place(scheduler: str, dataset: Dataset, uri: str, folder: Path) -> SharedDataset | DatasetArtifact:
    """Where the processes of a pool find a dataset.

    Args:
        scheduler: the parameter.
        dataset: the dataset.
        uri: where it came from (`steps.tracking.lineage.resolve_dataset_uri`).
        folder: for the copy that local processes share; it must outlive them.
    """
    if is_local(scheduler):
        share(dataset, folder / SHARED_FILE)
        return SharedDataset(folder / SHARED_FILE)
    return dataset_address(uri, dataset.digest())


def dataset_address(uri: str, digest: str) -> DatasetArtifact:
    """The dataset artifact at ``uri`` (`steps.tracking.lineage.resolve_dataset_uri`) for processes of other machines.

    With a tracking server its copy there is meant, and waited for if the server answers.
    """
    spool = current()
    tracking_uri = spool.target if spool else None
    if not RunsArtifactRepository.is_runs_uri(uri):
        return _at(uri, digest, tracking_uri)
    run_id, path = RunsArtifactRepository.parse_runs_uri(uri)
    run_id = pull.local_run_id(run_id)
    here = _at(RunsArtifactRepository.get_underlying_uri(f"runs:/{run_id}/{path}"), digest, None)
    there = id_on_server(spool, run_id, whole=True) if spool else None
    return DatasetArtifact(digest, here.folder, f"runs:/{there}/{path}", tracking_uri) if there else here


def id_on_server(spool: Spool, run_id: str, *, whole: bool) -> str | None:
    """What the server calls a run of the spool, once it has it; None when the server fails.

    Args:
        spool: the spool.
        run_id: the run.
        whole: wait until all the run holds is there.
    """
    deadline = time.monotonic() + _WAIT_S
    while reachable(spool.target):
        run = spool.client().get_run(run_id)
        if push.RUN_ID in run.data.tags and (not whole or _is_whole(run)):
            return str(run.data.tags[push.RUN_ID])
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return None


def _is_whole(run: Run) -> bool:
    return bool(run.data.tags.get(push.STATE) == push.state_of(run))


def _at(uri: str, digest: str, tracking_uri: str | None) -> DatasetArtifact:
    if urlsplit(uri).scheme in ("", "file"):
        return DatasetArtifact(digest, Path(local_file_uri_to_path(uri)).resolve(), None, None)
    return DatasetArtifact(digest, None, uri, tracking_uri)
