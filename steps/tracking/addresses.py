"""What other machines call things: they know neither this folder nor the spool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

from steps.core.data.dataset import Dataset
from steps.core.data.normalise import STUDY, Normalise, normalised
from steps.core.data.shared_memory import SHARED_FILE, SharedDataset, share
from steps.system.source_address import is_address
from steps.tracking.places import DatasetArtifact
from steps.tracking.spool import current, id_on_server, local_run_id


def dataset_place(
    dataset: Dataset, uri: str, folder: Path, *, shared: bool, normalise: Normalise = STUDY
) -> SharedDataset | DatasetArtifact:
    """Where the processes of a pool find a dataset, normalised as their networks take it.

    Args:
        dataset: the dataset, as it was prepared.
        uri: where it came from (`steps.tracking.datasets.resolve_dataset_uri`).
        folder: for the copy that local processes share; it must outlive them.
        shared: whether all processes are on this machine.
        normalise: as `steps.core.data.normalise.normalised` takes it.
    """
    if shared:
        share(normalised(dataset, normalise), folder / SHARED_FILE)
        return SharedDataset(folder / SHARED_FILE)
    return replace(dataset_address(uri, dataset.digest()), normalise=normalise)


def dataset_address(uri: str, digest: str) -> DatasetArtifact:
    """The dataset artifact at ``uri`` (`steps.tracking.datasets.resolve_dataset_uri`) for processes of other machines.

    With a tracking server its copy on the server is meant, which is made if need be.
    """
    spool = current()
    tracking_uri = spool.target if spool else None
    if is_address(uri):  # the user's word; what MLflow has made of a run's artifacts is MLflow's to fetch
        return DatasetArtifact(digest, None, uri, None, is_address=True)
    if not RunsArtifactRepository.is_runs_uri(uri):
        return _at(uri, digest, tracking_uri)
    run_id, path = RunsArtifactRepository.parse_runs_uri(uri)
    run_id = local_run_id(run_id)
    local = _at(RunsArtifactRepository.get_underlying_uri(f"runs:/{run_id}/{path}"), digest, None)
    server_run_id = id_on_server(spool, run_id) if spool else None
    return (
        DatasetArtifact(digest, local.folder, f"runs:/{server_run_id}/{path}", tracking_uri) if server_run_id else local
    )


def _at(uri: str, digest: str, tracking_uri: str | None) -> DatasetArtifact:
    if urlsplit(uri).scheme in ("", "file"):
        return DatasetArtifact(digest, Path(local_file_uri_to_path(uri)).resolve(), None, None)
    return DatasetArtifact(digest, None, uri, tracking_uri)
