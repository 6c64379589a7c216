"""Access to artifacts at the place that a store has named: allowed, in time, and failing in one line."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.uri import add_databricks_profile_info_to_artifact_uri

from steps.tracking.store import cloud, signed
from steps.tracking.store.allowed import checked
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.punctual import punctual_files
from steps.tracking.store.tracking_uri import is_remote


def repository(uri: str, tracking_uri: str) -> ArtifactRepository:
    """MLflow's access to artifacts; on a server, and in a cloud's store, every call of it ends in time.

    Args:
        uri: the place, as the store named it.
        tracking_uri: the store.

    Raises:
        PlaceError: the store is a server, and may not name that place.
        StoreError: the package for that kind of store is missing. So do calls that a cloud's store lets fail.
    """
    place = add_databricks_profile_info_to_artifact_uri(checked(uri, tracking_uri), tracking_uri)
    if cloud.is_in_cloud(place):
        return cloud.files_in(place, tracking_uri)
    files = signed.files_of_server(place, tracking_uri) or get_artifact_repository(place, tracking_uri=tracking_uri)
    return punctual_files(files, tracking_uri) if is_remote(tracking_uri) else files


def holds(run: Run, path: str) -> bool:
    """Whether a run of the store in use still has a file.

    Raises:
        StoreError: it would be in a cloud's store that cannot be worked with.
    """
    try:
        files = repository(run.info.artifact_uri, mlflow.get_tracking_uri())
        return any(item.path == path for item in files.list_artifacts(path.rpartition("/")[0] or None))
    except StoreError:  # which may hold it all the same
        raise
    except (MlflowException, OSError):
        return False


def log_text(run: Run, name: str, text: str, tracking_uri: str) -> None:
    """Log a text as a file of a run.

    Raises:
        PlaceError: the store is a server, and keeps it where it may not send us.
        StoreError: it would be in a cloud's store that cannot be worked with.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        repository(run.info.artifact_uri, tracking_uri).log_artifact(str(path))


def place_of_model(client: MlflowClient, uri: str) -> str:
    """Where the files of a model are that a store knows as ``models:/m-<id>`` or ``runs:/<run id>/<path>``.

    Any other URI is a place already. MLflow would follow these two without a look at where they lead.

    Raises:
        PlaceError: the store is a server, and may not name that place.
        MlflowException: the store knows no such run or model.
    """
    scheme, _, rest = uri.partition(":")
    name, _, path = rest.strip("/").partition("/")
    if scheme == "models":
        uri = str(client.get_logged_model(name).artifact_location)
    elif scheme == "runs":
        run = client.get_run(name)
        made = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
        models = [model for model in map(client.get_logged_model, sorted(made)) if model.name == path]
        uri = models[0].artifact_location if models else f"{run.info.artifact_uri.rstrip('/')}/{path}"
    return checked(uri, client.tracking_uri)
