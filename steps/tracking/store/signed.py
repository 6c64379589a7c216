"""Signed addresses that a server names for large files, so that they need not pass through it.

A server whose artifacts lie in a cloud's store offers MLflow's client to send a large file in parts, and to fetch any
file, straight to and from that store, at addresses that it signs. A server that is hostile or broken could name any
address: of a machine that only we can reach, of anybody who collects recordings. And a store that only the server can
reach (as beside it in a compose file) would make every file fail. So an offer is taken up only where the user has named
such a store, and every address is held against that.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from mlflow.entities.multipart_upload import CreateMultipartUploadResponse
from mlflow.entities.presigned_download import PresignedDownloadUrlResponse
from mlflow.environment_variables import MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

from steps.system.signatures import log_no_signatures
from steps.tracking.store.allowed import ALLOWED, PlaceError, may_name, names_web_place
from steps.tracking.store.tracking_uri import show_uri

_SHOWN = 200


class _Checked(HttpArtifactRepository):  # type: ignore[misc]
    def __init__(self, artifact_uri: str, tracking_uri: str) -> None:
        super().__init__(artifact_uri, tracking_uri=tracking_uri)
        self._server = tracking_uri
        self._refused: PlaceError | None = None
        log_no_signatures()

    def create_multipart_upload(
        self, local_file: str, num_parts: int = 1, artifact_path: str | None = None
    ) -> CreateMultipartUploadResponse:
        made = super().create_multipart_upload(local_file, num_parts, artifact_path)
        try:
            for part in made.credentials:
                self._check(part.url)
        except PlaceError:
            self.abort_multipart_upload(local_file, made.upload_id, artifact_path)
            raise
        return made

    def _get_presigned_download_url(self, remote_file_path: str) -> PresignedDownloadUrlResponse:
        signed = super()._get_presigned_download_url(remote_file_path)
        try:
            self._check(signed.url)
        except PlaceError as error:
            self._refused = error
            raise
        return signed

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        try:
            return str(super().download_artifacts(artifact_path, dst_path))
        except MlflowException:  # it sums up what went wrong with each file
            if self._refused:
                raise self._refused from None
            raise

    def _check(self, address: str) -> None:
        if may_name(address, self._server):
            return
        parts = urlsplit(address)
        place = ascii(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:_SHOWN])[1:-1]
        raise PlaceError(
            f"{show_uri(self._server)} sends us for a file to {place}, where a server cannot send us unasked: if that "
            f"is right, name the store in {ALLOWED}, as {parts.scheme}://host/bucket; or set "
            f"{MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD.name} and {MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD.name} to false"
        )


class FilesOverHttp(_Checked):
    """Artifacts at an ``http:`` or ``https:`` address of a server."""


class FilesOfServer(_Checked, MlflowArtifactsRepository):  # type: ignore[misc]
    """Artifacts that a server hands out as ``mlflow-artifacts:``."""

    def _is_multipart_upload_enabled(self) -> bool:
        is_asked_for = MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD.is_set() or names_web_place()
        return is_asked_for and bool(super()._is_multipart_upload_enabled())

    def _is_multipart_download_enabled(self) -> bool:
        is_asked_for = MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD.is_set() or names_web_place()
        return is_asked_for and bool(super()._is_multipart_download_enabled())


def files_of_server(uri: str, tracking_uri: str) -> HttpArtifactRepository | None:
    """Artifacts that a server hands out, every signed address of it checked; None for any other place."""
    scheme = urlsplit(uri).scheme
    if scheme == "mlflow-artifacts":
        return FilesOfServer(uri, tracking_uri)
    return FilesOverHttp(uri, tracking_uri) if scheme in ("http", "https") else None
