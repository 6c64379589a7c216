"""Where the processes of a pool find a dataset. Places travel to them and tell one dataset from another.

Processes of this machine never import MLflow for it.
"""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from filelock import FileLock

from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import read_manifest
from steps.core.data.normalise import STUDY, Normalise, normalised
from steps.core.data.shared_memory import open_shared, share
from steps.errors import UserError
from steps.system.deadline import within
from steps.system.fetched import at_hand


@dataclass(frozen=True)
class DatasetArtifact:
    """A dataset artifact that processes of other machines can reach; `steps.tracking.addresses` makes it.

    Attributes:
        digest: of the dataset.
        folder: where it lies if the machines share that file system.
        uri: where to download it from otherwise.
        tracking_uri: the server that knows ``uri``; perhaps with a password, so never for printing.
        normalise: what is done to it once it is fetched, as `steps.core.data.normalise.normalised` takes it.
        is_address: whether ``uri`` is an address that the user has named, which is fetched as sources are.
    """

    digest: str
    folder: Path | None
    uri: str | None
    tracking_uri: str | None = field(repr=False)
    normalise: Normalise = STUDY
    is_address: bool = False

    def load(self, scratch: Path | None = None, /) -> Dataset:
        """The dataset, its digest checked, and normalised; processes of one machine fetch it once and share one copy.

        Args:
            scratch: a folder of this process, beside those of its neighbours; None where it shares nothing.

        Raises:
            UserError: this machine cannot reach it.
        """
        if scratch is None:
            return normalised(self._fetch(), self.normalise)
        name = f"{self.digest}-{self.normalise}.arrow"
        with FileLock(scratch.parent / f"{name}.lock"):
            shared = next(scratch.parent.glob(f"*/{name}"), scratch / name)
            if not shared.exists():
                share(normalised(self._fetch(), self.normalise), shared)
            return open_shared(shared)

    def _fetch(self) -> Dataset:
        reasons = []
        for fetch in (self._from_folder, self._downloaded):
            try:
                if dataset := fetch():
                    return dataset
            except UserError as error:
                reasons.append(str(error))
        raise UserError(
            f"{platform.node()} cannot reach the dataset ({'; '.join(reasons)}); expected a tracking server that all "
            "machines reach, or a file system that they share"
        )

    def _from_folder(self) -> Dataset | None:
        return read_artifact_with(self.folder, self.digest, str(self.folder)) if self.folder else None

    def _downloaded(self) -> Dataset | None:
        if self.uri is None:
            return None
        if self.is_address:
            with at_hand(self.uri, called="dataset_uri") as here:
                return read_artifact_with(Path(here.path), self.digest, self.uri)
        import mlflow.artifacts

        from steps.tracking.store.allowed import PlaceError
        from steps.tracking.store.artifact_places import place_of_model
        from steps.tracking.store.cloud import files_in, is_in_cloud
        from steps.tracking.store.punctual import bounded_patience, punctual_client, time_for
        from steps.tracking.store.trouble import FAILURES, one_line

        with tempfile.TemporaryDirectory() as folder, bounded_patience():
            uri = self.uri
            try:
                if uri.startswith("runs:/") and self.tracking_uri:  # the server's word, where all else is the user's
                    uri = place_of_model(punctual_client(self.tracking_uri), uri)
                if is_in_cloud(uri):
                    path = files_in(uri, self.tracking_uri or "").download_artifacts("", folder)
                else:
                    fetch = partial(mlflow.artifacts.download_artifacts, artifact_uri=uri, dst_path=folder)
                    path = within(time_for(None), partial(fetch, tracking_uri=self.tracking_uri))
            except PlaceError as error:
                raise UserError(str(error)) from error
            except FAILURES as error:
                raise UserError(f"{self.uri}: {one_line(error)}") from error
            return read_artifact_with(Path(path), self.digest, uri)


def read_artifact_with(folder: Path, digest: str, name: str) -> Dataset:
    """The dataset in ``folder``, if it is the one with this digest.

    Args:
        folder: as `steps.core.data.artifact.write_artifact` wrote it.
        digest: expected.
        name: what to call the place in the error.

    Raises:
        UserError: it is damaged, or another dataset.
    """
    dataset = read_artifact(folder)  # whose content has the digest of its manifest
    actual = read_manifest(folder).digest
    if actual != digest:
        raise UserError(f"the dataset at {name} has digest {actual[:12]}…, expected {digest[:12]}…")
    return dataset
