"""Runs whose process ended without a word: killed, out of memory, a power cut, a full disk.

MLflow goes on calling them RUNNING. The next run in the same experiment marks those as FAILED of which it is certain
that nobody works on them any more: the process that a run names was one of this machine, and is gone. Runs that name
none (folds, and what `mlflow run` made a moment before) are as alive as the run they are nested under. Runs of other
machines, and of containers with processes of their own, are left alone.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import click
import psutil
from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from steps.tracking.store.paging import every_run

_HOST, _PID, _STARTED = "host", "pid", "process_started"
_STUDY = "study_run_id"
_FAILED = RunStatus.to_string(RunStatus.FAILED)
_RUNNING = "attributes.status = 'RUNNING'"
_DEFAULT_EXPERIMENT_ID = "0"


def process_tags() -> dict[str, str]:
    """Tags that tell a run that is still worked on from one whose process was killed."""
    started = _started(os.getpid())
    return {_HOST: platform.node(), _PID: str(os.getpid())} | ({_STARTED: started} if started else {})


def is_gone(tags: Mapping[str, str]) -> bool:
    """Whether the process that a run's tags name is certainly gone; False where this machine cannot tell."""
    if tags.get(_HOST) != platform.node() or not tags.get(_PID, "").isdecimal():
        return False
    pid, then = int(tags[_PID]), tags.get(_STARTED)
    if then is None:  # as older versions recorded it
        return not psutil.pid_exists(pid)
    if sys.platform == "linux":
        words, current = then.split(), _this_start().split()
        # Of another container on this machine, whose processes cannot be seen; or written by somebody else.
        if len(words) != 3 or (words[0] == current[0] and words[1] != current[1]):
            return False
    return _started(pid) != then


def mark(experiment_id: str, by: str) -> int:
    """Mark the runs of an experiment that are left running as FAILED, and say so; returns how many.

    Args:
        experiment_id: whose runs.
        by: ID of the run that does this; it is left alone.
    """
    client = MlflowClient()
    running = {run.info.run_id: run for run in every_run([experiment_id], _RUNNING) if run.info.run_id != by}
    parents: dict[str, Run | None] = dict(running)
    gone = [run for run in running.values() if _is_left(client, run, parents)]
    for run in gone:
        _end(client, run, by)
        # `mlflow run` without a name of an experiment has made a run that points to this one.
        for pointer in every_run([_DEFAULT_EXPERIMENT_ID], f"{_RUNNING} and tags.{_STUDY} = '{run.info.run_id}'"):
            _end(client, pointer, by)
    if gone:
        names = ", ".join(f"{run.info.run_name} ({run.info.run_id})" for run in gone[:3])
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        click.echo(f"marked as FAILED, because their process ended without a word: {names}{more}", err=True)
    return len(gone)


def _is_left(client: MlflowClient, run: Run, known: dict[str, Run | None]) -> bool:
    """Whether nobody works on a run: its own process is gone, or else that of the run it is nested under."""
    seen = set()
    while run.info.run_id not in seen:
        seen.add(run.info.run_id)
        if _PID in run.data.tags:
            return is_gone(run.data.tags)
        parent_id = run.data.tags.get(MLFLOW_PARENT_RUN_ID)
        if parent_id is None:
            return False
        if parent_id not in known:
            known[parent_id] = _get(client, parent_id)
        parent = known[parent_id]
        if parent is None:
            return False
        run = parent
    return False


def _end(client: MlflowClient, run: Run, by: str) -> None:
    run = client.get_run(run.info.run_id)
    if run.info.status != RunStatus.to_string(RunStatus.RUNNING):  # another process was faster
        return
    tags = run.data.tags
    who = f" (process {tags[_PID]} on {tags[_HOST]})" if _PID in tags and _HOST in tags else ""
    said = f"Left RUNNING: its process{who} ended without a word. Marked as FAILED by run `{by}`."
    client.set_tag(run.info.run_id, MLFLOW_RUN_NOTE, "\n\n".join(filter(None, [said, tags.get(MLFLOW_RUN_NOTE)])))
    client.set_terminated(run.info.run_id, _FAILED)


def _get(client: MlflowClient, run_id: str) -> Run | None:
    try:
        return client.get_run(run_id)
    except MlflowException:
        return None


def _started(pid: int) -> str | None:
    """The start of a process as text that no other process of this machine has; None when the process is gone.

    On Linux in ticks since the machine was started, beside the names of that start and of the container's processes: a
    clock that is set meanwhile changes nothing.
    """
    if sys.platform != "linux":
        try:
            return f"{psutil.Process(pid).create_time()}"
        except psutil.Error:
            return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{_this_start()} {ticks}"


@cache
def _this_start() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
