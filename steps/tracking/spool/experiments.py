"""The server's experiments for those of a spool, found by what cannot be somebody else's."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException

from steps.tracking.spool.copy import SYNC
from steps.tracking.spool.marks import EXPERIMENT_ID, EXPERIMENT_MADE
from steps.tracking.store.artifact_places import checked
from steps.tracking.store.tracking_uri import show_uri


def placeholder(experiment_id: str) -> str:
    """What an experiment is called here whose name the server could not be asked for."""
    return f"experiment {experiment_id}"


class Experiments:
    """Looks each experiment up once, until it is told to `forget`."""

    def __init__(self, here: MlflowClient, there: MlflowClient) -> None:
        self._here, self._there = here, there
        self._found: dict[str, Experiment] = {}

    def forget(self) -> None:
        """Ask the server again: it may have become another one."""
        self._found.clear()

    def find(self, experiment_id: str) -> Experiment | None:
        """The server's experiment for one of the spool; None when there is none yet."""
        if experiment_id not in self._found:
            here = self._here.get_experiment(experiment_id)
            there = self._remembered(here) or self._there.get_experiment_by_name(here.name)
            if there is None:
                return None
            self._note(here, there)
        return self._found[experiment_id]

    def of(self, experiment_id: str) -> str:
        """ID of the same experiment on the server, made when missing.

        Raises:
            MlflowException: it was deleted there.
            PlaceError: its artifacts would be where the server may not send us.
        """
        there = self.find(experiment_id)
        if there is None:
            here = self._here.get_experiment(experiment_id)
            tags = {k: v for k, v in here.tags.items() if not k.startswith(SYNC)}
            there = self._there.get_experiment(self._there.create_experiment(here.name, tags=tags))
            self._note(here, there)
        if there.lifecycle_stage == LifecycleStage.DELETED:
            server = show_uri(self._there.tracking_uri)
            raise MlflowException.invalid_parameter_value(
                f"experiment {there.name!r} was deleted on {server}: restore it (MLFLOW_TRACKING_URI={server} "
                f"mlflow experiments restore -x {there.experiment_id}) and sync again"
            )
        checked(there.artifact_location, self._there.tracking_uri)
        return str(there.experiment_id)

    def _remembered(self, here: Experiment) -> Experiment | None:
        """The experiment whose ID was noted, if it is still that one.

        A server that was set up anew, or has removed experiments for good, gives their numbers to others.
        """
        there_id, made = here.tags.get(EXPERIMENT_ID), here.tags.get(EXPERIMENT_MADE)
        there = None if there_id is None else self._get(there_id)
        if there is None:
            return None
        if made is not None and there.creation_time is not None:
            return there if made == str(there.creation_time) else None
        return there if here.name in (there.name, placeholder(str(there_id))) else None

    def _get(self, experiment_id: str) -> Experiment | None:
        try:
            return self._there.get_experiment(experiment_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _note(self, here: Experiment, there: Experiment) -> None:
        made = {EXPERIMENT_MADE: str(there.creation_time)} if there.creation_time is not None else {}
        for name, value in {EXPERIMENT_ID: str(there.experiment_id), **made}.items():
            if here.tags.get(name) != value:
                self._here.set_experiment_tag(here.experiment_id, name, value)
        self._found[str(here.experiment_id)] = there
