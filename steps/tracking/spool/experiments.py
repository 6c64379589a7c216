"""The server's experiments for those of a spool, recognised by what no other experiment has."""

from __future__ import annotations

from collections.abc import Iterable

from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException

from steps.tracking.spool.marks import EXPERIMENT_ID, EXPERIMENT_MADE, SYNC
from steps.tracking.store.allowed import checked
from steps.tracking.store.cloud import check_installed
from steps.tracking.store.tracking_uri import show_uri
from steps.tracking.store.trouble import is_forbidden


def placeholder(experiment_id: str) -> str:
    """What an experiment of the spool is called whose name the server could not be asked for."""
    return f"experiment {experiment_id}"


class Experiments:
    """Looks each experiment up once, until it is told to `forget`.

    Attributes:
        forbidden: experiments of the spool that are somebody else's on the server, or that this account may only read
            -> what the server said. It is not asked again.
    """

    def __init__(self, local: MlflowClient, server: MlflowClient) -> None:
        self._local, self._server = local, server
        self._known: dict[str, Experiment] = {}
        self.forbidden: dict[str, MlflowException] = {}

    def forget(self) -> None:
        """Ask the server again: it may have become another one."""
        self._known.clear()
        self.forbidden.clear()

    def find(self, experiment_id: str) -> Experiment | None:
        """The server's experiment for one of the spool; None when there is none yet.

        Raises:
            MlflowException: this account may not see it; it is one of `forbidden` then.
        """
        if experiment_id in self.forbidden:
            raise self.forbidden[experiment_id]
        if experiment_id not in self._known:
            local = self._local.get_experiment(experiment_id)
            try:
                server = self._remembered(local) or self._server.get_experiment_by_name(local.name)
            except MlflowException as error:
                if is_forbidden(error):
                    self.forbidden[experiment_id] = error
                raise
            if server is None:
                return None
            self._note(local, server)
        return self._known[experiment_id]

    def visible(self, experiment_ids: Iterable[str]) -> list[Experiment]:
        """The server's experiments for those of the spool: the ones that are there, and that this account may see."""
        found = []
        for experiment_id in experiment_ids:
            try:
                found.append(self.find(experiment_id))
            except MlflowException:
                if experiment_id not in self.forbidden:
                    raise
        return [experiment for experiment in found if experiment]

    def of(self, experiment_id: str) -> str:
        """ID of the same experiment on the server, made when missing.

        Raises:
            MlflowException: it was deleted there.
            PlaceError: its artifacts would be where the server may not send us.
            StoreError: the package for where they would be is missing.
        """
        server = self.find(experiment_id)
        if server is None:
            local = self._local.get_experiment(experiment_id)
            tags = {k: v for k, v in local.tags.items() if not k.startswith(SYNC)}
            server = self._server.get_experiment(self._server.create_experiment(local.name, tags=tags))
            self._note(local, server)
        if server.lifecycle_stage == LifecycleStage.DELETED:
            address = show_uri(self._server.tracking_uri)
            raise MlflowException.invalid_parameter_value(
                f"experiment {server.name!r} was deleted on {address}: restore it (MLFLOW_TRACKING_URI={address} "
                f"mlflow experiments restore -x {server.experiment_id}) and sync again"
            )
        checked(server.artifact_location, self._server.tracking_uri)
        check_installed(server.artifact_location)
        return str(server.experiment_id)

    def _remembered(self, local: Experiment) -> Experiment | None:
        """The experiment whose ID was noted, if it is still that one.

        A server that was set up anew, or has removed experiments for good, gives their numbers to others.
        """
        server_id, made = local.tags.get(EXPERIMENT_ID), local.tags.get(EXPERIMENT_MADE)
        server = None if server_id is None else self._get(server_id)
        if server is None:
            return None
        if made is not None and server.creation_time is not None:
            return server if made == str(server.creation_time) else None
        return server if local.name in (server.name, placeholder(str(server_id))) else None

    def _get(self, experiment_id: str) -> Experiment | None:
        try:
            return self._server.get_experiment(experiment_id)
        except MlflowException as error:
            # A number of another server may be somebody else's here.
            if error.error_code != "RESOURCE_DOES_NOT_EXIST" and not is_forbidden(error):
                raise
            return None

    def _note(self, local: Experiment, server: Experiment) -> None:
        made = {EXPERIMENT_MADE: str(server.creation_time)} if server.creation_time is not None else {}
        for name, value in {EXPERIMENT_ID: str(server.experiment_id), **made}.items():
            if local.tags.get(name) != value:
                self._local.set_experiment_tag(local.experiment_id, name, value)
        self._known[str(local.experiment_id)] = server
