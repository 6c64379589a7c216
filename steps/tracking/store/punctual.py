"""MLflow's client and its access to artifacts, with calls that end in time.

MLflow's own time-outs are for each read of an HTTP answer, and for a database it tries for minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from mlflow import MlflowClient
from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from steps.system.deadline import line_to
from steps.system.environment_variables import environment_variables
from steps.tracking.store.knock import connect_once
from steps.tracking.store.tracking_uri import DATABASE_PORTS, scheme_of

# In bytes per second. A slower connection counts as broken.
_SLOWEST = 50_000
# For files of unknown size.
_FILES_S = 600.0
# Added for the pause before a request is repeated, and for the server's own work.
_MARGIN_S = 10.0
# MLflow's own patience, minutes per call, is meant for a client that has nowhere else to write to.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a server may ask for hours
    # A server could so have files of ours sent to another, or what only we can reach fetched (`allowed`).
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
}
# Off in the copying thread: a bar per file, and a line per run.
_QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


@contextmanager
def bounded_patience() -> Iterator[None]:
    """Ten seconds of patience per call inside the block, where the user has not set their own, and no chatter.

    Nor is a server followed that sends a call on to another address.
    """
    with environment_variables({name: v for name, v in (_PATIENCE | _QUIET).items() if not os.environ.get(name)}):
        yield


def patience_s() -> float:
    """Seconds for a call without files: MLflow's own time for an answer, for each attempt, and some more."""
    timeout = float(os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT") or 10)
    retries = float(os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES") or 1)
    return timeout * (retries + 1) + _MARGIN_S


def time_for(content: int | Path | None) -> float:
    """Seconds for a call that carries so many bytes, or a file, or all files of a folder; None: nobody knows."""
    if content is None:
        return patience_s() + _FILES_S
    return patience_s() + (_size(content) if isinstance(content, Path) else content) / _SLOWEST


def punctual_client(uri: str) -> MlflowClient:
    """A client of the server at ``uri``; nothing is connected before the first call.

    A call that takes too long raises TimeoutError, and so do those after it until it has ended.
    """
    return cast(MlflowClient, _Punctual(uri))


def punctual_files(files: ArtifactRepository, server: str) -> ArtifactRepository:
    """The same artifacts, each call ending in time, as with `punctual_client`.

    Args:
        files: MLflow's way to them.
        server: URI of the tracking server that they belong to.
    """
    return cast(ArtifactRepository, _PunctualFiles(files, server))


class _PunctualFiles:
    def __init__(self, files: ArtifactRepository, server: str) -> None:
        self._files, self._line = files, line_to(server)
        self._sizes: dict[str, int | None] = {}  # of files that were sent or listed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        path = Path(local_file)
        self._sizes[f"{artifact_path}/{path.name}" if artifact_path else path.name] = path.stat().st_size
        self._line.within(time_for(path), lambda: self._files.log_artifact(local_file, artifact_path))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        self._line.within(time_for(Path(local_dir)), lambda: self._files.log_artifacts(local_dir, artifact_path))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        files: list[FileInfo] = self._line.within(patience_s(), lambda: self._files.list_artifacts(path))
        self._sizes |= {item.path: item.file_size for item in files}
        return files

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        seconds = time_for(self._sizes.get(artifact_path))
        return str(self._line.within(seconds, lambda: self._files.download_artifacts(artifact_path, dst_path)))


class _Punctual:
    def __init__(self, uri: str) -> None:
        self.tracking_uri = uri
        self._line = line_to(uri)
        self._made: MlflowClient | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._line.within(patience_s(), lambda: getattr(self._client(), name)(*args, **kwargs))

        return call

    def _client(self) -> MlflowClient:
        if self._made is None:
            if scheme_of(self.tracking_uri) in DATABASE_PORTS:
                connect_once(self.tracking_uri)
            self._made = MlflowClient(self.tracking_uri, self.tracking_uri)
        return self._made


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
