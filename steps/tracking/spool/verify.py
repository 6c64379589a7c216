"""Does a server hold everything of a spool? Read back in full, before the spool is removed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow.entities import LoggedModel, Run, RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from steps.tracking.spool.copy import TEXT, Copy, digests
from steps.tracking.spool.marks import ADOPTED, DELETED, STATE, state_of
from steps.tracking.spool.remembered import Reviewed, lacks, stays_behind

# MLflow's pages let everybody edit these.
_EDITABLE = (MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE)
_DELETED = "deleted on the server, so this is all that is left of it"


@dataclass(frozen=True)
class Check:
    """Compares what lies in a spool with what its server hands out.

    Attributes:
        copy: knows both, and what the server calls things.
        reviewed: the server's runs and models as it has just listed them.
        noted: the files that were ever logged, by run and model.
    """

    copy: Copy
    reviewed: Reviewed
    noted: Mapping[str, set[str]]

    def run(self, run: Run) -> str:
        """What the server does not hold of a run; empty when it holds everything."""
        on_server = self.reviewed.runs.get(run.info.run_id)
        if DELETED in run.data.tags:
            return _DELETED
        if on_server is None:
            return "not on the server"
        if not RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
            return "still being recorded, or its process was killed: run the same command again"
        if run.data.tags.get(STATE) != state_of(run):
            return "has changed since it was copied"
        return (
            lacks(run, on_server, self.reviewed.models)
            or self._values(run, on_server)
            or self._points(run, on_server)
            or self._files(run.info.run_id, run.info.artifact_uri, ADOPTED in run.data.tags)
        )

    def model(self, model: LoggedModel, is_adopted: bool) -> str:
        """What the server does not hold of a model; empty when it holds everything.

        Args:
            model: of the spool.
            is_adopted: whether the server's model was not made by copying this one.
        """
        if DELETED in model.tags:
            return _DELETED
        if model.model_id not in self.reviewed.models:
            return "not on the server"
        return self._files(model.model_id, model.artifact_location, is_adopted)

    def _values(self, run: Run, on_server: Run) -> str:
        if ADOPTED in run.data.tags:  # the server's run is the original
            return ""
        translate = self.copy.names.translate
        tags = {k: v for k, v in run.data.tags.items() if not stays_behind(k, False) and k not in _EDITABLE}
        for name, value in tags.items():
            if on_server.data.tags[name] != translate(value):
                return f"tag {name} is another one on the server"
        for name, value in run.data.params.items():
            # Nobody can change a parameter, so one that mentions a run keeps an ID that run may have had before.
            if translate(value) == value != on_server.data.params[name]:
                return f"parameter {name} is another one on the server"
        return ""

    def _points(self, run: Run, on_server: Run) -> str:
        for key in run.data.metrics:
            local_points, server_points = (
                {(point.timestamp, point.step, str(point.value)) for point in history(key)}
                for history in (
                    partial(self.copy.source.get_metric_history, run.info.run_id),
                    partial(self.copy.sink.get_metric_history, on_server.info.run_id),
                )
            )
            if lacking := local_points - server_points:
                return f"{len(lacking)} of {len(local_points)} points of metric {key} are not on the server"
        return ""

    def _files(self, owner: str, uri: str, is_adopted: bool) -> str:
        with self.copy.staged(uri) as staged, tempfile.TemporaryDirectory() as back:
            wanted, place = digests(staged), self.copy.place_of(uri)
            if wanted.keys() | self.noted.get(owner, set()) and place.list_artifacts():
                place.download_artifacts("", back)
            received = digests(Path(back))
        for name in sorted(wanted.keys() | self.noted.get(owner, set())):
            if name not in received:
                return f"file {name} is not on the server"
            # Where the server's files are the originals, their texts were not translated.
            if name in wanted and wanted[name] != received[name] and not (is_adopted and Path(name).suffix in TEXT):
                return f"file {name} is another one on the server"
        return ""
