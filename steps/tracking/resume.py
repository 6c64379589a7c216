"""Going on where a training was interrupted: its finished folds are taken over, the rest is trained.

A fold's seed depends on nothing but the study's seed, the fold and the test number, so the result is the one an
uninterrupted training would have had.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.tracking import documents, left_running, lookup
from steps.tracking.models.reading import has_network
from steps.tracking.reuse import KEY_TAG
from steps.tracking.session import ENTRY_POINT_TAG

_RUNNING, _FAILED = RunStatus.to_string(RunStatus.RUNNING), RunStatus.to_string(RunStatus.FAILED)


def take_over_folds(run: Run, key: str) -> dict[tuple[str, int], dict[str, float]]:
    """Make the finished folds of interrupted trainings with the same identity children of ``run``.

    Trainings that were killed are marked as FAILED, and so are the runs they were working on: folds, or the final
    model.
    Trainings that still run, on this or another machine, are left alone.

    Args:
        run: the training that goes on.
        key: its identity (`steps.tracking.reuse.Identity.key`).

    Returns:
        Metrics of each fold taken over, by its name and test number.
    """
    client = MlflowClient()
    taken: dict[tuple[str, int], dict[str, float]] = {}
    for train in interrupted(run, "train", key):
        for child in lookup.children(train):
            end(client, child)
            if not lookup.is_fold(child):
                continue
            try:
                name = documents.fold_key(child)
            except documents.DamagedError:  # it is trained again
                continue
            is_whole = child.info.status == "FINISHED" and has_network(child)
            if is_whole and name not in taken:
                client.set_tag(child.info.run_id, MLFLOW_PARENT_RUN_ID, run.info.run_id)
                taken[name] = child.data.metrics
    return taken


def interrupted(run: Run, entry_point: str, key: str) -> Iterator[Run]:
    """Earlier runs of a step with the same identity that did not finish, newest first, each marked as FAILED.

    Those that still run, on this or another machine, are left alone. Once the caller has taken what it wants of one, a
    tag of it says who went on.

    Args:
        run: that goes on.
        entry_point: of the step.
        key: its identity.
    """
    client = MlflowClient()
    earlier = client.search_runs(
        [run.info.experiment_id],
        f"tags.{ENTRY_POINT_TAG} = '{entry_point}' and tags.{KEY_TAG} = '{key}' and attributes.status != 'FINISHED'",
        order_by=["attributes.start_time DESC"],
    )
    for one in earlier:
        if one.info.run_id == run.info.run_id or (
            one.info.status == _RUNNING and not left_running.is_gone(one.data.tags)
        ):
            continue
        end(client, one)
        yield one
        client.set_tag(one.info.run_id, "resumed_by", run.info.run_id)


def end(client: MlflowClient, run: Run) -> None:
    """Mark a run that seems to be running as FAILED."""
    if run.info.status == _RUNNING:
        client.set_terminated(run.info.run_id, _FAILED)
