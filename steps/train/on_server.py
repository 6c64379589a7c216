"""A worker of a cluster records its fold on the tracking server itself.

So the server fills as fast as folds are trained, however many workers there are, and shows what is being trained. It
is no condition: a fold's record travels to the driver in any case, and where the server fails a worker, the driver does
it all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from steps.compute import resident
from steps.core.data.folds import Fold
from steps.system.deadline import within
from steps.tracking.environment import environment_tags
from steps.tracking.places import DatasetArtifact
from steps.tracking.spool import WORKED_FOR, Names, current, id_on_server
from steps.tracking.store.punctual import straight_to, time_for
from steps.tracking.store.trouble import FAILURES, one_line, reachable
from steps.train.recording import FoldRecorder, Training
from steps.train.worker import FoldRecord, ServerRun, TrainingJob, run_fold

# A server that hangs costs a worker seconds each time it is tried.
_PAUSE_S = 300.0
# Of a few calls that are one matter, not all are slow.
_CALLS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class OnServer:
    """A training as the server calls it.

    Attributes:
        tracking_uri: of the server; perhaps with a password, so never for printing.
        training: with the server's identifiers.
        names: what the server calls runs of the spool.
    """

    tracking_uri: str = field(repr=False)
    training: Training
    names: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, training: Training, dataset: DatasetArtifact) -> OnServer | None:
        """A training recorded in a spool, as the server calls it; None where there is no server, or it fails.

        Args:
            training: with the spool's identifiers.
            dataset: its address.
        """
        spool = current()
        there = id_on_server(spool, training.run_id) if spool else None
        if spool is None or there is None:
            return None
        try:
            experiment_id = spool.target_client().get_run(there).info.experiment_id
        except FAILURES:
            return None
        uri = dataset.uri or training.dataset_uri
        git = {name: value for name, value in environment_tags().items() if name.startswith("git_")}
        tags = {**training.tags, **git, "dataset_uri": uri, WORKED_FOR: training.run_id}
        on_server = replace(training, experiment_id=experiment_id, run_id=there, tags=tags, dataset_uri=uri)
        return cls(spool.target, on_server, ((training.run_id, there), (training.dataset_uri, uri)))


def run_and_record_fold(job: TrainingJob, server: OnServer, fold: Fold) -> FoldRecord:
    """`steps.train.worker.run_fold`, and the record's ``server_run`` says where it is on the server."""
    desk = _desk(server)
    recorder = desk.begin(fold)
    try:
        record = run_fold(job, fold)
    except BaseException:
        desk.leave(recorder)
        raise
    return replace(record, server_run=desk.record(recorder, record))


@resident
def _desk(server: OnServer) -> _Desk:
    return _Desk(server)


class _Desk:
    """Where a worker records, and when that failed last."""

    def __init__(self, server: OnServer) -> None:
        self._server = server
        self._names = Names(places=dict(server.names))
        self._failure, self._failed_at = "", -_PAUSE_S

    def begin(self, fold: Fold) -> FoldRecorder | None:
        """Make the fold's run; None when the server fails."""
        if time.monotonic() - self._failed_at < _PAUSE_S:
            return None
        return self._try(partial(self._begun, fold), 0)

    def record(self, recorder: FoldRecorder | None, found: FoldRecord) -> ServerRun:
        """Record the fold in the run that was begun, and end that."""
        done = self._try(partial(self._recorded, recorder, found), len(found.network)) if recorder else None
        return done or ServerRun(failure=self._failure)

    def leave(self, recorder: FoldRecorder | None) -> None:
        """Let go of a run that nothing will be recorded in; the driver removes what it did not claim."""
        if recorder:
            self._try(recorder.close, 0)

    def _begun(self, fold: Fold) -> FoldRecorder:
        if not reachable(self._server.tracking_uri):
            raise ConnectionError("the server does not answer")
        recorder = FoldRecorder(self._server.training, spooled=False)
        try:
            recorder.begin(fold)
            recorder.flush()
        except BaseException:
            recorder.close()
            raise
        return recorder

    def _recorded(self, recorder: FoldRecorder, found: FoldRecord) -> ServerRun:
        parameters = {k: self._names.translate(v) if isinstance(v, str) else v for k, v in found.parameters.items()}
        with recorder:
            run = recorder.write(replace(found, parameters=parameters))
            recorder.flush()  # a run that lacks something must not seem finished
            recorder.end(found)
            recorder.flush()
        return ServerRun(run.run_id, run.model_id or "", run.started_ms)

    def _try(self, action: Callable[[], T], size: int) -> T | None:
        try:
            with straight_to(self._server.tracking_uri):
                return within(_CALLS * time_for(size), action)
        except FAILURES as error:
            self._failure, self._failed_at = one_line(error), time.monotonic()
            return None
