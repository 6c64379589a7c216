"""Recording searches: each is a run nested under that of `tune`, and every try a run nested under its search."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count, takewhile
from typing import TYPE_CHECKING, Final, Self

from mlflow import MlflowClient
from mlflow.entities import RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.core.data.tried import Tried
from steps.tracking import documents, lookup, resume
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.tracker import MLflowTracker

if TYPE_CHECKING:
    from mlflow.entities import Run

    from steps.tracking.tracked_run import TrackedRun

SEARCH: Final = "search"
TRY: Final = "try"
_FOLD, _TRIED = "fold", "tried"
_REASON_LENGTH = 500


@dataclass(frozen=True)
class Taken:
    """A try of an interrupted search, and its run."""

    tried: Tried
    run_id: str


def interrupted_searches(run: Run, key: str) -> dict[str, tuple[Taken, ...]]:
    """The tries of interrupted runs of `tune` with the same identity, as `steps.tracking.resume` finds those.

    Args:
        run: that goes on.
        key: its identity (`steps.tracking.reuse.Identity.key`).

    Returns:
        For each fold the first tries of its search, without a gap.
    """
    client = MlflowClient()
    found: dict[str, dict[int, Taken]] = {}
    for earlier in resume.interrupted(run, "tune", key):
        for search in lookup.children(earlier):
            resume.end(client, search)
            if search.data.tags.get(ENTRY_POINT_TAG) != SEARCH or _FOLD not in search.data.tags:
                continue
            own = found.setdefault(search.data.tags[_FOLD], {})
            for child in lookup.children(search):
                resume.end(client, child)
                if (tried := _whole(child)) is not None:
                    own.setdefault(tried.number, Taken(tried, child.info.run_id))
    return {fold: tuple(own[number] for number in takewhile(own.__contains__, count())) for fold, own in found.items()}


def _whole(run: Run) -> Tried | None:
    """The try that a run holds; None where it was not written to its end, or was damaged since."""
    if run.data.tags.get(ENTRY_POINT_TAG) != TRY:
        return None
    try:
        recorded = documents.tag_of(run, _TRIED, documents.RecordedTry)
    except documents.DamagedError:  # it is tried again
        return None
    if recorded is None or run.info.status != _status(recorded["state"]):
        return None
    return Tried(**{**recorded, "values": tuple(recorded["values"])})


def _status(state: str) -> str:
    return str(RunStatus.to_string(RunStatus.FAILED if state == "failed" else RunStatus.FINISHED))


class SearchRecorder:
    """Records tries as they are done, while others are being trained."""

    def __init__(self, run: Run, tags: Mapping[str, str]) -> None:
        """Open the store for the searches of a run of `tune`.

        Args:
            run: which theirs are nested under.
            tags: of every search.
        """
        self._tags = dict(tags)
        self._tracker = MLflowTracker(parent_run_id=run.info.run_id, experiment_id=run.info.experiment_id)
        self._lock = threading.Lock()
        self._begun: dict[str, TrackedRun] = {}
        self._recorded: set[tuple[str, int]] = set()

    def take_over(self, fold: str, taken: tuple[Taken, ...]) -> None:
        """Make tries of an interrupted search children of this one's."""
        with self._lock:
            search = self._search(fold)
            self._recorded |= {(fold, one.tried.number) for one in taken}

        def write() -> None:
            for one in taken:
                MlflowClient().set_tag(one.run_id, MLFLOW_PARENT_RUN_ID, search.run_id)

        self._tracker.submit(write)

    def record(self, fold: str, tried: Tried) -> bool:
        """Record a try, from any thread; returns whether it was new."""
        with self._lock:
            if (fold, tried.number) in self._recorded:
                return False
            self._recorded.add((fold, tried.number))
            search = self._search(fold)
        ended_ms = time.time_ns() // 1_000_000
        document = asdict(tried) | {"reason": tried.reason[:_REASON_LENGTH]}
        tags = {
            ENTRY_POINT_TAG: TRY,
            _FOLD: fold,
            "state": tried.state,
            _TRIED: json.dumps(document),
            MLFLOW_PARENT_RUN_ID: search.run_id,
        }
        started_ms = ended_ms - round(tried.seconds * 1000)
        with self._lock:
            one = self._tracker.start_run(f"{fold} {tried.number}", tags=tags, started_ms=started_ms, environment=False)
        values = {"inner_brier": list(tried.values)}
        stamps = [ended_ms] * len(tried.values)
        one.log_fit(tried.settings, {"seconds": tried.seconds}, values, stamps, ended_ms)
        one.end_run(_status(tried.state), ended_ms)
        return True

    def end(self, fold: str, settings: Mapping[str, object], metrics: Mapping[str, float]) -> None:
        """End a search with what it has found."""
        with self._lock:
            search = self._search(fold)
        search.log_parameters(settings)
        search.log_evaluation_metrics(metrics)
        search.end_run()

    def flush(self) -> None:
        """Wait until all is written."""
        self._tracker.flush()

    def close(self) -> None:
        """Write what is left and let go of the store."""
        self._tracker.close()

    def _search(self, fold: str) -> TrackedRun:
        if fold not in self._begun:
            tags = {ENTRY_POINT_TAG: SEARCH, _FOLD: fold, **self._tags}
            self._begun[fold] = self._tracker.start_run(f"search {fold}", tags=tags)
        return self._begun[fold]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
