"""Datasets by their URIs, and the dataset of a training."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from pydantic import ValidationError

from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import MANIFEST_FILE, Manifest
from steps.errors import UserError, shown, shown_path
from steps.system.fetched import at_hand
from steps.system.source_address import SCHEMES, is_address, split_digest
from steps.tracking import documents, lookup, record
from steps.tracking.places import read_artifact_with
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import local_run_id
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.paging import every_run
from steps.tracking.store.tracking_uri import without_credentials
from steps.tracking.store.trouble import one_line

DATASET_FOLDER = "dataset"
# What MLflow fetches, and what is fetched as sources are. A web page is no dataset.
_OF_MLFLOW = {"runs", "file", "mlflow-artifacts", "models", "wasbs", "dbfs"}
_SCHEMES = (_OF_MLFLOW | SCHEMES.keys()) - {"http", "https"}


def resolve_dataset_uri(uri: str, experiment_id: str) -> str:
    """``latest`` as ``runs:/<newest prepare run>/dataset``, a path as an absolute one; any other URI unchanged.

    Raises:
        UserError: there is no finished ``prepare`` run, the URI holds a password, or names no dataset.
    """
    if uri != lookup.LATEST:
        split_digest(uri, "dataset_uri")
        if without_credentials(uri) != uri:
            raise UserError(
                "dataset_uri holds a password or a token, which would be recorded; give it in the environment, as "
                f"{without_credentials(uri)[:100]} needs it"
            )
        _refuse_unknown_scheme(uri)
        # A relative path would mean another place to the next step.
        return uri if "://" in uri or uri.startswith("runs:/") else str(Path(uri).resolve())
    return f"runs:/{lookup.find_run('prepare', lookup.LATEST, experiment_id).info.run_id}/{DATASET_FOLDER}"


def _refuse_unknown_scheme(uri: str) -> None:
    scheme = uri.partition("://")[0].lower()
    if "://" in uri and scheme not in _SCHEMES:
        raise UserError(
            f"dataset_uri is {shown(uri)}, expected 'latest', runs:/<run id>/{DATASET_FOLDER}, a folder, or the "
            f"address of one, which begins with one of {', '.join(sorted(_SCHEMES - {'memory'}))}"
        )


@contextmanager
def dataset_folder(uri: str) -> Iterator[Path]:
    """Local folder of a dataset artifact inside the block, downloaded if need be.

    Raises:
        UserError: nothing is there, or it has another digest than its address says.
    """
    if is_address(uri):
        with at_hand(uri, called="dataset_uri") as here:
            if not Path(here.path).is_dir():
                raise UserError(f"dataset_uri {uri} is a file, expected the folder that 'prepare' made")
            yield Path(here.path)
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            path = Path(uri) if Path(uri).is_dir() else _download(uri, scratch)
        except StoreError:
            raise
        except (MlflowException, OSError, ImportError, ValueError) as error:
            raise UserError(f"no dataset artifact at {shown_path(uri[:200])}: {one_line(error)}") from error
        yield path


def manifest_of(prepare: Run) -> Manifest:
    """``dataset.json`` of the dataset that a ``prepare`` run made.

    Raises:
        UserError: it is not there, or damaged.
    """
    path = f"{DATASET_FOLDER}/{MANIFEST_FILE}"
    try:
        return Manifest.model_validate_json(documents.text_of(prepare, path))
    except ValidationError as error:
        raise documents.damaged(prepare, path, error.errors()[0]["msg"]) from error


def load_dataset(uri: str, digest: str = "") -> Dataset:
    """The dataset at ``uri``.

    Args:
        uri: of the artifact.
        digest: that it must have; "" for whatever is there, as long as it is whole.

    Raises:
        UserError: it is not there, damaged, or another one.
    """
    with dataset_folder(uri) as folder:
        return read_artifact_with(folder, digest, uri) if digest else read_artifact(folder)


def dataset_and_uri_of(train: Run) -> tuple[Dataset, str]:
    """The dataset of a training and its URI: where it was then, or else any prepared dataset with the same digest.

    Raises:
        UserError: neither is there.
    """
    uri, digest = (documents.required_tag(train, name) for name in ("dataset_uri", "dataset_digest"))
    try:
        return load_dataset(uri, digest), uri
    except UserError:
        same = f"tags.{ENTRY_POINT_TAG} = 'prepare' and tags.dataset_digest = '{digest}'"
        for prepare in every_run([train.info.experiment_id], f"{same} and attributes.status = 'FINISHED'"):
            with suppress(UserError):
                other = f"runs:/{prepare.info.run_id}/{DATASET_FOLDER}"
                return load_dataset(other, digest), other
        raise


def _download(uri: str, scratch: str) -> Path:
    if RunsArtifactRepository.is_runs_uri(uri):
        run_id, path = RunsArtifactRepository.parse_runs_uri(uri)
        run = MlflowClient().get_run(local_run_id(run_id))
        return Path(repository(run.info.artifact_uri, mlflow.get_tracking_uri()).download_artifacts(path, scratch))
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch))


def log_study(run_id: str, train: Run, manifest: Manifest, uri: str, *, context: str) -> None:
    """Log as inputs of a run the dataset of a training, and the model that the training fitted on all subjects."""
    record.log_dataset_input(manifest, uri, context=context)
    if (model := lookup.final_model(train)) and model.model_id:
        record.log_model_input(run_id, model.model_id)
