"""Artifacts in a cloud's store that MLflow's client itself speaks to: S3, Google's, Azure's.

That is so where a store's experiment has them there, or a server started with ``--default-artifact-root s3://…``.
The libraries for it are optional, and each raises errors of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from steps.errors import UserError
from steps.system.deadline import within
from steps.system.store_failures import NOT_THERE, why
from steps.tracking.store.punctual import patience_s, punctual_files
from steps.tracking.store.tracking_uri import is_remote, show_uri

T = TypeVar("T")
_SHOWN: Final = 200
# What MLflow says of requests that make no sense, or of what is not there.
_NO_FAILURES: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class _Package(NamedTuple):
    """What MLflow imports for a kind of store, and what is to be installed for it."""

    modules: tuple[str, ...]
    requirements: str


_S3 = _Package(("boto3",), "boto3")
_PACKAGES: Final = {
    **dict.fromkeys(("s3", "r2", "b2"), _S3),
    "gs": _Package(("google.cloud.storage",), "google-cloud-storage"),
    "wasbs": _Package(("azure.storage.blob", "azure.identity"), "azure-storage-blob azure-identity"),
    "abfss": _Package(("azure.storage.filedatalake", "azure.identity"), "azure-storage-file-datalake azure-identity"),
}
# What other programs call these stores -> what MLflow does.
_OTHER_NAMES: Final = {
    **dict.fromkeys(("az", "wasb"), "wasbs://<container>@<account>.blob.core.windows.net/<path>"),
    "abfs": "abfss://<container>@<account>.dfs.core.windows.net/<path>",
    "gcs": "gs://<bucket>/<path>",
    **dict.fromkeys(("s3a", "s3n"), "s3://<bucket>/<path>"),
}


class StoreError(UserError, OSError):
    """A cloud's store cannot be worked with; for a server's replicator a failure as any other (`trouble.FAILURES`).

    Attributes:
        mend: what to do where waiting does not help, one line; else empty.
    """

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(f"{reason}: {mend}" if mend else reason)
        self.reason, self.mend = reason, mend


def is_in_cloud(uri: str) -> bool:
    """Whether artifacts are in a cloud's store, or in what other programs than MLflow call one."""
    scheme = urlsplit(uri).scheme.lower()
    return scheme in _PACKAGES or scheme in _OTHER_NAMES


def check_installed(uri: str) -> None:
    """Refuse a place in a cloud's store that this process cannot speak to; any other place is left alone.

    Raises:
        StoreError: the package for it is missing, or MLflow has another name for such a place.
    """
    scheme = urlsplit(uri).scheme.lower()
    if known := _OTHER_NAMES.get(scheme):
        raise StoreError(
            f"artifacts are in {_shown(uri)}, and MLflow knows no {scheme}://",
            f"use an experiment whose place is {known}",
        )
    if (package := _PACKAGES.get(scheme)) and (missing := [one for one in package.modules if not _is_there(one)]):
        raise StoreError(
            f"artifacts are in {_shown(uri)}, which needs a package that is not installed ({missing[0]})",
            f"pip install {package.requirements}, and run with --env-manager local",
        )


def files_in(uri: str, tracking_uri: str) -> ArtifactRepository:
    """MLflow's access to artifacts in a cloud's store; every call ends in time, and what fails is a `StoreError`.

    Args:
        uri: the place.
        tracking_uri: the store that named it.

    Raises:
        StoreError: it cannot be spoken to.
    """
    check_installed(uri)
    # Google's library looks for credentials when it is made, also in places that do not answer.
    made = partial(get_artifact_repository, uri, tracking_uri=tracking_uri)
    files = _told(uri, partial(within, patience_s(), made))
    # The line to a server is for its files, too: what hangs is not asked again.
    line = tracking_uri if is_remote(tracking_uri) else "{0.scheme}://{0.netloc}".format(urlsplit(uri))
    return cast(ArtifactRepository, _Files(uri, files, punctual_files(files, line)))


class _Files:
    """Calls of a repository whose errors are `StoreError`."""

    def __init__(self, uri: str, files: ArtifactRepository, punctual: ArtifactRepository) -> None:
        self._uri, self._files = uri, punctual
        self._errors: list[BaseException] = []
        download = files._download_file

        def remembering(remote_file_path: str, local_path: str) -> None:
            try:
                download(remote_file_path, local_path)
            except BaseException as error:
                self._errors.append(error)
                raise

        # MLflow fetches in threads and then sums up, as text, what went wrong with each file.
        files._download_file = remembering

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        _told(self._uri, partial(self._files.log_artifact, local_file, artifact_path))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        _told(self._uri, partial(self._files.log_artifacts, local_dir, artifact_path))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        return _told(self._uri, partial(self._files.list_artifacts, path))

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        _told(self._uri, partial(self._files.delete_artifacts, artifact_path))

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        self._errors.clear()

        def download() -> str:
            try:
                return str(self._files.download_artifacts(artifact_path, dst_path))
            except MlflowException as summary:
                error = self._errors[0] if self._errors else summary
            if why(error) == NOT_THERE:
                raise FileNotFoundError(f"{_shown(self._uri)} holds no {ascii(artifact_path)[1:-1]}")
            raise error

        return _told(self._uri, download)


def _told(uri: str, action: Callable[[], T]) -> T:
    """What ``action`` returns; what libraries of clouds raise becomes a `StoreError`."""
    try:
        return action()
    except (UserError, FileNotFoundError):
        raise
    except Exception as error:
        if isinstance(error, MlflowException) and error.error_code in _NO_FAILURES:
            raise
        raise StoreError(f"{_shown(uri)}: {why(error)}") from error


def _shown(uri: str) -> str:
    return ascii(show_uri(uri)[:_SHOWN])[1:-1]


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be part of
        return False
